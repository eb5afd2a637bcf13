#include "scylla/connection.h"

#include <deque>

#include <gmock/gmock.h>

#include "backend_fixture.h"
#include "scylla/scripted_peer.h"

namespace athena::driver::scylla {
namespace {

using namespace std::literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using Then = PeerReply::Then;
using Handled = std::optional<PeerReply>;

/// Answers QUERY as the function says, and everything else as a healthy node.
ScriptedPeer::Handler on_query(std::function<Handled(const PeerRequest&)> answer) {
  return [answer = std::move(answer)](const PeerRequest& request) {
    const bool is_ours = request.opcode == Opcode::query && !request.cql.starts_with("USE ");
    return is_ours ? answer(request) : std::nullopt;
  };
}
PeerReply silence() {
  return {};
}

class ConnectionTest : public BackendFixture, protected Connection::Owner {
 protected:
  ~ConnectionTest() override {
    if (connection_) connection_->close();
    ticks_ = {};
    loop_.context().poll();
  }
  Result<std::shared_ptr<Connection>> try_open(milliseconds patience = seconds(10)) {
    options_.destination.address = "127.0.0.1";
    options_.destination.port = peer_.port();
    return wait_for(Connection::open(loop_, pool_, options_, Clock::now() + patience));
  }
  void open() {
    auto opened = try_open();
    ASSERT_TRUE(opened) << why(opened);
    connection_ = *opened;
    connection_->set_owner(this);
    ticks_ = loop_.watch([this](TimePoint now) { connection_->tick(now); });
  }
  void connection_closed(Connection&, const Error& why) override { closed_.push_back(why.log_detail); }
  void server_event(Connection&, const ServerEvent& event) override { events_.push_back(event.change); }

  struct Sent {
    athena::Event answered;
    ExchangePtr exchange;
    bool ended() const { return exchange->finished || exchange->error; }
    /// The body, or the error.
    std::string outcome() const {
      if (!exchange->error) return std::string(exchange->body.view());
      return std::string(exchange->error->row().wire_code) + ": " + exchange->error->log_detail;
    }
  };
  Sent& send(std::string_view cql, milliseconds patience = seconds(10)) {
    Sent& sent = sent_.emplace_back();
    sent.exchange = connection_->send(QueryQuestion{cql, {}}, Clock::now() + patience, sent.answered);
    return sent;
  }
  void run_until(const std::function<bool()>& is_so) {
    const TimePoint end = Clock::now() + seconds(20);
    while (!is_so() && Clock::now() < end) loop_.context().run_one_for(milliseconds(100));
    ASSERT_TRUE(is_so());
  }
  std::vector<std::string> outcomes() {
    run_until([this] { return std::ranges::all_of(sent_, &Sent::ended); });
    std::vector<std::string> all;
    for (const Sent& sent : sent_) all.push_back(sent.outcome());
    return all;
  }

