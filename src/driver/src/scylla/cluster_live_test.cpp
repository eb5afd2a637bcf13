#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <boost/asio/detached.hpp>

#include <athena/driver/health.h>

#include "scylla/live_fixture.h"

/// Three real nodes (ATHENA_TEST_CASSANDRA_CLUSTER), which ATHENA_TEST_SERVICES kills, pauses and starts. What a test
/// claims about routing it reads from the nodes' own counters, not from ours.
namespace athena::driver::scylla {
namespace {

constexpr int kKeys = 600, kNodes = 3;
constexpr std::size_t kWorkers = 64;

/// Blocks until it has happened.
void change_node(int number, std::string_view action) {
  const std::string command =
      environment("ATHENA_TEST_SERVICES") + " node cassandra_cluster " + std::to_string(number) + ' ';
  if (std::system((command + std::string(action)).c_str()) != 0) throw std::runtime_error("set ATHENA_TEST_SERVICES");
}

Target cluster_target(std::string keyspace) {
  return target_of(environment("ATHENA_TEST_CASSANDRA_CLUSTER"), std::move(keyspace));
}

/// One node and no other: to ask what it did.
Target node_target(int number) {
  Target target = cluster_target("");
  target.host = target.address = "127.0.0." + std::to_string(number);
  target.more_hosts.clear();
  return target;
}

/// How many reads of athena_live tables a node has coordinated, and how many it answered from its own data.
struct Reads {
  std::int64_t coordinated = 0, local = 0;
  Reads operator-(const Reads& before) const { return {coordinated - before.coordinated, local - before.local}; }
};
class Witness {
 public:
  explicit Witness(int number) : node_(node_target(number)) {}
  Reads reads(std::string_view keyspace) {
    return {count("coordinator_read_latency", keyspace), count("local_read_latency", keyspace)};
  }

 private:
  std::int64_t count(std::string_view table, std::string_view keyspace) {
    const auto answer = node_.cql("SELECT count FROM system_views." + std::string(table) + " WHERE keyspace_name = '" +
                                  std::string(keyspace) + "' AND table_name = 'notes'");
    if (!answer) throw std::runtime_error(answer.error().error + ' ' + answer.error().log_detail);
    return answer->rows.empty() ? 0 : std::stoll(*answer->at(0, 0));
  }
  LiveCluster node_;
};

std::string body_of(int key) {
  return "note " + std::to_string(key);
}

class Nodes : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (int number = 1; number <= kNodes; ++number) change_node(number, "start");
    LiveCluster admin(cluster_target(""));
    std::vector<std::string> texts;
    for (const auto& [name, replication] :
         {std::pair("athena_one", "{'class': 'SimpleStrategy', 'replication_factor': 1}"),
          std::pair("athena_three", "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}")}) {
      const std::string keyspace = name;
      texts.push_back("DROP KEYSPACE IF EXISTS " + keyspace);
      texts.push_back("CREATE KEYSPACE " + keyspace + " WITH replication = " + replication);
      texts.push_back("CREATE TABLE " + keyspace +
                      ".notes (id int PRIMARY KEY, body text) "
                      "WITH speculative_retry = 'ALWAYS'");  // a coordinator never waits for one slow replica
      texts.push_back("CREATE TABLE " + keyspace + ".lists (id int PRIMARY KEY, items list<int>)");
      for (int from = 0; from < kKeys; from += 100) {
        std::string batch = "BEGIN UNLOGGED BATCH ";
        for (int key = from; key < from + 100; ++key) {
          batch += "INSERT INTO " + keyspace + ".notes (id, body) VALUES (" + std::to_string(key) + ", '" +
                   body_of(key) + "'); ";
        }
        texts.push_back(batch + "APPLY BATCH");
      }
    }
    for (const std::string& text : texts) {
      const auto done = admin.cql(text);
      ASSERT_TRUE(done) << text.substr(0, 80) << ": " << done.error().error << ' ' << done.error().log_detail;
    }
  }
};

