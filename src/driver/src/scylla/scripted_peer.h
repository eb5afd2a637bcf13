#pragma once

#include <algorithm>
#include <array>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scylla/server_bytes.h"

namespace athena::driver::scylla {

/// A request as a scripted node got it.
struct PeerRequest {
  std::size_t connection = 0;  ///< counted from 0
  std::uint32_t shard = 0;     ///< on which the connection ended
  std::uint8_t version = 0;
  std::int16_t stream = 0;
  Opcode opcode = Opcode::error;
  std::string body;
  std::string cql;  ///< of QUERY and PREPARE; of EXECUTE the id, which the peer makes of the text

  /// To be sent on the request's own stream.
  ServerEnvelope answer(Opcode kind, std::string text, std::uint8_t flags = 0) const {
    return {.version = version, .flags = flags, .stream = stream, .opcode = kind, .body = std::move(text)};
  }
  ServerEnvelope rows(const ServerRows& rows) const { return answer(Opcode::result, rows.body()); }
  ServerEnvelope error(std::int32_t code, std::string_view message = "scripted", std::string_view more = {}) const {
    return answer(Opcode::error, ServerBytes().i32(code).string(message).raw(more));
  }
};

/// What a scripted node does with a request.
struct PeerReply {
  std::vector<ServerEnvelope> envelopes{};  ///< in this order; framed where the connection is
  std::string raw{};                        ///< behind them, as it is
  enum class Then : std::uint8_t { keep, close, reset } then = Then::keep;
};

/// For tests: a CQL node on loopback that answers as a script says, wrongly if need be, and remembers what it was
/// asked. Left alone it is a node of its own with keyspace ks and table t (id int, the partition key; name text), whose
/// every query gives the row (1, one).
class ScriptedPeer {
 public:
  using Handler = std::function<std::optional<PeerReply>(const PeerRequest&)>;
  struct Options {
    std::uint8_t highest_version = 5;
    std::uint32_t shards = 0;          ///< ScyllaDB with so many; 0: Cassandra
    bool has_shard_port = true;        ///< false: it is told, and nobody listens there
    std::string password{};            ///< empty: none is asked for
    std::vector<std::string> peers{};  ///< "127.0.0.1:1234": its neighbours
    Handler handler{};                 ///< asked first; nothing: the answer of a healthy node
  };