  ScriptedPeer peer_;
  ConnectOptions options_;
  std::shared_ptr<ExchangePool> pool_ = std::make_shared<ExchangePool>();
  std::shared_ptr<Connection> connection_;
  Loop::Handle ticks_;
  std::deque<Sent> sent_;
  std::vector<std::string> closed_, events_;
};

TEST_F(ConnectionTest, speaks_version_5_where_the_server_does) {
  open();
  EXPECT_EQ(connection_->version(), 5);
  send("SELECT 1");
  EXPECT_THAT(outcomes(), ElementsAre(ScriptedPeer::one_row().body()));
}

TEST_F(ConnectionTest, goes_down_to_version_4_once_where_5_is_refused) {
  peer_.handle([](const PeerRequest& request) -> Handled {
    if (request.version < 5) return std::nullopt;
    ServerEnvelope refusal = request.error(0x0A, "Invalid or unsupported protocol version (5)");
    refusal.version = 4;
    return PeerReply{{refusal}};
  });
  open();
  EXPECT_EQ(connection_->version(), 4);
  EXPECT_EQ(peer_.connections(), 2U);
  send("SELECT 1");
  EXPECT_THAT(outcomes(), ElementsAre(ScriptedPeer::one_row().body()));
}

TEST_F(ConnectionTest, a_server_that_refuses_every_version_is_not_asked_without_end) {
  peer_.handle([](const PeerRequest& request) { return PeerReply{{request.error(0x0A)}}; });
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::connection_error);
  EXPECT_EQ(peer_.connections(), 2U);
}

TEST_F(ConnectionTest, compresses_in_both_versions) {
  options_.compress = true;
  const std::string name(3'000, 'n');
  for (const std::uint8_t version : {std::uint8_t{5}, std::uint8_t{4}}) {
    options_.version = version;
    peer_.handle(on_query([&](const PeerRequest& request) -> Handled {
      ServerRows rows = ScriptedPeer::one_row();
      rows.rows[0][1] = name;
      if (request.version >= 5) return PeerReply{{request.rows(rows)}};
      Buffer out;
      out.append(request.rows(rows).bytes());
      compress_body(out, 0);
      return PeerReply{.raw = std::string(out.view())};
    }));
    open();
    EXPECT_TRUE(connection_->node().lz4);
    sent_.clear();
    send("SELECT 1");
    EXPECT_THAT(outcomes(), ElementsAre(HasSubstr(name)));
    connection_->close();
  }
}

TEST_F(ConnectionTest, a_password_is_given_when_it_is_asked_for) {
  ScriptedPeer locked({.password = "s3cret"});
  options_.destination.address = "127.0.0.1";
  options_.destination.port = locked.port();
  const auto opened_with = [&](std::string user, std::string password) {
    options_.user = std::move(user);
    options_.secret = [password = std::move(password)] { return Result<std::string>(password); };
    auto opened = wait_for(Connection::open(loop_, pool_, options_, Clock::now() + seconds(10)));
    if (opened) (*opened)->close();
    return opened ? std::string("open") : opened.error().error + (is_permanent(opened.error()) ? " (permanent)" : "");
  };
  EXPECT_EQ(opened_with("athena", "s3cret"), "open");
  EXPECT_EQ(opened_with("athena", "wrong"), "The database refused the credentials of this client (permanent)");
  EXPECT_EQ(opened_with("", ""), "The database wants a user and a password, and this client has none (permanent)");
}

TEST_F(ConnectionTest, what_goes_wrong_in_the_beginning_ends_it) {
  const std::pair<Opcode, std::function<Handled(const PeerRequest&)>> steps[] = {
      {Opcode::options, [](const PeerRequest& r) -> Handled { return PeerReply{{r.error(0)}}; }},
      {Opcode::options, [](const PeerRequest& r) -> Handled { return PeerReply{{r.rows({})}}; }},
      {Opcode::startup, [](const PeerRequest& r) -> Handled { return PeerReply{{r.error(0x1002)}}; }},
      {Opcode::startup, [](const PeerRequest& r) -> Handled { return PeerReply{{r.answer(Opcode::error, "x")}}; }},
      {Opcode::startup, [](const PeerRequest& r) -> Handled { return PeerReply{{r.rows({})}}; }},
      {Opcode::startup, [](const PeerRequest&) -> Handled { return PeerReply{.then = Then::close}; }},
      {Opcode::startup, [](const PeerRequest&) -> Handled { return PeerReply{.then = Then::reset}; }},
      {Opcode::startup, [](const PeerRequest&) -> Handled { return PeerReply{.raw = "HTTP/1.1 400 Bad Request\r\n"}; }},
  };
  for (const auto& [opcode, step] : steps) {
    peer_.handle([&](const PeerRequest& r) { return r.opcode == opcode ? step(r) : std::nullopt; });
    const auto opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::connection_error);
    EXPECT_FALSE(is_permanent(opened.error()));
  }
}

TEST_F(ConnectionTest, a_server_that_takes_the_connection_and_says_nothing_costs_no_more_than_the_deadline) {
  peer_.handle([](const PeerRequest&) { return silence(); });
  const TimePoint begin = Clock::now();
  const auto opened = try_open(milliseconds(100));
  ASSERT_FALSE(opened);
  EXPECT_GE(Clock::now() - begin, milliseconds(100));
  EXPECT_LT(Clock::now() - begin, seconds(3));
  EXPECT_TRUE(peer_.wait_for_open(0)) << "the connection is closed";
}

TEST_F(ConnectionTest, a_keyspace_that_is_not_there_is_a_permanent_error) {
  options_.keyspace = "no\"pe";
  peer_.handle([](const PeerRequest& request) -> Handled {
    if (!request.cql.starts_with("USE ")) return std::nullopt;
    return PeerReply{{request.error(0x2200, "Keyspace 'nope' does not exist")}};
  });
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_TRUE(is_permanent(opened.error()));
  EXPECT_EQ(peer_.requests().back().cql, "USE \"no\"\"pe\"");
}

TEST_F(ConnectionTest, answers_may_come_in_any_order) {
  std::vector<PeerRequest> held;
  peer_.handle(on_query([&](const PeerRequest& request) -> Handled {
    held.push_back(request);
    if (held.size() < 3) return silence();
    PeerReply reply;
    for (const std::size_t i : {2U, 0U, 1U}) reply.envelopes.push_back(held[i].answer(Opcode::result, held[i].cql));
    return reply;
  }));
  open();
  send("a"), send("b"), send("c");
  EXPECT_THAT(outcomes(), ElementsAre("a", "b", "c"));
}

TEST_F(ConnectionTest, an_answer_to_nothing_ends_the_connection) {
  for (const std::int16_t stream : {std::int16_t{900}, std::int16_t{32'767}, std::int16_t{-2}}) {
    sent_.clear(), closed_.clear();
    peer_.handle(on_query([stream](const PeerRequest& request) -> Handled {
      ServerEnvelope stray = request.rows(ScriptedPeer::one_row());
      stray.stream = stream;
      return PeerReply{{stray}};
    }));
    open();
    send("a"), send("b");
    EXPECT_THAT(outcomes(), testing::Each("connection_error: unexpected message")) << stream;
    EXPECT_THAT(closed_, ElementsAre("unexpected message"));
    EXPECT_TRUE(connection_->is_closed());
  }
}

TEST_F(ConnectionTest, an_answer_that_comes_twice_meets_no_other_request) {
  peer_.handle(on_query([](const PeerRequest& request) -> Handled {
    if (request.cql != "first") return silence();
    const ServerEnvelope answer = request.answer(Opcode::result, "first");
    return PeerReply{{answer, answer}};
  }));
  open();
  Sent& first = send("first");
  run_until([&] { return first.ended(); });
  EXPECT_EQ(first.outcome(), "first");
  send("second");
  EXPECT_THAT(outcomes(), ElementsAre("first", "connection_error: closed")) << "the connection is gone, not confused";
}

TEST_F(ConnectionTest, what_ends_in_the_middle_of_an_answer_is_lost) {
  for (const Then then : {Then::close, Then::reset}) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{12}, std::size_t{40}}) {
      sent_.clear();
      peer_.handle(on_query([=](const PeerRequest& request) -> Handled {
        const std::string frame = server_frame(request.rows(ScriptedPeer::one_row()).bytes(), true);
        return PeerReply{.raw = frame.substr(0, bytes), .then = then};
      }));
      open();
      send("a");
      EXPECT_THAT(outcomes(), ElementsAre(HasSubstr("connection_error")));
      EXPECT_TRUE(connection_->is_closed());
    }
  }
}