/// Runs the loop until it is so; a test that failed if that takes too long.
void drive(LiveCluster& db, const std::function<bool()>& until, milliseconds patience, const char* what) {
  const TimePoint deadline = Clock::now() + patience;
  while (!until()) {
    if (Clock::now() > deadline) {
      ADD_FAILURE() << "not within " << patience.count() << " ms: " << what;
      return;
    }
    db.loop.context().run_one_for(milliseconds(20));
  }
}
/// Goes on with the load while something happens to a node.
void change_node_under_load(LiveCluster& db, int number, std::string_view action) {
  std::atomic<bool> done = false;
  std::jthread other([&] {
    change_node(number, action);
    done = true;
  });
  drive(db, [&] { return done.load(); }, seconds(120), "the change of the node");
}
void drive_for(LiveCluster& db, milliseconds time) {
  const TimePoint end = Clock::now() + time;
  while (Clock::now() < end) db.loop.context().run_one_for(milliseconds(20));
}

/// Many callers, each of whom asks again as soon as it has its answer.
class Load {
 public:
  using Job = std::function<Task<>(int number)>;
  Load(LiveCluster& db, Job job, std::size_t workers = kWorkers) : db_(db), job_(std::move(job)), running_(workers) {
    for (std::size_t i = 0; i < workers; ++i) asio::co_spawn(db.loop.executor(), work(), asio::detached);
  }
  ~Load() { stop(); }
  void stop() {
    stopping_ = true;
    while (running_ > 0) db_.loop.context().run_one();
  }
  int started() const noexcept { return next_; }

 private:
  Task<> work() {
    while (!stopping_) co_await job_(next_++);
    --running_;
  }
  LiveCluster& db_;
  const Job job_;
  std::size_t running_;
  int next_ = 0;
  bool stopping_ = false;
};

/// What came of many requests.
struct Tally {
  std::uint64_t good = 0, wrong = 0;
  std::map<std::string, std::uint64_t> errors;  ///< by code and text
  std::map<Code, std::uint64_t> codes;
  Duration slowest{};

  std::uint64_t failed() const {
    std::uint64_t sum = 0;
    for (const auto& [code, count] : codes) sum += count;
    return sum;
  }
  void add(const Error& error) {
    ++codes[error.code];
    ++errors[std::to_string(static_cast<int>(error.code)) + ' ' + error.error + " | " + error.log_detail];
  }
  void print(const char* what) const {
    std::cout << what << ": " << good << " good, " << wrong << " wrong, " << failed() << " failed, slowest "
              << std::chrono::duration_cast<milliseconds>(slowest).count() << " ms\n";
    for (const auto& [text, count] : errors) std::cout << "  " << count << " × " << text << '\n';
  }
};

/// Reads one key, and looks whether it is what was written.
Task<> read_key(LiveCluster& db, Tally& tally, int key, milliseconds patience) {
  const TimePoint begin = Clock::now();
  const auto answer = co_await db.ask(select_by("notes", "id", std::to_string(key)), LiveCluster::call(patience));
  tally.slowest = std::max(tally.slowest, Clock::now() - begin);
  if (!answer) {
    tally.add(answer.error());
    co_return;
  }
  const auto body = std::ranges::find(answer->columns, "body") - answer->columns.begin();
  const bool is_right = answer->rows.size() == 1 && answer->at(0, static_cast<std::size_t>(body)) == body_of(key);
  ++(is_right ? tally.good : tally.wrong);
}

std::uint64_t times_opened(HostHealth& health, int number) {
  for (const HostReport& host : health.report(Clock::now())) {
    if (host.host.starts_with("127.0.0." + std::to_string(number) + ':')) return host.times_opened;
  }
  return 0;
}
HostState state_of(HostHealth& health, int number) {
  for (const HostReport& host : health.report(Clock::now())) {
    if (host.host.starts_with("127.0.0." + std::to_string(number) + ':')) return host.state;
  }
  return HostState::closed;
}

