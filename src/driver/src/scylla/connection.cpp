#include "scylla/connection.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "scylla/errors.h"

namespace athena::driver::scylla {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kKeptBytes = 128 * 1024;
constexpr std::uint8_t kLowestVersion = 4;
/// Answers to the beginning that will be the same in a second.
constexpr std::int32_t kPermanent[] = {kBadCredentials, 0x2200, 0x2100};

Error lost(std::string detail) {
  return Error(Code::connection_error, "The connection to the database was lost").logged(std::move(detail));
}

std::unexpected<Error> refused(std::string text, std::string detail, std::int32_t number = 0) {
  Error error = Error(Code::connection_error, std::move(text)).logged(std::move(detail));
  if (number != 0) error.fields.emplace_back("cql_error", cql_error_text(number));
  return fail(std::move(error));
}

/// The server's ERROR to a step of the beginning.
std::unexpected<Error> refused_by_server(const Exchange& answer) {
  const auto error = read_error(answer.body.view());
  if (!error) return fail(lost("malformed error"));
  if (error->code == kBadCredentials) {
    return refused("The database refused the credentials of this client", error->message, error->code);
  }
  if (error->code == 0x2200 || error->code == 0x2100) {
    return refused("The keyspace of this client does not exist, or may not be used", error->message, error->code);
  }
  return refused("The database refused the connection", error->message, error->code);
}

NodeOptions read_node_options(std::string_view body) {
  NodeOptions node;
  MessageReader reader(body);
  const auto options = reader.string_multimap();
  const auto number = [&options](std::string_view name, std::uint32_t most) -> std::uint32_t {
    const auto found = std::ranges::find(options, name, &std::pair<std::string, std::vector<std::string>>::first);
    if (found == options.end() || found->second.empty()) return 0;
    const std::string& digits = found->second.front();
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value <= most ? value : 0;
  };
  const auto is = [&options](std::string_view name, std::string_view value) {
    return std::ranges::any_of(options, [&](const auto& option) {
      return option.first == name && std::ranges::find(option.second, value) != option.second.end();
    });
  };
  node.lz4 = is("COMPRESSION", "lz4");
  if (is("SCYLLA_SHARDING_ALGORITHM", "biased-token-round-robin")) {
    node.sharding = {number("SCYLLA_NR_SHARDS", 4'096), number("SCYLLA_SHARDING_IGNORE_MSB", 63)};
    node.shard = number("SCYLLA_SHARD", 4'095);
    node.shard_port = static_cast<std::uint16_t>(number("SCYLLA_SHARD_AWARE_PORT", 65'535));
    node.shard_port_tls = static_cast<std::uint16_t>(number("SCYLLA_SHARD_AWARE_PORT_SSL", 65'535));
  }
  return node;
}

std::string use_statement(std::string_view keyspace) {
  std::string cql = "USE \"";
  for (const char c : keyspace) cql.append(c == '"' ? 2 : 1, c);
  return cql + '"';
}

}  // namespace

void Exchange::finish(std::optional<Error> why) {
  finished = true;
  if (!error) error = std::move(why);
  connection_ = nullptr;
  if (notify) std::exchange(notify, nullptr)->set();
}

void Exchange::abandon() noexcept {
  if (finished || !notify) return;
  notify = nullptr;
  ++connection_->orphans_;
}

ExchangePtr ExchangePool::take() {
  std::unique_ptr<Exchange> exchange;
  if (free_.empty()) {
    exchange = std::make_unique<Exchange>();
  } else {
    exchange = std::move(free_.back());
    free_.pop_back();
  }
  exchange->pool_ = shared_from_this();
  return ExchangePtr(exchange.release());
}

void intrusive_ptr_release(Exchange* exchange) noexcept {
  if (--exchange->references_ > 0) return;
  std::unique_ptr<Exchange> owned(exchange);
  const auto pool = std::move(owned->pool_);
  if (pool->free_.size() >= ExchangePool::kKept) return;
  owned->body.recycle(ExchangePool::kKeptBytes);
  owned->error.reset();
  owned->finished = owned->was_sent = false;
  pool->free_.push_back(std::move(owned));
}

Connection::Connection(Loop& loop, std::shared_ptr<ExchangePool> pool, std::unique_ptr<Wire> wire, std::uint8_t version)
    : loop_(loop),
      pool_(std::move(pool)),
      wire_(std::move(wire)),
      version_(version),
      streams_(kMaxInFlight),
      free_(kMaxInFlight),
      last_received_(Clock::now()),
      last_used_(last_received_) {
  for (std::size_t i = 0; i < kMaxInFlight; ++i) free_.push_back(static_cast<std::uint16_t>(i));
}

Connection::~Connection() = default;

Async<std::shared_ptr<Connection>> Connection::open(Loop& loop, std::shared_ptr<ExchangePool> pool,
                                                    ConnectOptions options, TimePoint deadline) {
  for (std::uint8_t version = options.version;; --version) {
    ATHENA_CO_TRY(auto wire, co_await dial(loop, options.destination, deadline));
    const auto connection = std::make_shared<Connection>(loop, pool, std::move(wire), version);
    asio::co_spawn(
        loop.executor(), [](std::shared_ptr<Connection> self) -> Task<> { co_await self->read(); }(connection),
        asio::detached);
    const Loop::Handle ticks = loop.watch([&connection](TimePoint now) { connection->tick(now); });
    auto begun = co_await connection->begin(options, deadline);
    if (begun) co_return connection;
    connection->close();
    const bool is_lower_worth_a_try = is_wrong_version(begun.error()) && version > kLowestVersion;
    if (!is_lower_worth_a_try) co_return fail(std::move(begun).error());
  }
}

Async<> Connection::begin(const ConnectOptions& options, TimePoint deadline) {
  auto greeted = co_await ask_at_start(OptionsQuestion{}, deadline);
  if (!greeted) {
    Error error = std::move(greeted).error();
    const bool may_want_tls = !heard_ && options.destination.tls == Destination::Tls::none;
    if (may_want_tls) error.hint = "If the database wants TLS, say so: tls=verify-full";
    co_return fail(std::move(error));
  }
  ExchangePtr answer = *std::move(greeted);
  if (answer->opcode == Opcode::error) co_return refused_by_server(*answer);
  if (answer->opcode != Opcode::supported) co_return fail(lost("no answer to OPTIONS"));
  node_ = read_node_options(answer->body.view());
  lz4_ = options.compress && node_.lz4;
  if (lz4_ && version_ < 5) in_.expect_lz4_bodies();
  ATHENA_CO_TRY(answer, co_await ask_at_start(Startup{lz4_}, deadline));
  if (answer->opcode == Opcode::error) co_return refused_by_server(*answer);
  if (answer->opcode == Opcode::authenticate) {
    ATHENA_CO_TRY_VOID(co_await authenticate(options, deadline));
  } else if (answer->opcode != Opcode::ready) {
    co_return fail(lost("no answer to STARTUP"));
  }
  if (options.keyspace.empty()) co_return Result<>();
  const std::string use = use_statement(options.keyspace);
  ATHENA_CO_TRY(answer, co_await ask_at_start(QueryQuestion{use, {}}, deadline));
  if (answer->opcode == Opcode::error) co_return refused_by_server(*answer);
  co_return Result<>();
}

/// SASL PLAIN, which all password authenticators of CQL take.
Async<> Connection::authenticate(const ConnectOptions& options, TimePoint deadline) {
  std::string password;
  if (options.secret) {
    ATHENA_CO_TRY(password, options.secret());
  }
  if (options.user.empty()) {
    co_return refused("The database wants a user and a password, and this client has none", "authentication required",
                      kBadCredentials);
  }
  std::string token;
  token.append(1, '\0').append(options.user).append(1, '\0').append(password);
  ATHENA_CO_TRY(const ExchangePtr answer, co_await ask_at_start(AuthAnswer{token}, deadline));
  if (answer->opcode == Opcode::error) co_return refused_by_server(*answer);
  if (answer->opcode == Opcode::auth_success) co_return Result<>();
  co_return refused("The database asks for an authentication that is not supported", "AUTH_CHALLENGE", kBadCredentials);
}

template <class Asked>
ExchangePtr Connection::enqueue(const Asked& question, TimePoint deadline, athena::Event& notify) {
  ExchangePtr exchange = pool_->take();
  exchange->notify = &notify;
  exchange->deadline = deadline;
  exchange->connection_ = this;
  if (closed_ || free_.empty()) {
    exchange->finish(lost("closed"));
    return exchange;
  }
  const std::uint16_t stream = free_.front();
  free_.pop_front();
  const std::size_t begin = asked_.size();
  MessageWriter(asked_, version_).write(static_cast<std::int16_t>(stream), question);
  if (lz4_ && started_ && version_ < 5) compress_body(asked_, begin);
  streams_[stream] = exchange;
  unsent_.push_back(exchange);
  schedule_flush();
  return exchange;
}

ExchangePtr Connection::send(const Question& question, TimePoint deadline, athena::Event& notify) {
  return std::visit([&](const auto& asked) { return enqueue(asked, deadline, notify); }, question);
}

Async<ExchangePtr> Connection::ask(Question question, TimePoint deadline) {
  athena::Event answered;
  co_return co_await wait_for(send(question, deadline, answered), answered);
}

Async<ExchangePtr> Connection::ask_at_start(std::variant<OptionsQuestion, Startup, AuthAnswer, QueryQuestion> question,
                                            TimePoint deadline) {
  athena::Event answered;
  ExchangePtr exchange = std::visit([&](const auto& asked) { return enqueue(asked, deadline, answered); }, question);
  co_return co_await wait_for(std::move(exchange), answered);
}

Async<ExchangePtr> Connection::wait_for(ExchangePtr exchange, athena::Event& answered) {
  const auto self = shared_from_this();
  co_await answered.wait();
  if (exchange->error) co_return fail(std::move(*exchange->error));
  co_return exchange;
}

void Connection::schedule_flush() {
  if (std::exchange(flush_scheduled_, true)) return;
  // Behind everything that is ready to run in this turn of the loop: it may ask more.
  asio::post(loop_.executor(), [self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void Connection::flush() {
  if (closed_) return;
  if (framed_) {
    append_frames(out_, asked_.view(), lz4_);
  } else {
    out_.append(asked_.view());
  }
  asked_.recycle(kKeptBytes);
  const TimePoint now = Clock::now();
  last_used_ = now;
  for (const ExchangePtr& exchange : unsent_) {
    exchange->was_sent = true;
    exchange->sent_at = now;
  }
  unsent_.clear();
  if (!writing_) write();
}

void Connection::write() {
  while (!out_.empty()) {
    const Result<std::size_t> put = wire_->try_write(out_.view());
    if (!put) return lose(put.error());
    if (*put == 0) break;
    out_.drop_front(*put);
  }
  if (out_.empty()) return out_.recycle(kKeptBytes);
  writing_ = true;
  asio::co_spawn(
      loop_.executor(),
      [](std::shared_ptr<Connection> self) -> Task<> { co_await self->finish_writing(); }(shared_from_this()),
      asio::detached);
}

Task<> Connection::finish_writing() {
  const Result<> writable = co_await wire_->wait_writable();
  writing_ = false;
  if (closed_) co_return;
  if (!writable) co_return lose(writable.error());
  write();
}

Task<> Connection::read() {
  while (!closed_) {
    const auto got = co_await wire_->read_some(in_.grab(kReadBytes), kReadBytes);
    if (closed_) co_return;
    if (!got) co_return lose(got.error());
    in_.commit(*got);
    last_received_ = Clock::now();
    heard_ = true;
    if (!process()) co_return;
  }
}

/// Everything that is whole. False: the connection is closed.
bool Connection::process() {
  for (;;) {
    const EnvelopeReader::Next next = in_.next();
    switch (next.state) {
      case EnvelopeReader::Next::State::incomplete:
        return true;
      case EnvelopeReader::Next::State::broken:
        lose(lost(next.why));
        return false;
      case EnvelopeReader::Next::State::too_long: {
        const auto stream = static_cast<std::size_t>(next.envelope.stream);
        if (next.envelope.stream < 0 || stream >= streams_.size() || !streams_[stream]) {
          lose(lost("an answer that is too long, to nothing"));
          return false;
        }
        const ExchangePtr exchange = streams_[stream];
        free_stream(stream);
        exchange->finish(Error(Code::result_too_large, "A page of the answer is too large",
                               "Ask for fewer columns or smaller rows"));
        break;
      }
      case EnvelopeReader::Next::State::complete:
        if (!handle(next.envelope)) {
          lose(lost("unexpected message"));
          return false;
        }
        break;
    }
    if (closed_) return false;
  }
}

bool Connection::handle(const EnvelopeView& envelope) {
  if (envelope.stream == kEventStream) {
    if (envelope.opcode != Opcode::event) return false;
    const auto event = read_event(envelope.body);
    if (event && owner_) owner_->server_event(*this, *event);
    return event.has_value();
  }
  const auto stream = static_cast<std::size_t>(envelope.stream);
  if (envelope.stream < 0 || stream >= streams_.size() || !streams_[stream]) return false;
  const ExchangePtr exchange = streams_[stream];
  if (!exchange->was_sent) return false;
  exchange->opcode = envelope.opcode;
  exchange->flags = envelope.flags;
  if (exchange->notify) exchange->body.append(envelope.body);
  free_stream(stream);
  const bool begins = !started_ && (envelope.opcode == Opcode::ready || envelope.opcode == Opcode::authenticate);
  if (begins) {
    started_ = true;
    framed_ = version_ >= 5;
    if (framed_) in_.expect_frames(lz4_);
  }
  exchange->finish();
  return true;
}

void Connection::free_stream(std::size_t stream) {
  const ExchangePtr exchange = std::move(streams_[stream]);
  streams_[stream] = nullptr;
  if (!exchange->notify) --orphans_;
  free_.push_back(static_cast<std::uint16_t>(stream));
}

void Connection::tick(TimePoint now) {
  if (closed_) return;
  const auto self = shared_from_this();
  if (in_flight() > 0) {
    std::vector<ExchangePtr> late;  // ending one may change the table
    for (const ExchangePtr& exchange : streams_) {
      if (exchange && exchange->notify && exchange->deadline <= now) late.push_back(exchange);
    }
    for (const ExchangePtr& exchange : late) {
      if (exchange->finished || !exchange->notify) continue;
      athena::Event* notify = exchange->notify;
      exchange->error = Error(Code::statement_timeout, "The database did not answer in time");
      exchange->abandon();
      notify->set();
    }
  }
  if (orphans_ > kMaxOrphans) retire();
  if (retiring_ && in_flight() == 0) return close();
  probe(now);
}

void Connection::probe(TimePoint now) {
  if (!started_) return;
  if (probe_ && probe_->finished) probe_ = nullptr;
  if (probe_) {
    if (probe_->error || now - probe_->sent_at > kProbePatience) {
      // Bytes that came since then are a sign of life, too.
      if (now - last_received_ > kProbePatience) return lose(lost("no answer to a probe"));
    }
    return;
  }
  const Duration quiet = now - last_received_;
  const bool is_due = quiet > kQuietTime || (quiet > kQuietTimeWithRequests && owed() > 0);
  if (!is_due || free_.empty()) return;
  probe_answered_.reset();
  probe_ = enqueue(OptionsQuestion{}, TimePoint::max(), probe_answered_);
  probe_->sent_at = now;
}

void Connection::close() {
  retiring_ = true;
  lose(lost("closed"));
}

void Connection::lose(Error why) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  wire_->close();
  const auto streams = std::exchange(streams_, {});
  free_.clear();
  unsent_.clear();
  orphans_ = 0;
  if (owner_) owner_->connection_closed(*this, why);
  for (const ExchangePtr& exchange : streams) {
    if (exchange) exchange->finish(why);
  }
}

bool is_wrong_version(const Error& error) noexcept {
  return has_cql_error(error, kProtocolError);
}

bool is_permanent(const Error& error) noexcept {
  return error.code == Code::configuration_error ||
         std::ranges::any_of(kPermanent, [&error](std::int32_t number) { return has_cql_error(error, number); }) ||
         std::ranges::any_of(error.fields, [](const auto& field) { return field.first == kTlsFault; });
}

}  // namespace athena::driver::scylla