TEST_F(ConnectionTest, what_does_not_check_or_lies_about_its_length_ends_the_connection) {
  const std::function<std::string(const PeerRequest&)> lies[] = {
      [](const PeerRequest& r) {
        std::string frame = server_frame(r.rows(ScriptedPeer::one_row()).bytes(), true);
        frame.back() = static_cast<char>(frame.back() ^ 1);
        return frame;
      },
      [](const PeerRequest& r) {
        std::string envelope = r.rows(ScriptedPeer::one_row()).bytes();
        envelope[8] = static_cast<char>(envelope[8] + 1);  // a byte more than comes
        return server_frame(envelope, true);
      },
      [](const PeerRequest& r) {
        std::string envelope = r.rows(ScriptedPeer::one_row()).bytes();
        envelope[8] = static_cast<char>(envelope[8] - 1);  // a byte less
        return server_frame(envelope, true);
      },
  };
  for (const auto& lie : lies) {
    sent_.clear();
    peer_.handle(on_query([lie](const PeerRequest& r) -> Handled { return PeerReply{.raw = lie(r)}; }));
    open();
    send("a"), send("b");
    outcomes();
    EXPECT_TRUE(sent_[1].exchange->error);
    EXPECT_TRUE(connection_->is_closed());
  }
}

TEST_F(ConnectionTest, a_page_that_is_too_long_fails_its_request_and_no_other) {
  options_.version = 4;
  peer_.handle(on_query([](const PeerRequest& request) -> Handled {
    if (request.cql != "long") return std::nullopt;
    return PeerReply{{request.answer(Opcode::result, std::string(kMaxBodyBytes + 1, 'x'))}};
  }));
  open();
  send("long"), send("SELECT 1");
  EXPECT_THAT(outcomes(), ElementsAre("result_too_large: ", ScriptedPeer::one_row().body()));
  EXPECT_FALSE(connection_->is_closed());
  EXPECT_EQ(connection_->in_flight(), 0U);
}