// Who is asked.

class Routing : public Nodes, public testing::WithParamInterface<bool> {};

TEST_P(Routing, every_read_is_coordinated_by_the_node_that_keeps_the_row) {
  const bool is_native = GetParam();
  LiveCluster db(cluster_target("athena_one"));
  std::vector<std::unique_ptr<Witness>> witnesses;
  for (int number = 1; number <= kNodes; ++number) witnesses.push_back(std::make_unique<Witness>(number));
  const auto read = [&](int key) {
    const auto answer = is_native ? db.cql("SELECT body FROM notes WHERE id = ?", {query::Number{std::to_string(key)}})
                                  : db.statement(select_by("notes", "id", std::to_string(key)));
    return answer && answer->rows.size() == 1;
  };
  const auto all_reads = [&] {
    std::array<Reads, kNodes> reads;
    for (std::size_t i = 0; i < kNodes; ++i) reads[i] = witnesses[i]->reads("athena_one");
    return reads;
  };
  /// Whether one node, and the same, coordinated the read and had the row.
  const auto is_at_home = [&](int key, std::size_t& home) {
    const auto before = all_reads();
    if (!read(key)) return false;
    const auto after = all_reads();
    bool at_home = true;
    for (std::size_t i = 0; i < kNodes; ++i) {
      const Reads grown = after[i] - before[i];
      at_home = at_home && grown.coordinated == grown.local && grown.local <= 1;
      if (grown.local == 1) home = i;
    }
    return at_home;
  };
  std::size_t home = 0;
  const TimePoint deadline = Clock::now() + seconds(10);  // until it knows the nodes and is connected to all
  for (int key = 0; key < 20 && Clock::now() < deadline;) key = is_at_home(key, home) ? key + 1 : 0;
  ASSERT_LT(Clock::now(), deadline) << "it never found the way";
  std::array<int, kNodes> keys_of{};
  for (int key = 0; key < 60; ++key) {
    EXPECT_TRUE(is_at_home(key, home)) << key;
    ++keys_of[home];
  }
  EXPECT_THAT(keys_of, testing::Each(testing::Gt(0))) << "no node without keys";
  const auto before = all_reads();
  for (int key = 0; key < kKeys; ++key) ASSERT_TRUE(read(key)) << key;
  const auto after = all_reads();
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < kNodes; ++i) {
    const Reads grown = after[i] - before[i];
    EXPECT_EQ(grown.coordinated, grown.local) << "node " << i + 1;
    sum += grown.local;
  }
  EXPECT_EQ(sum, kKeys);
}
INSTANTIATE_TEST_SUITE_P(Of, Routing, testing::Bool(),
                         [](const auto& param) { return param.param ? "native" : "statements"; });

TEST_F(Nodes, replicas_share_the_reads) {
  LiveCluster db(cluster_target("athena_three"));
  std::vector<std::unique_ptr<Witness>> witnesses;
  for (int number = 1; number <= kNodes; ++number) witnesses.push_back(std::make_unique<Witness>(number));
  Tally tally;
  drive(
      db,
      [&] {
        return db.run(db.ask(select_by("notes", "id", "1"), LiveCluster::call())).has_value() &&
               db.backend->health().connections >= kNodes;
      },
      seconds(10), "connections to all");
  std::array<Reads, kNodes> before;
  for (std::size_t i = 0; i < kNodes; ++i) before[i] = witnesses[i]->reads("athena_three");
  for (int key = 0; key < kKeys; ++key) db.run(read_key(db, tally, key, seconds(10)));
  EXPECT_EQ(tally.good, static_cast<std::uint64_t>(kKeys));
  for (std::size_t i = 0; i < kNodes; ++i) {
    const Reads grown = witnesses[i]->reads("athena_three") - before[i];
    EXPECT_GT(grown.coordinated, kKeys / 5) << "node " << i + 1;
    EXPECT_LT(grown.coordinated, kKeys / 2) << "node " << i + 1;
  }
}

