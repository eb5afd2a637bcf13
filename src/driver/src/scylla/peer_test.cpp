#include <atomic>
#include <deque>

#include <gmock/gmock.h>

#include <athena/driver/health.h>

#include "backend_fixture.h"
#include "scylla/backend.h"
#include "scylla/scripted_peer.h"
#include "scylla/token.h"

/// The whole backend against nodes that lie, fail and stall.
namespace athena::driver::scylla {
namespace {

using namespace std::literals;
using testing::Contains;
using testing::ElementsAre;
using testing::SizeIs;
using Then = PeerReply::Then;
using Handled = std::optional<PeerReply>;

ScriptedPeer::Handler on(Opcode opcode, std::function<Handled(const PeerRequest&)> answer) {
  return [=](const PeerRequest& request) -> Handled {
    const bool is_ours = request.opcode == opcode && request.cql.find(" FROM system") == std::string::npos &&
                         !request.cql.starts_with("USE ");
    return is_ours ? answer(request) : std::nullopt;
  };
}
PeerReply silence() {
  return {};
}
PeerReply unprepared(const PeerRequest& request) {
  return {{request.error(0x2500, "unknown statement", ServerBytes().string(request.cql).text())}};
}
std::string read_timeout(bool enough) {
  return ServerBytes().u16(6).i32(enough ? 2 : 1).i32(2).u8(0);
}

query::Select one() {
  return by_key("t", "id", number("1"));
}
query::Insert insert_one() {
  query::Insert insert;
  insert.into.name = "t";
  insert.rows = {{{"id", number("1")}, {"name", std::string("one")}}};
  return insert;
}

class Cql : public BackendFixture {
 protected:
  Cql() {
    target_.kind = "scylla";
    target_.host = "127.0.0.1";
    target_.port = peer_.port();
    target_.database = "ks";
    open();
  }
  ~Cql() override { close(); }
  void open(std::shared_ptr<HostHealth> health = nullptr) {
    shared_ = share(target_);
    backend_ = scylla::open(target_, shared_, {loop_, details_, std::move(health)});
  }
  /// A cluster of two: the second is found through the first.
  void open_two() {
    peer_.set_peers({"127.0.0.1:" + std::to_string(second_.port())});
    second_.set_peers({"127.0.0.1:" + std::to_string(peer_.port())});
    ASSERT_TRUE(query(one()));
    run_until([this] { return second_.connections() > 0 && backend_->health().connections == 2; });
  }
  void run_until(const std::function<bool()>& is_so) {
    const TimePoint end = Clock::now() + seconds(20);
    while (!is_so() && Clock::now() < end) loop_.context().run_one_for(milliseconds(100));
    ASSERT_TRUE(is_so());
  }
  void run_ticks(int count) {
    const Loop::Handle counting = loop_.watch([&count](TimePoint) { --count; });
    while (count > 0) loop_.context().run_one();
  }
  std::string outcome(query::Statement statement, Call call = BackendFixture::call()) {
    return shown(query(std::move(statement), call));
  }
  static std::string shown(const Result<Answer>& answer) {
    if (!answer) return std::string(answer.error().row().wire_code);
    return answer->rows.empty() ? "no rows" : answer->rows[0].back();
  }
  /// Starts it; the outcome is there when the loop has run.
  std::optional<Result<Answer>>& start(query::Statement statement, Call call) {
    auto& result = started_.emplace_back();
    asio::co_spawn(loop_.executor(), store(execute_and_drain(*backend_, std::move(statement), call), result),
                   asio::detached);
    return result;
  }
  static Task<> store(Async<Answer> work, std::optional<Result<Answer>>& result) {
    Result<Answer> done = co_await std::move(work);
    result = std::move(done);
  }
  static std::size_t count(std::initializer_list<const ScriptedPeer*> peers, Opcode opcode) {
    std::size_t sum = 0;
    for (const ScriptedPeer* peer : peers) sum += peer->count(opcode);
    return sum;
  }