TEST_F(ConnectionTest, a_stalled_request_ends_at_its_deadline_and_keeps_its_stream_until_the_answer) {
  std::optional<PeerRequest> held;
  peer_.handle(on_query([&](const PeerRequest& request) -> Handled {
    if (request.cql == "stall") {
      held = request;
      return silence();
    }
    if (request.cql != "release") return std::nullopt;
    return PeerReply{{held->answer(Opcode::result, "late"), request.answer(Opcode::result, "released")}};
  }));
  open();
  const TimePoint begin = Clock::now();
  send("stall", milliseconds(50));
  EXPECT_THAT(outcomes(), ElementsAre("statement_timeout: "));
  EXPECT_GE(Clock::now() - begin, milliseconds(50));
  EXPECT_LT(Clock::now() - begin, seconds(2));
  EXPECT_EQ(connection_->in_flight(), 0U) << "nobody waits for it";
  EXPECT_EQ(connection_->owed(), 1U) << "but the node has it still to do";
  // Every other stream is used once, and the one that is taken never.
  for (std::size_t i = 0; i < Connection::kMaxInFlight + 5; ++i) {
    Sent& next = send("SELECT 1");
    run_until([&] { return next.ended(); });
    ASSERT_EQ(next.outcome(), ScriptedPeer::one_row().body());
  }
  for (const PeerRequest& request : peer_.requests()) {
    if (request.cql == "SELECT 1") ASSERT_NE(request.stream, held->stream);
  }
  Sent& release = send("release");
  run_until([&] { return release.ended(); });
  EXPECT_EQ(release.outcome(), "released") << "the late answer hit nobody";
}

TEST_F(ConnectionTest, streams_that_nobody_waits_for_have_a_bound) {
  peer_.handle(on_query([](const PeerRequest&) -> Handled { return silence(); }));
  open();
  for (std::size_t i = 0; i <= Connection::kMaxOrphans; ++i) send("stall", milliseconds(20));
  EXPECT_THAT(outcomes(), testing::Each("statement_timeout: "));
  run_until([this] { return connection_->is_closed(); });
  EXPECT_TRUE(peer_.wait_for_open(0));
}

TEST_F(ConnectionTest, takes_no_more_than_there_are_streams) {
  peer_.handle(on_query([](const PeerRequest&) -> Handled { return silence(); }));
  open();
  for (std::size_t i = 0; i < Connection::kMaxInFlight; ++i) {
    ASSERT_TRUE(connection_->accepts()) << i;
    send("stall");
  }
  EXPECT_FALSE(connection_->accepts());
  EXPECT_EQ(connection_->in_flight(), Connection::kMaxInFlight);
  connection_->close();
  EXPECT_THAT(outcomes(), testing::Each("connection_error: closed"));
}

TEST_F(ConnectionTest, events_are_told_and_what_is_none_ends_the_connection) {
  open();
  athena::Event registered;
  const ExchangePtr exchange = connection_->send(RegisterEvents{}, Clock::now() + seconds(10), registered);
  run_until([&] { return exchange->finished; });
  const auto event = [](std::string body) {
    return ServerEnvelope{.version = 5, .stream = -1, .opcode = Opcode::event, .body = std::move(body)};
  };
  peer_.tell(event(ServerBytes().string("STATUS_CHANGE").string("DOWN").u8(4).raw("\x7f\0\0\1"s).i32(9'042)));
  peer_.tell(event(ServerBytes().string("SOMETHING_NEW").string("HAPPENED")));
  run_until([&] { return events_.size() == 2; });
  EXPECT_THAT(events_, ElementsAre("DOWN", "HAPPENED"));
  peer_.tell(event("\0\5x"s));
  run_until([&] { return connection_->is_closed(); });
  EXPECT_THAT(closed_, SizeIs(1));
}

}  // namespace
}  // namespace athena::driver::scylla
