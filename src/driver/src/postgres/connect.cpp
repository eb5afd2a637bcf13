#include "postgres/connect.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include <libpq-fe.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "postgres/errors.h"

namespace athena::driver::postgres {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kKeptBytes = 128 * 1024;
constexpr std::size_t kMaxAddresses = 4;
/// A path that cannot exist: libpq reads no password file, certificate or key of its own.
constexpr const char* kNoFile = "/dev/null/none";
constexpr const char* kSystemRoots = "/etc/ssl/certs/ca-certificates.crt";

/// PgBouncer follows these for each of its clients, so they may be set behind it.
constexpr std::string_view kTrackedSettings =
    "SET DateStyle TO 'ISO, MDY'; SET TimeZone TO 'UTC'; SET client_encoding TO 'UTF8'; "
    "SET standard_conforming_strings TO on; SELECT pg_catalog.pg_backend_pid()";
constexpr std::string_view kOwnSettings =
    "SET IntervalStyle TO 'postgres'; SET extra_float_digits TO 1; SET bytea_output TO 'hex'";

constexpr std::array kLibpqVariables = {"PGAPPNAME",
                                        "PGCHANNELBINDING",
                                        "PGCLIENTENCODING",
                                        "PGCONNECT_TIMEOUT",
                                        "PGDATABASE",
                                        "PGDATESTYLE",
                                        "PGGEQO",
                                        "PGGSSDELEGATION",
                                        "PGGSSENCMODE",
                                        "PGGSSLIB",
                                        "PGHOST",
                                        "PGHOSTADDR",
                                        "PGKRBSRVNAME",
                                        "PGLOADBALANCEHOSTS",
                                        "PGMAXPROTOCOLVERSION",
                                        "PGMINPROTOCOLVERSION",
                                        "PGOPTIONS",
                                        "PGPASSFILE",
                                        "PGPASSWORD",
                                        "PGPORT",
                                        "PGREQUIREAUTH",
                                        "PGREQUIREPEER",
                                        "PGREQUIRESSL",
                                        "PGSERVICE",
                                        "PGSERVICEFILE",
                                        "PGSSLCERT",
                                        "PGSSLCERTMODE",
                                        "PGSSLCOMPRESSION",
                                        "PGSSLCRL",
                                        "PGSSLCRLDIR",
                                        "PGSSLKEY",
                                        "PGSSLMAXPROTOCOLVERSION",
                                        "PGSSLMINPROTOCOLVERSION",
                                        "PGSSLMODE",
                                        "PGSSLNEGOTIATION",
                                        "PGSSLROOTCERT",
                                        "PGSSLSNI",
                                        "PGSYSCONFDIR",
                                        "PGTARGETSESSIONATTRS",
                                        "PGTZ",
                                        "PGUSER"};

std::unexpected<Error> failed(Code code, std::string text, std::string detail) {
  return fail(Error(code, std::move(text)).logged(std::move(detail)));
}

/// libpq's message for a refusal by the server ends in `: SQLSTATE` (PQERRORS_SQLSTATE), whatever the server's
/// language.
std::string_view refusal_state(std::string_view message) {
  while (!message.empty() && std::isspace(static_cast<unsigned char>(message.back()))) message.remove_suffix(1);
  if (message.size() < 7) return {};
  const std::string_view state = message.substr(message.size() - 5);
  const bool looks_like_one =
      std::ranges::all_of(state, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
  return looks_like_one && message[message.size() - 6] == ' ' ? state : std::string_view();
}

/// Why it failed, where that is no word about the host: this process has no more descriptors or memory, or this client
/// wants or lacks what the server has or asks for.
constexpr std::string_view kOwnFault = "own_fault";
constexpr std::string_view kNoPassword = "password";

std::unexpected<Error> own_fault(std::string text, std::string_view what, std::string detail) {
  return fail(Error(Code::connection_error, std::move(text))
                  .with(std::string(kOwnFault), std::string(what))
                  .logged(std::move(detail)));
}

/// `reached`: how far the attempt had come.
std::unexpected<Error> refused(pg_conn* handle, ConnStatusType reached, const Target& target) {
  const std::string_view message = PQerrorMessage(handle);
  const std::string_view state = refusal_state(message);
  if (PQconnectionNeedsPassword(handle)) {
    return own_fault("The database asks for a password, and this client has none", kNoPassword, std::string(message));
  }
  const bool insists_on_tls = target.sslmode == "require" || target.sslmode.starts_with("verify");
  if (reached == CONNECTION_SSL_STARTUP && insists_on_tls) {
    return own_fault("The database could not be reached over TLS as this client asks for", "tls", std::string(message));
  }
  Error error(Code::connection_error, "The database could not be reached");
  if (state == "53300") {
    error = Error(Code::too_many_connections, "The database accepts no more connections");
  } else if (state.starts_with("57P0")) {
    error = Error(Code::database_unavailable, "The database is starting up or shutting down");
  } else if (state.starts_with("28")) {
    error = Error(Code::connection_error, "The database refused the credentials of this client");
  } else if (state == "3D000") {
    error = Error(Code::connection_error, "The database of this client does not exist");
  }
  if (!state.empty()) error.fields.emplace_back("sql_state", std::string(state));
  error.log_detail = message;
  return fail(std::move(error));
}

/// Cancels `object`'s waiting operation at a point in time. Neither outlives the other by more than a look.
template <class Object>
class TimeLimit {
 public:
  TimeLimit(Executor executor, TimePoint deadline, std::shared_ptr<Object> object) : timer_(executor, deadline) {
    timer_.async_wait([weak = std::weak_ptr(std::move(object))](boost::system::error_code error) {
      if (error) return;
      if (const auto alive = weak.lock()) alive->cancel();
    });
  }

 private:
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer_;
};

struct Addresses {
  std::string hosts, addresses;  ///< comma-separated, of equal length: as libpq wants them
};

/// libpq would resolve on our loop and block it.
Async<Addresses> resolve(Loop& loop, const Target& target, TimePoint deadline) {
  Addresses found;
  found.hosts = target.host.empty() ? "localhost" : target.host;
  if (found.hosts.starts_with('/')) co_return found;
  if (!target.address.empty()) {
    found.addresses = target.address;
    co_return found;
  }
  using Resolver = asio::ip::basic_resolver<asio::ip::tcp, Executor>;
  const auto resolver = std::make_shared<Resolver>(loop.executor());
  const TimeLimit<Resolver> limit(loop.executor(), deadline, resolver);
  boost::system::error_code error;
  const auto results = co_await resolver->async_resolve(found.hosts, "", asio::redirect_error(use_task, error));
  if (error) co_return failed(Code::connection_error, "The database's host could not be resolved", error.message());
  const std::string host = std::exchange(found.hosts, {});
  std::size_t count = 0;
  for (const auto& entry : results) {
    if (count++ == kMaxAddresses) break;
    if (!found.hosts.empty()) found.hosts += ',', found.addresses += ',';
    found.hosts += host;
    found.addresses += entry.endpoint().address().to_string();
  }
  co_return found;
}

Connection::Handle start(const Target& target, const std::string& password, const Addresses& where) {
  std::vector<const char*> keywords, values;
  const auto set = [&](const char* keyword, const char* value) {
    if (*value == '\0') return;
    keywords.push_back(keyword);
    values.push_back(value);
  };
  const std::string port = std::to_string(target.port == 0 ? 5432 : target.port);
  const bool verifies = target.sslmode.starts_with("verify");
  set("host", where.hosts.c_str());
  set("hostaddr", where.addresses.c_str());
  set("port", port.c_str());
  set("user", target.user.c_str());
  set("password", password.c_str());
  set("dbname", target.database.c_str());
  set("sslmode", target.sslmode.empty() ? "prefer" : target.sslmode.c_str());
  set("application_name", "athena");
  set("client_encoding", "UTF8");
  set("passfile", kNoFile);
  set("sslcert", kNoFile);
  set("sslkey", kNoFile);
  set("sslrootcert", verifies ? kSystemRoots : kNoFile);
  set("sslcrl", kNoFile);
  set("gssencmode", "disable");
  set("krbsrvname", "postgres");
  set("channel_binding", target.channel_binding.empty() ? "prefer" : target.channel_binding.c_str());
  set("target_session_attrs", "any");
  set("keepalives_idle", "30");
  set("tcp_user_timeout", "10000");  // bounds PQcancel, too
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  return Connection::Handle(PQconnectStartParams(keywords.data(), values.data(), 0));
}

/// Waits on libpq's socket, which may be another one after each step.
Async<> wait_for(Loop& loop, int fd, bool readable, TimePoint deadline) {
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  const int own = ::dup(fd);  // libpq closes its descriptor, whatever becomes of this coroutine
  if (own < 0) co_return own_fault("The database could not be reached", "memory", "no descriptor left");
  const auto descriptor = std::make_shared<Descriptor>(loop.executor(), own);
  const TimeLimit<Descriptor> limit(loop.executor(), deadline, descriptor);
  boost::system::error_code error;
  co_await descriptor->async_wait(readable ? Descriptor::wait_read : Descriptor::wait_write,
                                  asio::redirect_error(use_task, error));
  if (error) co_return failed(Code::connection_error, "The database did not answer in time", error.message());
  co_return Result<>();
}

}  // namespace

void Connection::CloseHandle::operator()(pg_conn* handle) const noexcept {
  PQfinish(handle);
}

Connection::Connection(Executor executor, Handle handle)
    : handle_(std::move(handle)),
      wire_(executor, PQsocket(handle_.get()), static_cast<ssl_st*>(PQgetssl(handle_.get()))),
      cancel_key_(PQgetCancel(handle_.get()), PQfreeCancel) {}

Connection::~Connection() {
  close();
}

void Connection::close() {
  if (!wire_.is_open()) return;
  if (out_.empty()) {  // else the server may be in the middle of a message
    Encoder(out_).terminate();
    static_cast<void>(wire_.try_write(out_.view()));
  }
  wire_.close();
}

Async<> Connection::send() {
  while (!out_.empty()) {
    ATHENA_CO_TRY(const std::size_t put, wire_.try_write(out_.view()));
    out_.drop_front(put);
    if (put == 0) ATHENA_CO_TRY_VOID(co_await wire_.wait_writable());
  }
  out_.recycle(kKeptBytes);
  co_return Result<>();
}

Async<> Connection::fill() {
  if (in_.empty()) in_.recycle(kKeptBytes);
  // What a long message still lacks is asked for as it comes: a length that lies costs no memory.
  char* into = in_.grab(kReadBytes);
  ATHENA_CO_TRY(const std::size_t got, co_await wire_.read_some(into, kReadBytes));
  in_.commit(got);
  co_return Result<>();
}

bool Connection::is_dead() {
  for (;;) {
    const Result<Frame> frame = received();  // notices and the like are taken note of
    if (!frame || frame->state == Frame::State::complete) return true;
    const Result<std::size_t> got = wire_.try_read(in_.grab(kReadBytes), kReadBytes);
    if (!got) return true;
    if (*got == 0) return false;
    in_.commit(*got);
  }
}

Result<Frame> Connection::received() {
  for (;;) {
    in_.drop_front(std::exchange(consumed_, 0));
    Frame frame = read_frame(in_.view());
    switch (frame.state) {
      case Frame::State::incomplete:
        return frame;
      case Frame::State::broken:
        return failed(Code::connection_error, "The connection to the database was lost", "malformed message");
      case Frame::State::complete:
        break;
    }
    consumed_ = frame.bytes;
    if (frame.type == MessageType::notice || frame.type == MessageType::parameter_status) continue;
    if (frame.type == MessageType::notification) {
      const auto notification = read_notification(frame.body);
      if (notification && on_notification) on_notification(*notification);
      continue;
    }
    if (frame.type == MessageType::ready) {
      const auto status = read_ready(frame.body);
      if (!status) return failed(Code::connection_error, "The connection to the database was lost", "malformed status");
      transaction_ = *status;
      if (expected_ready_ > 0) --expected_ready_;
    }
    return frame;
  }
}

Async<Frame> Connection::receive() {
  for (;;) {
    ATHENA_CO_TRY(const Frame frame, received());
    if (frame.state == Frame::State::complete) co_return frame;
    ATHENA_CO_TRY_VOID(co_await fill());
  }
}

Async<> Connection::run(std::string_view sql) {
  ATHENA_CO_TRY_VOID(encode().query(sql));
  expect_ready();
  ATHENA_CO_TRY_VOID(co_await send());
  Result<> outcome;
  for (;;) {
    ATHENA_CO_TRY(const Frame frame, co_await receive());
    if (frame.type == MessageType::ready) co_return outcome;
    if (frame.type == MessageType::error && outcome)
      outcome = fail(error_from_server(read_server_error(frame.body), {}));
  }
}

Async<> Connection::prepare_session(bool detect_pooler) {
  ATHENA_CO_TRY_VOID(encode().query(kTrackedSettings));
  expect_ready();
  ATHENA_CO_TRY_VOID(co_await send());
  std::vector<std::optional<std::string_view>> cells;
  std::string pid;
  Result<> outcome;
  for (bool ready = false; !ready;) {
    ATHENA_CO_TRY(const Frame frame, co_await receive());
    if (frame.type == MessageType::error && outcome)
      outcome = fail(error_from_server(read_server_error(frame.body), {}));
    if (frame.type == MessageType::data_row && read_data_row(frame.body, cells) && cells.size() == 1 && cells[0])
      pid = *cells[0];
    ready = frame.type == MessageType::ready;
  }
  if (!outcome) co_return outcome;
  // PgBouncer makes up the process id of the cancel key; a server's own is the truth.
  if (detect_pooler) is_pooled_ = pid != std::to_string(PQbackendPID(handle_.get()));
  if (!is_pooled_) co_return co_await run(kOwnSettings);
  co_return Result<>();
}

Async<std::unique_ptr<Connection>> connect(Loop& loop, const Target& target, TimePoint deadline) {
  ATHENA_CO_TRY(const Addresses where, co_await resolve(loop, target, deadline));
  const Result<std::string> password = target.secret ? target.secret() : target.password;
  if (!password) {
    co_return own_fault("The password of this client is not to be had", kNoPassword, password.error().error);
  }
  Connection::Handle handle = start(target, *password, where);
  if (!handle) co_return own_fault("The database could not be reached", "memory", "out of memory");
  PQsetErrorVerbosity(handle.get(), PQERRORS_SQLSTATE);
  PQsetNoticeProcessor(handle.get(), [](void*, const char*) {}, nullptr);  // not to stderr
  PostgresPollingStatusType status =
      PQstatus(handle.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  ConnStatusType reached = CONNECTION_STARTED;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED) co_return refused(handle.get(), reached, target);
    reached = PQstatus(handle.get());
    ATHENA_CO_TRY_VOID(co_await wait_for(loop, PQsocket(handle.get()), status == PGRES_POLLING_READING, deadline));
    status = PQconnectPoll(handle.get());
  }
  auto connection = std::make_unique<Connection>(loop.executor(), std::move(handle));
  if (!connection->wire().is_open() || !connection->cancel_key()) {
    co_return own_fault("The database could not be reached", "memory", "no descriptor or memory left");
  }
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(loop.executor(), deadline);
  const auto preparing =
      std::make_shared<bool>(true);  // the timer may have expired, and not have run yet, when it ends
  timer.async_wait([wire = &connection->wire(), preparing](boost::system::error_code error) {
    if (!error && *preparing) wire->interrupt();
  });
  const auto prepared = co_await connection->prepare_session(true);
  *preparing = false;
  if (!prepared && prepared.error().code == Code::cancelled) {
    co_return failed(Code::connection_error, "The database did not answer in time", "session settings");
  }
  if (!prepared) co_return fail(std::move(prepared).error());
  co_return connection;
}

bool is_permanent(const Error& error) noexcept {
  return std::ranges::any_of(error.fields, [](const auto& field) {
    return (field.first == "sql_state" && (field.second.starts_with("28") || field.second == "3D000")) ||
           (field.first == kOwnFault && field.second == kNoPassword);
  });
}

bool blames_host(const Error& error) noexcept {
  return std::ranges::none_of(error.fields,
                              [](const auto& field) { return field.first == "sql_state" || field.first == kOwnFault; });
}

void forget_libpq_environment() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (const char* name : kLibpqVariables) {
      if (std::getenv(name)) ::unsetenv(name);
    }
  });
}

}  // namespace athena::driver::postgres