// What happens when one dies.

TEST_F(Nodes, a_node_that_is_killed_under_load_costs_no_wrong_answer_and_is_used_again_when_it_is_back) {
  Counter events;
  const auto health = HostHealth::create({.offline = seconds(15)}, events);
  LiveCluster db(cluster_target("athena_three"), health);
  Tally tally;
  std::uint64_t failed_when_dead = 0;
  {
    Load load(db, [&](int number) { return read_key(db, tally, number % kKeys, seconds(10)); });
    drive(db, [&] { return tally.good > 5'000 && db.backend->health().connections >= kNodes; }, seconds(30), "warm");
    change_node_under_load(db, 2, "kill");
    drive(db, [&] { return state_of(*health, 2) == HostState::open; }, seconds(20), "the breaker opens");
    failed_when_dead = tally.failed();
    const std::uint64_t good_before = tally.good;
    drive(db, [&] { return tally.good > good_before + 5'000; }, seconds(20), "two nodes answer");
    EXPECT_EQ(tally.failed(), failed_when_dead) << "once it is known to be dead nobody notices";
    EXPECT_EQ(times_opened(*health, 2), 1u);
    EXPECT_LE(db.counter.count(Event::Kind::connect_failed), HealthConfig().failure_threshold);
    change_node_under_load(db, 2, "start");
    drive(db, [&] { return state_of(*health, 2) == HostState::closed; }, seconds(40), "the breaker closes");
    Witness witness(2);
    const std::int64_t coordinated = witness.reads("athena_three").coordinated;
    drive(db, [&] { return witness.reads("athena_three").coordinated > coordinated + 100; }, seconds(20), "used again");
  }
  tally.print("reads around the death of a node");
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_LE(tally.failed(), kWorkers) << "at most those that were under way";
  EXPECT_EQ(times_opened(*health, 1) + times_opened(*health, 3), 0u);
  EXPECT_EQ(events.count(Event::Kind::host_opened), events.count(Event::Kind::host_on_trial))
      << "once, and once more for each trial that came before the node was back";
  EXPECT_EQ(events.count(Event::Kind::host_closed), 1u) << "by the trial that succeeded";
}

TEST_F(Nodes, rows_whose_only_replica_is_dead_are_said_to_be_unavailable_and_the_others_answer) {
  Counter events;
  const auto health = HostHealth::create({.offline = seconds(2)}, events);
  LiveCluster db(cluster_target("athena_one"), health);
  Tally all;
  for (int key = 0; key < kKeys; ++key) db.run(read_key(db, all, key, seconds(10)));
  EXPECT_EQ(all.good, static_cast<std::uint64_t>(kKeys));
  change_node(2, "kill");
  // Until the others know it, they ask the dead one and wait.
  drive(
      db,
      [&] {
        Tally probe;
        for (int key = 0; key < 60; ++key) db.run(read_key(db, probe, key, seconds(10)));
        return probe.slowest < milliseconds(500);
      },
      seconds(60), "the cluster knows");
  Tally tally;
  for (int key = 0; key < kKeys; ++key) db.run(read_key(db, tally, key, seconds(10)));
  tally.print("reads with one replica of each row and a node less");
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_GT(tally.good, 0u);
  EXPECT_GT(tally.codes[Code::database_unavailable], 0u);
  EXPECT_EQ(tally.failed(), tally.codes[Code::database_unavailable]) << "and no other error";
  EXPECT_LT(tally.slowest, seconds(1));
  const TimePoint begin = Clock::now();
  const auto created = db.cql("CREATE TABLE made_without_one (id int PRIMARY KEY)");
  EXPECT_TRUE(created) << created.error().error << created.error().log_detail;
  EXPECT_LT(Clock::now() - begin, seconds(5)) << "the dead need not agree to a new table";
  change_node(2, "start");
  drive(
      db,
      [&] {
        Tally again;
        for (int key = 0; key < kKeys; ++key) db.run(read_key(db, again, key, seconds(10)));
        return again.good == static_cast<std::uint64_t>(kKeys);
      },
      seconds(60), "all rows again");
}

TEST_F(Nodes, a_node_that_joins_is_asked_and_one_that_leaves_is_left) {
  Counter events;
  const auto health = HostHealth::create({.offline = seconds(2)}, events);
  LiveCluster db(cluster_target("athena_three"), health);
  Tally tally;
  {
    Load load(db, [&](int number) { return read_key(db, tally, number % kKeys, seconds(10)); }, 8);
    drive(db, [&] { return db.backend->health().connections >= kNodes; }, seconds(30), "connections to all");
    change_node_under_load(db, kNodes + 1, "join");
    {
      Witness witness(kNodes + 1);
      drive(db, [&] { return witness.reads("athena_three").coordinated > 100; }, seconds(30), "the new one is asked");
    }
    change_node_under_load(db, kNodes + 1, "leave");
    const std::uint64_t good = tally.good, failed = tally.failed();
    drive(db, [&] { return db.backend->health().connections == kNodes; }, seconds(30), "it is left");
    drive(db, [&] { return tally.good > good + 2'000; }, seconds(30), "the others answer");
    EXPECT_EQ(tally.failed(), failed);
  }
  tally.print("reads while a node joins and leaves");
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_EQ(tally.failed(), 0u);
}

// Writes that may not be repeated.

constexpr int kLists = 50;

/// Appends values, each once, and remembers what became of them.
class Appends {
 public:
  explicit Appends(LiveCluster& db, milliseconds patience) : db_(db), patience_(patience) {}
  Task<> append(int value) {
    const auto done = co_await db_.ask(
        Native{"UPDATE athena_three.lists SET items = items + ? WHERE id = ?",
               {query::JsonText{'[' + std::to_string(value) + ']'}, query::Number{std::to_string(value % kLists)}},
               {}},
        LiveCluster::call(patience_));
    states_[value] = done ? State::done : is_unknown(done.error()) ? State::unknown : State::refused;
    if (done) ++tally.good;
    if (!done) tally.add(done.error());
  }
  /// What is in the lists now agrees with what was answered.
  void verify() {
    std::map<int, int> times;
    for (int list = 0; list < kLists; ++list) {
      const auto read =
          db_.cql("SELECT items FROM athena_three.lists WHERE id = ?", {query::Number{std::to_string(list)}});
      ASSERT_TRUE(read) << read.error().error << ' ' << read.error().log_detail;
      if (read->rows.empty() || !read->at(0, 0)) continue;
      const char* at = read->at(0, 0)->c_str() + 1;
      for (char* end = nullptr; *at != '\0' && *at != ']'; at = *end == ',' ? end + 1 : end) {
        ++times[static_cast<int>(std::strtol(at, &end, 10))];
      }
    }
    for (const auto& [value, state] : states_) {
      const int found = times[value];
      if (state == State::done) EXPECT_EQ(found, 1) << value << " was confirmed";
      if (state == State::unknown) EXPECT_LE(found, 1) << value << " may have happened, and no more than once";
      if (state == State::refused) EXPECT_EQ(found, 0) << value << " was said not to have happened";
    }
  }
  static bool is_unknown(const Error& error) {
    return error.code == Code::write_outcome_unknown || error.code == Code::statement_timeout;
  }
  Tally tally;

 private:
  enum class State : std::uint8_t { done, unknown, refused };
  LiveCluster& db_;
  const milliseconds patience_;
  std::map<int, State> states_;
};

TEST_F(Nodes, a_write_that_may_not_be_repeated_is_not_when_its_node_is_killed) {
  const auto truncated = LiveCluster(cluster_target("")).cql("TRUNCATE athena_three.lists");
  ASSERT_TRUE(truncated) << truncated.error().error << truncated.error().log_detail;
  Counter events;
  const auto health = HostHealth::create({.offline = seconds(2)}, events);
  LiveCluster db(cluster_target("athena_three"), health);
  Appends appends(db, seconds(20));
  {
    Load load(db, [&](int number) { return appends.append(number); });
    drive(db, [&] { return appends.tally.good > 2'000; }, seconds(60), "warm");
    change_node_under_load(db, 3, "kill");
    const std::uint64_t good = appends.tally.good;
    drive(db, [&] { return appends.tally.good > good + 2'000; }, seconds(60), "two nodes go on");
  }
  change_node(3, "start");
  appends.tally.print("writes around the death of a node");
  EXPECT_LE(appends.tally.failed(), 2 * kWorkers);
  for (const auto& [code, count] : appends.tally.codes) {
    EXPECT_EQ(code, Code::write_outcome_unknown) << count << " times";
  }
  appends.verify();
}

// One that does not answer, and is not dead.

/// Pauses a node as long as it lives.
class Paused {
 public:
  Paused(LiveCluster& db, int number) : number_(number) { change_node_under_load(db, number, "pause"); }
  ~Paused() { change_node(number_, "resume"); }

 private:
  const int number_;
};

TEST_F(Nodes, a_read_asks_another_node_when_the_first_is_late) {
  LiveCluster db(cluster_target("athena_three"));
  Tally warm, tally;
  {
    Load load(db, [&](int number) { return read_key(db, warm, number % kKeys, seconds(10)); }, 16);
    drive(db, [&] { return warm.good > 3'000 && db.backend->health().connections >= kNodes; }, seconds(30), "warm");
  }
  {
    const Paused paused(db, 2);
    Load load(db, [&](int number) { return read_key(db, tally, number % kKeys, seconds(10)); }, 16);
    drive_for(db, seconds(3));  // less than it takes to find out that the connection is dead
  }
  tally.print("reads beside a node that is paused");
  EXPECT_EQ(tally.failed(), 0u);
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_GT(tally.good, 100u);
  EXPECT_LT(tally.slowest, seconds(2)) << "none waited for it";
}

TEST_F(Nodes, only_a_write_that_may_be_repeated_asks_another_node) {
  const auto truncated = LiveCluster(cluster_target("")).cql("TRUNCATE athena_three.lists");
  ASSERT_TRUE(truncated) << truncated.error().error << truncated.error().log_detail;
  LiveCluster db(cluster_target("athena_three"));
  Tally warm, repeated;
  {
    Load load(db, [&](int number) { return read_key(db, warm, number % kKeys, seconds(10)); }, 16);
    drive(db, [&] { return warm.good > 3'000 && db.backend->health().connections >= kNodes; }, seconds(30), "warm");
  }
  Appends appends(db, milliseconds(1'500));
  {
    const Paused paused(db, 2);
    int value = 1'000'000;  // apart from those of another test, which a node may still have to hand on
    Load load(db, [&](int) { return appends.append(value++); }, 1);
    drive(db, [&] { return appends.tally.failed() > 0; }, seconds(20), "one that waited for it");
    load.stop();
    Call call = LiveCluster::call(seconds(10));
    call.idempotent = true;
    for (int key = 0; key < 30; ++key) {
      const TimePoint begin = Clock::now();
      const auto done = db.run(db.ask(Native{"INSERT INTO athena_three.notes (id, body) VALUES (?, ?)",
                                             {query::Number{std::to_string(key)}, body_of(key)},
                                             {}},
                                      call));
      EXPECT_TRUE(done) << done.error().error << done.error().log_detail;
      repeated.slowest = std::max(repeated.slowest, Clock::now() - begin);
    }
  }
  appends.tally.print("appends beside a node that is paused");
  EXPECT_EQ(appends.tally.failed(), appends.tally.codes[Code::statement_timeout]);
  EXPECT_LT(repeated.slowest, seconds(2));
  drive_for(db, seconds(1));
  appends.verify();
}

}  // namespace
}  // namespace athena::driver::scylla