  ScriptedPeer() : ScriptedPeer(Options{}) {}
  explicit ScriptedPeer(Options options) : options_(std::move(options)) {
    listen(ordinary_);
    if (options_.shards > 0) listen(sharded_);
    if (options_.shards > 0 && !options_.has_shard_port) ::close(std::exchange(sharded_.socket, -1));
    for (Listener* listener : {&ordinary_, &sharded_}) {
      if (listener->socket >= 0) listener->acceptor = std::thread([this, listener] { accept_all(*listener); });
    }
  }
  ~ScriptedPeer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const auto& [id, connection] : open_) ::shutdown(connection->socket, SHUT_RDWR);
    }
    for (Listener* listener : {&ordinary_, &sharded_}) {
      if (listener->socket < 0) continue;
      ::shutdown(listener->socket, SHUT_RDWR);
      listener->acceptor.join();
      ::close(listener->socket);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  std::uint16_t port() const noexcept { return ordinary_.port; }
  /// It runs on the peer's threads, also for a request that is still on its way when a test has seen enough: what it
  /// refers to must live as long as its requests may come.
  void handle(Handler handler) {
    const std::lock_guard lock(mutex_);
    options_.handler = std::move(handler);
  }
  void set_peers(std::vector<std::string> peers) {
    const std::lock_guard lock(mutex_);
    options_.peers = std::move(peers);
  }
  /// Everything that was asked, the node's own tables left out.
  std::vector<PeerRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t count(Opcode opcode) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(requests_, opcode, &PeerRequest::opcode));
  }
  /// How often one of the node's own tables was read.
  std::size_t reads_of(std::string_view table) const {
    const std::lock_guard lock(mutex_);
    const auto found = reads_.find(std::string(table));
    return found == reads_.end() ? 0 : found->second;
  }
  std::size_t connections() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
  }
  /// Waits until so many connections are left.
  bool wait_for_open(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return open_.size() == count; });
  }
  /// Says it unasked, to every connection that registered for events.
  void tell(const ServerEnvelope& event) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, connection] : open_) {
      if (connection->registered) send(*connection, {.envelopes = {event}});
    }
  }

 private:
  struct Listener {
    int socket = -1;
    std::uint16_t port = 0;
    std::thread acceptor;
  };
  struct Connection {
    int socket = -1;
    std::size_t id = 0;
    std::uint32_t shard = 0;
    bool framed = false, lz4 = false, registered = false;
    std::string bytes, envelopes;  // as they came; out of their frames
  };

  static void listen(Listener& listener) {
    listener.socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener.socket, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener.socket, 64);
    ::getsockname(listener.socket, reinterpret_cast<sockaddr*>(&address), &size);
    listener.port = ntohs(address.sin_port);
  }

  void accept_all(Listener& listener) {
    while (true) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const int socket = ::accept(listener.socket, reinterpret_cast<sockaddr*>(&from), &size);
      if (socket < 0) return;
      const int yes = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        ::close(socket);
        return;
      }
      auto connection = std::make_shared<Connection>();
      connection->socket = socket;
      connection->id = accepted_++;
      // As ScyllaDB does: by the source port on the port for shards, in turn elsewhere.
      if (options_.shards > 0) {
        connection->shard = (&listener == &sharded_ ? ntohs(from.sin_port) : turn_++) % options_.shards;
      }
      open_.emplace(connection->id, connection);
      threads_.emplace_back([this, connection] { serve(*connection); });
    }
  }

  void serve(Connection& connection) {
    char bytes[65'536];
    while (true) {
      const ssize_t n = ::recv(connection.socket, bytes, sizeof bytes, 0);
      if (n <= 0) break;
      connection.bytes.append(bytes, static_cast<std::size_t>(n));
      if (!take_requests(connection)) break;
    }
    const std::lock_guard lock(mutex_);
    open_.erase(connection.id);
    ::close(connection.socket);
    changed_.notify_all();
  }

  /// False: the connection is done.
  bool take_requests(Connection& connection) {
    while (true) {
      if (!connection.framed) connection.envelopes.append(std::exchange(connection.bytes, {}));
      while (connection.framed && take_frame(connection)) {
      }
      const std::string& all = connection.envelopes;
      if (all.size() < kEnvelopeHeadBytes) return true;
      const std::size_t size = kEnvelopeHeadBytes + number(std::string_view(all).substr(5, 4));
      if (all.size() < size) return true;
      PeerRequest request;
      request.connection = connection.id;
      request.shard = connection.shard;
      request.version = static_cast<std::uint8_t>(all[0]);
      request.stream = static_cast<std::int16_t>(number(std::string_view(all).substr(2, 2)));
      request.opcode = static_cast<Opcode>(all[4]);
      request.body = all.substr(kEnvelopeHeadBytes, size - kEnvelopeHeadBytes);
      connection.envelopes.erase(0, size);
      if (!react(connection, std::move(request))) return false;
    }
  }

  /// Requests of tests are short, so no frame of them is compressed.
  static bool take_frame(Connection& connection) {
    const std::size_t head = connection.lz4 ? 8 : 6;
    const std::string& bytes = connection.bytes;
    if (bytes.size() < head) return false;
    const auto byte = [&bytes](std::size_t at) {
      return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at]));
    };
    const std::size_t size = (byte(0) | byte(1) << 8 | byte(2) << 16) & 0x1FFFF;
    if (bytes.size() < head + size + 4) return false;
    connection.envelopes.append(bytes, head, size);
    connection.bytes.erase(0, head + size + 4);
    return true;
  }

  static std::size_t number(std::string_view bytes) {
    std::size_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }

  bool react(Connection& connection, PeerRequest request) {
    const std::string_view body = request.body;
    if (request.opcode == Opcode::query || request.opcode == Opcode::prepare) {
      request.cql = body.substr(4, number(body.substr(0, 4)));
    } else if (request.opcode == Opcode::execute) {
      request.cql = body.substr(2, number(body.substr(0, 2)));
    }
    const std::lock_guard lock(mutex_);
    const std::string table = system_table(request.cql);
    if (table.empty()) {
      requests_.push_back(request);
    } else {
      ++reads_[table];
    }
    std::optional<PeerReply> reply;
    if (options_.handler) reply = options_.handler(request);
    if (!reply) reply = table.empty() ? healthy(connection, request) : PeerReply{{request.rows(own(table))}};
    changed_.notify_all();
    const bool alive = send(connection, *reply);
    const bool begins = std::ranges::any_of(reply->envelopes, [](const ServerEnvelope& envelope) {
      return envelope.opcode == Opcode::ready || envelope.opcode == Opcode::authenticate;
    });
    if (request.opcode == Opcode::startup && begins) {
      connection.framed = request.version >= 5;
      connection.lz4 = body.find("lz4") != std::string_view::npos;
    }
    return alive;
  }

  static bool send(const Connection& connection, const PeerReply& reply) {
    std::string bytes;
    for (const ServerEnvelope& envelope : reply.envelopes) bytes += envelope.bytes();
    if (connection.framed && !bytes.empty()) {
      Buffer framed;
      append_frames(framed, bytes, connection.lz4);
      bytes = framed.view();
    }
    bytes += reply.raw;
    for (std::string_view rest = bytes; !rest.empty();) {
      const ssize_t n = ::send(connection.socket, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    if (reply.then == PeerReply::Then::reset) {
      const linger hard{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(connection.socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    return reply.then == PeerReply::Then::keep;
  }

  PeerReply healthy(Connection& connection, const PeerRequest& request) {
    const auto is = [&request](Opcode opcode) { return request.opcode == opcode; };
    if (is(Opcode::options)) return {{request.answer(Opcode::supported, supported(connection))}};
    if (is(Opcode::startup)) return {{welcome(request)}};
    if (is(Opcode::auth_response)) {
      if (request.body.ends_with('\0' + options_.password)) {
        return {{request.answer(Opcode::auth_success, ServerBytes().null())}};
      }
      return {{request.error(0x0100, "Provided username and/or password are incorrect")}};
    }
    if (is(Opcode::register_events)) {
      connection.registered = true;
      return {{request.answer(Opcode::ready, "")}};
    }
    if (is(Opcode::prepare)) {
      return {{request.answer(Opcode::result, prepared(request.cql).body(request.version))}};
    }
    if (request.cql.starts_with("USE ")) return {{request.answer(Opcode::result, ServerBytes().i32(3).string("ks"))}};
    return {{request.rows(one_row())}};
  }

  ServerEnvelope welcome(const PeerRequest& request) const {
    if (request.version > options_.highest_version) {
      ServerEnvelope refusal = request.error(0x0A, "Invalid or unsupported protocol version");
      refusal.version = options_.highest_version;
      return refusal;
    }
    if (options_.password.empty()) return request.answer(Opcode::ready, "");
    return request.answer(Opcode::authenticate, ServerBytes().string("PasswordAuthenticator"));
  }

  std::string supported(const Connection& connection) const {
    std::map<std::string, std::string> options = {{"CQL_VERSION", "3.4.6"}, {"COMPRESSION", "lz4"}};
    if (options_.shards > 0) {
      options["SCYLLA_SHARD"] = std::to_string(connection.shard);
      options["SCYLLA_NR_SHARDS"] = std::to_string(options_.shards);
      options["SCYLLA_SHARDING_ALGORITHM"] = "biased-token-round-robin";
      options["SCYLLA_SHARDING_IGNORE_MSB"] = "12";
      options["SCYLLA_PARTITIONER"] = "org.apache.cassandra.dht.Murmur3Partitioner";
      options["SCYLLA_SHARD_AWARE_PORT"] = std::to_string(sharded_.port);
    }
    ServerBytes out;
    out.u16(static_cast<unsigned>(options.size()));
    for (const auto& [name, value] : options) out.string(name).strings({value});
    return out;
  }

 public:
  static CqlType text() { return {.kind = CqlKind::text}; }
  static CqlType integer() { return {.kind = CqlKind::int_}; }
  static ServerColumns columns() { return {{"id", integer()}, {"name", text()}}; }
  static ServerRows one_row() { return {.columns = columns(), .rows = {{std::string("\0\0\0\1", 4), "one"}}}; }
  /// Its id is its text. Each `?` is an int, but for the name that an INSERT has last; the first is the partition key.
  static ServerPrepared prepared(std::string_view cql) {
    ServerPrepared statement{.id = std::string(cql.substr(0, 60'000))};
    for (std::ptrdiff_t left = std::ranges::count(cql, '?'); left > 0; --left) {
      const bool is_name = cql.starts_with("INSERT") && left == 1;
      statement.binds.emplace_back(is_name ? "name" : "id", is_name ? text() : integer());
    }
    if (!statement.binds.empty()) statement.partition_key = {0};
    if (cql.starts_with("SELECT")) statement.columns = columns();
    return statement;
  }

 private:
  static std::string system_table(std::string_view cql) {
    const std::size_t at = cql.find(" FROM system");
    if (at == std::string_view::npos) return {};
    cql.remove_prefix(at + 6);
    return std::string(cql.substr(0, cql.find(' ')));
  }

  /// The node's own tables, with the columns that are asked for.
  ServerRows own(const std::string& table) const {
    const CqlType texts{.kind = CqlKind::set, .elements = {text()}},
        map{.kind = CqlKind::map, .elements = {text(), text()}};
    const CqlType list{.kind = CqlKind::list, .elements = {text()}};
    const auto row = [](std::vector<std::string> cells) {
      return std::vector<std::optional<std::string>>(cells.begin(), cells.end());
    };
    if (table == "system.local") {
      return {.columns = {{"host_id", text()},
                          {"data_center", text()},
                          {"rack", text()},
                          {"tokens", texts},
                          {"partitioner", text()}},
              .rows = {row({"host-" + std::to_string(port()), "dc1", "r1",
                            ServerBytes().i32(1).bytes(std::to_string(port())),
                            "org.apache.cassandra.dht.Murmur3Partitioner"})}};
    }
    if (table == "system.peers_v2") {
      ServerRows rows{.columns = {{"host_id", text()},
                                  {"data_center", text()},
                                  {"rack", text()},
                                  {"tokens", texts},
                                  {"native_address", text()},
                                  {"native_port", integer()},
                                  {"peer", text()}}};
      for (const std::string& peer : options_.peers) {
        const std::size_t colon = peer.find(':');
        const std::string host = peer.substr(0, colon), digits = peer.substr(colon + 1);
        rows.rows.push_back(row({"host-" + digits, "dc1", "r1", ServerBytes().i32(1).bytes(digits), host,
                                 ServerBytes().i32(std::stoi(digits)), host}));
      }
      return rows;
    }
    if (table == "system_schema.keyspaces") {
      return {
          .columns = {{"keyspace_name", text()}, {"replication", map}},
          .rows = {row(
              {"ks",
               ServerBytes().i32(2).bytes("class").bytes("SimpleStrategy").bytes("replication_factor").bytes("3")})}};
    }
    if (table == "system_schema.tables") {
      return {.columns = {{"keyspace_name", text()}, {"table_name", text()}}, .rows = {row({"ks", "t"})}};
    }
    if (table == "system_schema.columns") {
      return {.columns = {{"keyspace_name", text()},
                          {"table_name", text()},
                          {"column_name", text()},
                          {"kind", text()},
                          {"position", integer()},
                          {"type", text()},
                          {"clustering_order", text()}},
              .rows = {row({"ks", "t", "id", "partition_key", std::string(4, '\0'), "int", "none"}),
                       row({"ks", "t", "name", "regular", std::string(4, '\xff'), "text", "none"})}};
    }
    const std::pair<const char*, ServerColumns> empty[] = {
        {"system_schema.types",
         {{"keyspace_name", text()}, {"type_name", text()}, {"field_names", list}, {"field_types", list}}},
        {"system_schema.views", {{"keyspace_name", text()}, {"view_name", text()}}},
        {"system_schema.indexes",
         {{"keyspace_name", text()}, {"table_name", text()}, {"kind", text()}, {"options", map}}}};
    for (const auto& [name, columns] : empty) {
      if (table == name) return {.columns = columns};
    }
    return {.columns = {{"schema_version", text()}}};
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Options options_;
  Listener ordinary_, sharded_;
  bool stopping_ = false;
  std::uint32_t turn_ = 0;
  std::size_t accepted_ = 0;
  std::map<std::size_t, std::shared_ptr<Connection>> open_;
  std::vector<PeerRequest> requests_;
  std::map<std::string, std::size_t> reads_;
  std::list<std::thread> threads_;
};

}  // namespace athena::driver::scylla