  struct Details final : Observer {
    void observe(const Event& event) noexcept override { all.emplace_back(event.kind, event.detail); }
    std::size_t count(Event::Kind kind) const {
      return static_cast<std::size_t>(std::ranges::count(all, kind, &std::pair<Event::Kind, std::string>::first));
    }
    std::vector<std::pair<Event::Kind, std::string>> all;
  };
  Details details_;
  ScriptedPeer peer_, second_;
  std::deque<std::optional<Result<Answer>>> started_;
};

TEST_F(Cql, reads_and_writes) {
  EXPECT_EQ(outcome(one()), "'one'");
  EXPECT_EQ(outcome(insert_one()), "'one'");
  EXPECT_EQ(outcome(one()), "'one'");
  EXPECT_EQ(peer_.count(Opcode::prepare), 2U);
  EXPECT_EQ(peer_.count(Opcode::execute), 3U);
}

TEST_F(Cql, a_template_is_printed_once_and_read_with_each_value) {
  const auto of = std::make_shared<query::SelectTemplate>();
  of->select = one();
  const auto recall = [&](std::string id) {
    return shown(wait_for(recall_and_drain(*backend_, {of, {number(id)}}, call())));
  };
  EXPECT_EQ(recall("1"), "'one'");
  EXPECT_EQ(recall("2"), "'one'");
  EXPECT_EQ(peer_.count(Opcode::prepare), 1U);
  EXPECT_EQ(peer_.count(Opcode::execute), 2U);
  EXPECT_NE(peer_.requests()[peer_.requests().size() - 2].body, peer_.requests().back().body);
  EXPECT_EQ(recall("no number"), "invalid_text_representation");
  // A node that forgot the statement, and one that knows it by another id by now.
  bool forgot = false;
  peer_.handle(on(Opcode::execute, [&](const PeerRequest& request) -> Handled {
    if (std::exchange(forgot, true)) return std::nullopt;
    return unprepared(request);
  }));
  EXPECT_EQ(recall("3"), "'one'");
}

TEST_F(Cql, the_same_in_version_4) {
  ScriptedPeer old({.highest_version = 4});
  target_.port = old.port();
  close();
  open();
  EXPECT_EQ(outcome(one()), "'one'");
  EXPECT_EQ(outcome(insert_one()), "'one'");
  EXPECT_THAT(old.requests(), Contains(testing::Field(&PeerRequest::opcode, Opcode::execute)));
}

// --- statements that a node forgot

TEST_F(Cql, a_forgotten_statement_is_prepared_again_once) {
  bool forgot = false;
  peer_.handle(on(Opcode::execute, [&](const PeerRequest& request) -> Handled {
    if (std::exchange(forgot, true)) return std::nullopt;
    return unprepared(request);
  }));
  EXPECT_EQ(outcome(one()), "'one'");
  EXPECT_EQ(peer_.count(Opcode::prepare), 2U);
  EXPECT_EQ(peer_.count(Opcode::execute), 2U);
  EXPECT_EQ(details_.count(Event::Kind::prepared_again), 1U);
}

TEST_F(Cql, a_node_that_keeps_forgetting_is_given_up) {
  peer_.handle(on(Opcode::execute, [](const PeerRequest& request) -> Handled { return unprepared(request); }));
  const auto answer = query(one());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error, "The database keeps forgetting the statement");
  EXPECT_EQ(peer_.count(Opcode::prepare), 2U);
  EXPECT_EQ(peer_.count(Opcode::execute), 2U);
}

/// As after an upgrade, when statements have other ids.
class Renaming : public Cql {
 protected:
  void rename(bool for_ever) {
    ASSERT_EQ(outcome(one()), "'one'");
    peer_.handle([this, for_ever](const PeerRequest& request) -> Handled {
      if (request.opcode == Opcode::prepare) {
        ServerPrepared statement = ScriptedPeer::prepared(request.cql);
        statement.id = "v2" + std::to_string(for_ever ? ++names_ : 0) + statement.id;
        return PeerReply{{request.answer(Opcode::result, statement.body(request.version))}};
      }
      if (request.opcode != Opcode::execute) return std::nullopt;
      if (for_ever || !request.cql.starts_with("v2")) return unprepared(request);
      return std::nullopt;
    });
  }
  int names_ = 0;
};

TEST_F(Renaming, a_statement_that_has_another_id_by_now_is_prepared_anew) {
  rename(false);
  EXPECT_EQ(outcome(one()), "'one'");
  const std::size_t prepared = peer_.count(Opcode::prepare);
  EXPECT_EQ(outcome(one()), "'one'");
  EXPECT_EQ(peer_.count(Opcode::prepare), prepared) << "from then on it is known by its new id";
}

TEST_F(Renaming, also_one_of_the_callers) {
  ASSERT_TRUE(sql("SELECT id, name FROM t WHERE id = ?", {number("1")}));
  rename(false);
  const auto answer = sql("SELECT id, name FROM t WHERE id = ?", {number("1")});
  EXPECT_TRUE(answer) << why(answer);
}

TEST_F(Renaming, ids_that_change_without_end_are_an_error) {
  rename(true);
  EXPECT_EQ(outcome(one()), "database_error");
  EXPECT_LE(peer_.count(Opcode::execute), 4U);
}

TEST_F(Cql, a_connection_lost_while_it_is_told_the_statement_again_costs_nothing) {
  int forgotten = 0;
  peer_.handle([&](const PeerRequest& request) -> Handled {
    if (request.opcode == Opcode::execute && forgotten == 0) {
      ++forgotten;
      return unprepared(request);
    }
    if (request.opcode == Opcode::prepare && forgotten == 1) {
      ++forgotten;
      return PeerReply{.then = Then::reset};
    }
    return std::nullopt;
  });
  EXPECT_EQ(outcome(insert_one()), "'one'") << "the write did not run: it may be sent, idempotent or not";
}

TEST_F(Cql, a_caller_may_go_while_a_statement_is_prepared_again) {
  Cancellation cancellation;
  bool forgot = false;
  peer_.handle([&](const PeerRequest& request) -> Handled {
    if (request.opcode == Opcode::execute && !forgot) {
      forgot = true;
      return unprepared(request);
    }
    if (request.opcode == Opcode::prepare && forgot) return silence();
    return std::nullopt;
  });
  Call cancellable = call();
  cancellable.cancellation = &cancellation;
  auto& result = start(one(), cancellable);
  run_until([&] { return peer_.count(Opcode::prepare) == 2; });
  cancellation.cancel(CancelReason::client_gone);
  run_until([&] { return result.has_value(); });
  EXPECT_EQ(shown(*result), "cancelled");
}

// --- trying again

TEST_F(Cql, an_overloaded_node_is_passed_over_by_reads) {
  open_two();
  std::atomic<int> executed = 0;
  const auto handler = on(Opcode::execute, [&](const PeerRequest& request) -> Handled {
    if (executed++ > 0) return std::nullopt;
    return PeerReply{{request.error(0x1001)}};
  });
  peer_.handle(handler);
  second_.handle(handler);
  EXPECT_EQ(outcome(one()), "'one'");
  EXPECT_EQ(executed, 2);
}

TEST_F(Cql, errors_that_may_pass_are_tried_elsewhere_only_for_what_may_be_done_twice) {
  open_two();
  const auto always = [this](std::int32_t code, std::string more) {
    const auto handler = on(Opcode::execute, [=](const PeerRequest& request) -> Handled {
      return PeerReply{{request.error(code, "scripted", more)}};
    });
    peer_.handle(handler);
    second_.handle(handler);
  };
  struct Case {
    std::int32_t code;
    std::string more;
    std::size_t reads, writes, repeatable_writes;  // how often each is executed
  };
  const Case cases[] = {
      {0x1001, "", 2, 1, 2},
      {0x1000, ServerBytes().u16(6).i32(2).i32(1), 2, 1, 2},
      {0x1200, read_timeout(true), 2, 1, 2},
      {0x1200, read_timeout(false), 1, 1, 1},
      {0x1100, ServerBytes().u16(6).i32(0).i32(1).string("BATCH_LOG"), 1, 1, 2},
      {0x1100, ServerBytes().u16(6).i32(0).i32(1).string("SIMPLE"), 1, 1, 1},
      {0x0000, "", 1, 1, 1},
      {0x2200, "", 1, 1, 1},
  };
  Call repeatable = call();
  repeatable.idempotent = true;
  for (const Case& c : cases) {
    always(c.code, c.more);
    const auto executed = [this](query::Statement statement, Call how) {
      const std::size_t before = count({&peer_, &second_}, Opcode::execute);
      EXPECT_FALSE(query(std::move(statement), how));
      return count({&peer_, &second_}, Opcode::execute) - before;
    };
    // A write's BATCH_LOG timeout may be repeated by reads, too: a server that says so of a read is not believed.
    if (c.code != 0x1100) EXPECT_EQ(executed(one(), call()), c.reads) << c.code;
    EXPECT_EQ(executed(insert_one(), call()), c.writes) << c.code;
    EXPECT_EQ(executed(insert_one(), repeatable), c.repeatable_writes) << c.code;
  }
}

TEST_F(Cql, a_node_that_is_starting_up_is_passed_over_even_by_writes) {
  open_two();
  std::atomic<int> executed = 0;
  const auto handler = on(Opcode::execute, [&](const PeerRequest& request) -> Handled {
    if (executed++ > 0) return std::nullopt;
    return PeerReply{{request.error(0x1002)}};
  });
  peer_.handle(handler);
  second_.handle(handler);
  EXPECT_EQ(outcome(insert_one()), "'one'");
  EXPECT_EQ(executed, 2);
}

TEST_F(Cql, trying_again_has_a_budget) {
  open_two();
  const auto handler =
      on(Opcode::execute, [](const PeerRequest& r) -> Handled { return PeerReply{{r.error(0x1001)}}; });
  peer_.handle(handler);
  second_.handle(handler);
  const std::size_t before = count({&peer_, &second_}, Opcode::execute);
  for (int i = 0; i < 400; ++i) EXPECT_EQ(outcome(one()), "database_unavailable");
  // Twenty saved, one more for each ten requests; without a budget it were 800.
  EXPECT_LE(count({&peer_, &second_}, Opcode::execute) - before, 400U + 20 + 41);
  EXPECT_GE(count({&peer_, &second_}, Opcode::execute) - before, 400U + 20 + 39);
}

TEST_F(Cql, a_connection_reset_leaves_a_write_unknown_unless_it_may_be_repeated) {
  ASSERT_EQ(outcome(insert_one()), "'one'");
  std::atomic<bool> resets = true;
  peer_.handle(on(Opcode::execute, [&](const PeerRequest&) -> Handled {
    if (!resets.exchange(false)) return std::nullopt;
    return PeerReply{.then = Then::reset};
  }));
  const std::size_t before = peer_.count(Opcode::execute);
  EXPECT_EQ(outcome(insert_one()), "write_outcome_unknown");
  EXPECT_EQ(peer_.count(Opcode::execute), before + 1) << "it is not sent again";
  resets = true;
  Call repeatable = call();
  repeatable.idempotent = true;
  EXPECT_EQ(outcome(insert_one(), repeatable), "'one'");
  resets = true;
  EXPECT_EQ(outcome(one()), "'one'") << "reads may always be repeated";
}

// --- stalls, deadlines and callers who go

TEST_F(Cql, a_stall_ends_at_the_deadline_and_leaks_nothing) {
  ASSERT_EQ(outcome(one()), "'one'");
  peer_.handle(on(Opcode::execute, [](const PeerRequest&) -> Handled { return silence(); }));
  const TimePoint begin = Clock::now();
  EXPECT_EQ(outcome(one(), call(milliseconds(80))), "statement_timeout");
  EXPECT_GE(Clock::now() - begin, milliseconds(80));
  EXPECT_LT(Clock::now() - begin, seconds(2));
  run_until([this] { return backend_->health().busy == 0; });
  peer_.handle({});
  EXPECT_EQ(outcome(one()), "'one'");
}

TEST_F(Cql, a_caller_who_goes_ends_the_wait_and_the_late_answer_meets_nobody) {
  ASSERT_EQ(outcome(one()), "'one'");
  std::optional<PeerRequest> held;
  peer_.handle(on(Opcode::execute, [&](const PeerRequest& request) -> Handled {
    if (!held) {
      held = request;
      return silence();
    }
    ServerRows late = ScriptedPeer::one_row();
    late.rows[0][1] = "late";
    return PeerReply{{held->rows(late), request.rows(ScriptedPeer::one_row())}};
  }));
  Cancellation cancellation;
  Call cancellable = call();
  cancellable.cancellation = &cancellation;
  auto& result = start(one(), cancellable);
  run_until([&] { return peer_.count(Opcode::execute) == 2; });
  cancellation.cancel(CancelReason::client_gone);
  run_until([&] { return result.has_value(); });
  EXPECT_EQ(shown(*result), "cancelled");
  EXPECT_EQ(outcome(one()), "'one'");
  EXPECT_EQ(peer_.connections(), 1U);
}

TEST_F(Cql, a_connection_full_of_lost_answers_is_replaced_while_somebody_still_waits_on_it) {
  ASSERT_EQ(outcome(one()), "'one'");
  peer_.handle(on(Opcode::execute, [](const PeerRequest& request) -> Handled {
    return request.connection == 0 ? Handled(silence()) : std::nullopt;
  }));
  Cancellation cancellation;
  Call patience = call();
  patience.cancellation = &cancellation;
  auto& patient = start(one(), patience);
  for (int i = 0; i < 300; ++i) start(one(), call(milliseconds(50)));
  run_until([&] { return std::ranges::count_if(started_, [](const auto& r) { return r.has_value(); }) == 300; });
  EXPECT_FALSE(patient.has_value());
  EXPECT_EQ(outcome(one(), call(seconds(5))), "'one'");
  EXPECT_EQ(peer_.connections(), 2U);
  cancellation.cancel(CancelReason::client_gone);
  run_until([&] { return patient.has_value(); });
}

// --- pages

/// Answers each EXECUTE with the next of these pages, then with the last.
ScriptedPeer::Handler pages(std::vector<std::function<PeerReply(const PeerRequest&)>> all) {
  auto next = std::make_shared<std::size_t>(0);
  return on(Opcode::execute,
            [=](const PeerRequest& request) -> Handled { return all[std::min((*next)++, all.size() - 1)](request); });
}
std::function<PeerReply(const PeerRequest&)> page(std::string state) {
  return [=](const PeerRequest& request) {
    ServerRows rows = ScriptedPeer::one_row();
    if (!state.empty()) rows.paging_state = state;
    return PeerReply{{request.rows(rows)}};
  };
}

TEST_F(Cql, pages_follow_their_states) {
  peer_.handle(pages({page("p1"), page("p2"), page("")}));
  const auto answer = query(select_from("t"));
  ASSERT_TRUE(answer) << why(answer);
  EXPECT_THAT(answer->rows, SizeIs(3));
  std::vector<std::string> states;
  for (const PeerRequest& request : peer_.requests()) {
    if (request.opcode != Opcode::execute) continue;
    const std::size_t at = request.body.find("\0\0\0\2p"s);
    states.push_back(at == std::string::npos ? "" : request.body.substr(at + 4, 2));
  }
  EXPECT_THAT(states, ElementsAre("", "p1", "p2"));
}

TEST_F(Cql, a_page_that_does_not_come_or_is_none_is_an_error_and_never_the_end) {
  const auto rows_that_lie = [](std::function<void(ServerRows&)> lie) {
    return [=](const PeerRequest& request) {
      ServerRows rows = ScriptedPeer::one_row();
      lie(rows);
      return PeerReply{{request.rows(rows)}};
    };
  };
  const std::function<PeerReply(const PeerRequest&)> seconds_pages[] = {
      [](const PeerRequest&) { return silence(); },
      [](const PeerRequest& r) { return PeerReply{{r.answer(Opcode::result, ServerBytes().i32(1))}}; },
      [](const PeerRequest& r) { return PeerReply{{r.answer(Opcode::ready, "")}}; },
      [](const PeerRequest& r) { return PeerReply{{r.answer(Opcode::result, "")}}; },
      [](const PeerRequest& r) { return PeerReply{{r.answer(Opcode::error, "\0\0"s)}}; },
      [](const PeerRequest& r) { return PeerReply{{r.error(0x2200)}}; },
      rows_that_lie([](ServerRows& rows) { rows.row_count = 1'000'000'000; }),
      rows_that_lie([](ServerRows& rows) { rows.row_count = 2; }),
      rows_that_lie([](ServerRows& rows) { rows.columns.pop_back(); }),
      rows_that_lie([](ServerRows& rows) { rows.rows[0][0] = "abc"; }),
      rows_that_lie([](ServerRows& rows) {
        rows.rows.clear();
        rows.paging_state = "p1";  // where it is already
      }),
  };
  for (const auto& second : seconds_pages) {
    peer_.handle(pages({page("p1"), second}));
    const auto answer = query(select_from("t"), call(milliseconds(300)));
    EXPECT_FALSE(answer);
    peer_.handle({});
    EXPECT_EQ(outcome(one()), "'one'");
  }
}

TEST_F(Cql, pages_without_rows_and_without_an_end_end_at_the_deadline) {
  auto turn = std::make_shared<int>(0);
  peer_.handle(on(Opcode::execute, [=](const PeerRequest& request) -> Handled {
    ServerRows none{.columns = ScriptedPeer::columns(), .paging_state = "p" + std::to_string(++*turn)};
    return PeerReply{{request.rows(none)}};
  }));
  const TimePoint begin = Clock::now();
  EXPECT_EQ(outcome(select_from("t"), call(milliseconds(100))), "statement_timeout");
  EXPECT_LT(Clock::now() - begin, seconds(2));
}

/// A caller's page: its rows, and where the next begins.
class PagesByCursor : public Cql {
 protected:
  struct Page {
    std::size_t rows = 0;
    std::string cursor{}, error{};
  };
  Page page_from(std::string cursor, std::uint64_t limit = 2, std::string table = "t") {
    query::Select select = select_from(std::move(table));
    select.limit = limit;
    select.cursor = std::move(cursor);
    const auto page = wait_for(drain(*backend_, std::move(select), call()));
    return page ? *page : Page{.error = std::string(page.error().row().wire_code)};
  }
  static Async<Page> drain(Backend& backend, query::Select select, Call call) {
    ATHENA_CO_TRY(const auto stream, co_await backend.execute(std::move(select), call));
    Page page;
    while (true) {
      ATHENA_CO_TRY(const RowBatch batch, co_await stream->next());
      page.rows += batch.rows;
      if (batch.last) break;
    }
    page.cursor = stream->cursor();
    co_return page;
  }
  /// A table of so many rows, served in pages as they are asked for; the state is the number of rows before.
  ScriptedPeer::Handler table_of(int total, int most = 1'000) {
    return on(Opcode::execute, [=](const PeerRequest& request) -> Handled {
      const auto number = [&request](std::size_t at) {
        int value = 0;
        for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(request.body.at(at + i));
        return value;
      };
      // <id><metadata id><consistency><flags>[<values>]<page size>[<state>]<serial consistency>
      std::size_t at = 2 + request.cql.size();
      at += 2 + static_cast<unsigned char>(request.body.at(at + 1)) + 2;
      const int flags = number(at), size = std::min(number(at + 4), most);
      const int begin =
          flags & 0x08 ? std::stoi(request.body.substr(at + 12, static_cast<std::size_t>(number(at + 8)))) : 0;
      ServerRows rows{.columns = ScriptedPeer::columns()};
      for (int i = begin; i < std::min(begin + size, total); ++i) rows.rows.push_back({ServerBytes().i32(i), "x"});
      if (begin + size < total) rows.paging_state = std::to_string(begin + size);
      return PeerReply{{request.rows(rows)}};
    });
  }
};

TEST_F(PagesByCursor, pages_follow_one_another_to_the_end) {
  peer_.handle(table_of(5));
  std::vector<std::size_t> sizes;
  std::string cursor;
  do {
    const Page page = page_from(cursor);
    ASSERT_EQ(page.error, "");
    sizes.push_back(page.rows);
    cursor = page.cursor;
  } while (!cursor.empty() && sizes.size() < 10);
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST_F(PagesByCursor, a_page_may_be_of_several_of_the_database) {
  peer_.handle(table_of(2'500, 300));
  const Page first = page_from("", 2'000);
  EXPECT_EQ(first.rows, 2'000U);
  const Page second = page_from(first.cursor, 2'000);
  EXPECT_EQ(second.rows, 500U);
  EXPECT_EQ(second.cursor, "");
}

TEST_F(PagesByCursor, is_good_for_another_limit_and_another_process_but_not_for_another_statement) {
  peer_.handle(table_of(50));
  const std::string cursor = page_from("").cursor;
  ASSERT_NE(cursor, "");
  EXPECT_EQ(page_from(cursor, 10).rows, 10U);
  close();
  open();
  EXPECT_EQ(page_from(cursor).rows, 2U);
  query::Select other = one();
  other.limit = 2;
  other.cursor = cursor;
  EXPECT_EQ(outcome(other), "invalid_value");
}

TEST_F(PagesByCursor, what_was_not_given_out_is_refused_before_the_database_sees_it) {
  peer_.handle(table_of(50));
  std::string cursor = page_from("").cursor;
  const std::size_t before = peer_.count(Opcode::execute);
  EXPECT_EQ(page_from(cursor.substr(0, cursor.size() - 2)).error, "invalid_value");
  cursor.back() = cursor.back() == '0' ? '1' : '0';
  EXPECT_EQ(page_from(cursor).error, "invalid_value");
  EXPECT_EQ(page_from("1").error, "invalid_value");
  EXPECT_EQ(peer_.count(Opcode::execute), before);
}

TEST_F(PagesByCursor, one_that_the_database_does_not_take_any_more_is_the_callers_to_renew) {
  peer_.handle(table_of(50));
  const std::string cursor = page_from("").cursor;
  peer_.handle(on(Opcode::execute, [](const PeerRequest& request) -> Handled {
    return PeerReply{{request.error(0x0A, "Invalid value for the paging state")}};
  }));
  EXPECT_EQ(page_from(cursor).error, "invalid_value");
  EXPECT_EQ(page_from("").error, "internal_error");
}

// --- events and the cluster

TEST_F(Cql, a_changed_schema_is_read_again) {
  ASSERT_EQ(outcome(one()), "'one'");
  run_until([this] { return peer_.count(Opcode::register_events) == 1; });
  const std::size_t before = peer_.reads_of("system_schema.tables");
  peer_.tell(
      {.version = 5,
       .stream = -1,
       .opcode = Opcode::event,
       .body = ServerBytes().string("SCHEMA_CHANGE").string("CREATED").string("TABLE").string("ks").string("u")});
  run_until([&] { return peer_.reads_of("system_schema.tables") > before; });
}

TEST_F(Cql, a_new_node_is_found_and_one_that_is_gone_is_left) {
  ASSERT_EQ(outcome(one()), "'one'");
  run_until([this] { return peer_.reads_of("system.peers_v2") == 1; });
  const auto tell = [this](std::string change) {
    peer_.tell(
        {.version = 5,
         .stream = -1,
         .opcode = Opcode::event,
         .body = ServerBytes().string("TOPOLOGY_CHANGE").string(change).u8(4).raw("\x7f\0\0\1"s).i32(second_.port())});
  };
  peer_.set_peers({"127.0.0.1:" + std::to_string(second_.port())});
  tell("NEW_NODE");
  run_until([this] { return backend_->health().connections == 2; });
  peer_.set_peers({});
  tell("REMOVED_NODE");
  run_until([this] { return backend_->health().connections == 1; });
  EXPECT_TRUE(second_.wait_for_open(0));
  EXPECT_EQ(outcome(one()), "'one'");
}

TEST_F(Cql, a_node_that_tells_no_events_is_not_asked_for_them_at_every_tick) {
  peer_.handle([](const PeerRequest& request) -> Handled {
    if (request.opcode != Opcode::register_events) return std::nullopt;
    return PeerReply{{request.error(0x0A, "no events here")}};
  });
  ASSERT_EQ(outcome(one()), "'one'");
  run_ticks(20);
  EXPECT_EQ(peer_.count(Opcode::register_events), 1U);
  EXPECT_EQ(outcome(one()), "'one'");
}

TEST_F(Cql, events_are_listened_to_again_when_their_connection_is_lost) {
  ASSERT_EQ(outcome(one()), "'one'");
  run_until([this] { return peer_.count(Opcode::register_events) == 1; });
  peer_.handle(on(Opcode::execute, [](const PeerRequest& request) -> Handled {
    return request.connection == 0 ? Handled(PeerReply{.then = Then::reset}) : std::nullopt;
  }));
  EXPECT_EQ(outcome(one()), "'one'");
  run_until([this] { return peer_.count(Opcode::register_events) == 2; });
}

TEST_F(Cql, what_the_server_says_beside_an_answer_is_told_to_the_observer) {
  peer_.handle(on(Opcode::execute, [](const PeerRequest& request) -> Handled {
    const std::string beside =
        ServerBytes().raw(std::string(16, '\x11')).strings({"Read 5000 tombstones", std::string(2'000, 'w')});
    return PeerReply{
        {request.answer(Opcode::result, beside + ScriptedPeer::one_row().body(), kTracingFlag | kWarningFlag)}};
  }));
  EXPECT_EQ(outcome(one()), "'one'");
  std::vector<std::string> warnings;
  for (const auto& [kind, detail] : details_.all) {
    if (kind == Event::Kind::server_warning) warnings.push_back(detail);
  }
  const std::string trace = " [trace 11111111-1111-1111-1111-111111111111]";
  EXPECT_THAT(warnings, ElementsAre("Read 5000 tombstones" + trace, std::string(500, 'w') + trace));
}

TEST_F(Cql, extras_that_lie_are_a_malformed_answer) {
  peer_.handle(on(Opcode::execute, [](const PeerRequest& request) -> Handled {
    return PeerReply{{request.answer(Opcode::result, "\xff\xff", kWarningFlag)}};
  }));
  EXPECT_EQ(outcome(one()), "connection_error");
}

TEST_F(Cql, no_keyspace_has_a_name_that_the_protocol_cannot_carry) {
  const Native native{"SELECT * FROM t", {}, std::string(70'000, 'k')};
  const auto answer = wait_for(execute_and_drain(*backend_, native, call()));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::undefined_object);
}

// --- ScyllaDB

class Sharded : public Cql {
 protected:
  static constexpr std::uint32_t kShards = 4;
  void use(ScriptedPeer& peer, std::shared_ptr<HostHealth> health = nullptr) {
    close();
    target_.port = peer.port();
    open(std::move(health));
    ASSERT_EQ(outcome(one()), "'one'");
    run_until([this] { return backend_->health().connections == kShards; });
  }
  /// Each key's request came on the connection of the key's shard.
  void expect_right_shards(const ScriptedPeer& peer) {
    const std::size_t before = peer.requests().size();
    for (int id = 0; id < 50; ++id) {
      ASSERT_EQ(outcome(by_key("t", "id", number(std::to_string(id)))), "'one'");
    }
    const std::vector<PeerRequest> requests = peer.requests();
    std::size_t executed = 0;
    for (std::size_t i = before; i < requests.size(); ++i) {
      if (requests[i].opcode != Opcode::execute) continue;
      const Token token = murmur3_token(ServerBytes().i32(static_cast<std::int64_t>(executed++)).text());
      EXPECT_EQ(requests[i].shard, shard_of(token, {.shards = kShards, .ignore_msb = 12}));
    }
    EXPECT_EQ(executed, 50U);
  }
};

TEST_F(Sharded, each_request_reaches_the_connection_of_its_shard) {
  ScriptedPeer scylla({.highest_version = 4, .shards = kShards});
  use(scylla);
  expect_right_shards(scylla);
  EXPECT_EQ(scylla.connections(), kShards + 1) << "one for version 5, and none came to the wrong shard";
  close();
}

TEST_F(Sharded, where_the_port_for_shards_cannot_be_reached_the_ordinary_one_serves_and_the_host_is_well) {
  const auto health = HostHealth::create({.failure_threshold = 1}, details_);
  ScriptedPeer scylla({.highest_version = 4, .shards = kShards, .has_shard_port = false});
  use(scylla, health);
  expect_right_shards(scylla);
  EXPECT_FALSE(health->is_offline("scylla|127.0.0.1:" + std::to_string(scylla.port()), Clock::now()));
  close();
}

}  // namespace
}  // namespace athena::driver::scylla
