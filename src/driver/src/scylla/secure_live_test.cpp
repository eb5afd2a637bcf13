#include <mutex>
#include <string>

#include <gmock/gmock.h>

#include <athena/driver/health.h>

#include "scylla/live_fixture.h"

/// Passwords and TLS against a real Cassandra: ATHENA_TEST_CASSANDRA_SECURE wants both; its certificate is for
/// "localhost" alone, and signed by ATHENA_TEST_CASSANDRA_SECURE_CA. ATHENA_TEST_CASSANDRA_CLUSTER has neither.
namespace athena::driver::scylla {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kSecret = "s3cret-of-nobody";
constexpr const char* kQuery = "SELECT release_version FROM system.local";

/// Remembers every word that the driver says.
class Listener final : public Observer {
 public:
  void observe(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    words_ += std::string(event.target) + ' ' + event.detail + '\n';
  }
  std::string words() const {
    const std::lock_guard lock(mutex_);
    return words_;
  }

 private:
  mutable std::mutex mutex_;
  std::string words_;
};

std::string words_of(const Error& error) {
  std::string words = error.error + '\n' + error.hint + '\n' + error.log_detail;
  for (const auto& [name, value] : error.fields) words += '\n' + name + '=' + value;
  return words;
}

Target secure_target() {
  return target_of(environment("ATHENA_TEST_CASSANDRA_SECURE"), "");
}

class Secure : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("SSL_CERT_FILE", environment("ATHENA_TEST_CASSANDRA_SECURE_CA").c_str(), 1);
    // The server's first look at a password takes seconds.
    const auto warm = LiveCluster(secure_target()).cql(kQuery);
    ASSERT_TRUE(warm) << words_of(warm.error());
  }

  /// Asks with it; the error that comes within two seconds, or a failed test.
  Error refused(Target target) {
    LiveCluster db(std::move(target), health);
    const TimePoint begin = Clock::now();
    const auto answer = db.cql(kQuery);
    EXPECT_LT(Clock::now() - begin, seconds(2)) << "waiting would not help";
    if (answer) ADD_FAILURE() << "it answered";
    return answer ? Error() : answer.error();
  }

  Listener listener;
  std::shared_ptr<HostHealth> health = HostHealth::create({}, listener);
};

TEST_F(Secure, a_wrong_password_is_said_at_once_and_is_no_failure_of_the_host) {
  Target target = secure_target();
  target.password = kSecret;
  for (int i = 0; i < 6; ++i) {  // more than open a breaker
    const Error error = refused(target);
    EXPECT_EQ(error.code, Code::connection_error);
    EXPECT_EQ(error.error, "The database refused the credentials of this client");
    EXPECT_THAT(error.fields, testing::Contains(testing::Pair("cql_error", "0x0100")));
    EXPECT_THAT(words_of(error), Not(HasSubstr(kSecret)));
  }
  for (const HostReport& host : health->report(Clock::now())) {
    EXPECT_EQ(host.state, HostState::closed) << host.host;
    EXPECT_EQ(host.times_opened, 0u) << host.host;
  }
}

TEST_F(Secure, a_password_is_in_no_word_that_the_driver_says) {
  Target target = secure_target();
  target.password = kSecret;
  LiveCluster db(target, health, &listener);
  EXPECT_FALSE(db.cql(kQuery));
  EXPECT_THAT(db.backend->health().last_error, HasSubstr("127.0.0.1"));
  EXPECT_THAT(db.backend->health().last_error, Not(HasSubstr(kSecret)));
  EXPECT_THAT(listener.words(), HasSubstr("127.0.0.1"));
  EXPECT_THAT(listener.words(), Not(HasSubstr(kSecret)));
}

TEST_F(Secure, a_client_without_a_user_is_told_that_it_needs_one) {
  Target target = secure_target();
  target.user.clear();
  target.password.clear();
  EXPECT_EQ(refused(target).error, "The database wants a user and a password, and this client has none");
}

TEST_F(Secure, a_secret_that_is_missing_is_said_as_its_source_says_it) {
  Target target = secure_target();
  target.secret = [] { return fail(Code::configuration_error, "The variable CQL_PASSWORD is not set"); };
  const Error error = refused(target);
  EXPECT_EQ(error.code, Code::configuration_error);
  EXPECT_EQ(error.error, "The variable CQL_PASSWORD is not set");
}

TEST_F(Secure, a_certificate_for_another_name_is_refused) {
  Target target = secure_target();
  target.host = "127.0.0.1";  // where it is, and not what it is called
  const Error error = refused(target);
  EXPECT_EQ(error.code, Code::connection_error);
  EXPECT_THAT(error.error, HasSubstr("certificate"));
  EXPECT_THAT(error.hint, HasSubstr("SSL_CERT_FILE"));
  EXPECT_THAT(error.log_detail, HasSubstr("mismatch"));
}

TEST_F(Secure, a_plain_client_is_told_that_the_database_wants_tls) {
  Target target = secure_target();
  target.sslmode.clear();
  const Error error = refused(target);
  EXPECT_EQ(error.code, Code::database_unavailable);
  EXPECT_THAT(error.error + error.hint, HasSubstr("TLS"));
}

TEST_F(Secure, a_client_that_wants_tls_is_told_that_the_database_has_none) {
  Target target = target_of(environment("ATHENA_TEST_CASSANDRA_CLUSTER"), "");
  target.more_hosts.clear();
  for (const char* mode : {"require", "verify-full"}) {
    target.sslmode = mode;
    const Error error = refused(target);
    EXPECT_EQ(error.code, Code::connection_error) << mode;
    EXPECT_THAT(error.error, HasSubstr("TLS")) << mode;
  }
}

TEST_F(Secure, a_role_that_may_not_read_a_table_is_told_so) {
  LiveCluster admin(secure_target(), health);
  for (const char* text :
       {"CREATE KEYSPACE IF NOT EXISTS athena_secure WITH replication = "
        "{'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE IF NOT EXISTS athena_secure.notes (id int PRIMARY KEY, body text)", "DROP ROLE IF EXISTS guest",
        "CREATE ROLE guest WITH PASSWORD = 'a@b:c/d?e' AND LOGIN = true"}) {
    const auto done = admin.cql(text);
    ASSERT_TRUE(done) << text << ": " << words_of(done.error());
  }
  Target target = secure_target();
  target.user = "guest";
  target.password = "a@b:c/d?e";
  target.database = "athena_secure";
  LiveCluster guest(target, health);
  const auto refused = guest.cql("SELECT * FROM notes");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::insufficient_privilege) << words_of(refused.error());
  ASSERT_TRUE(admin.cql("GRANT SELECT ON athena_secure.notes TO guest"));
  const auto allowed = guest.cql("SELECT * FROM notes");
  EXPECT_TRUE(allowed) << words_of(allowed.error());
  const auto write = guest.cql("INSERT INTO notes (id) VALUES (1)");
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code, Code::insufficient_privilege);
}

TEST_F(Secure, a_password_that_was_changed_is_asked_for_again) {
  Target target = secure_target();
  const auto password = std::make_shared<std::string>(kSecret);
  target.secret = [password] { return Result<std::string>(*password); };
  target.password.clear();
  LiveCluster db(target, health);
  EXPECT_FALSE(db.cql(kQuery));
  *password = secure_target().password;
  const TimePoint deadline = Clock::now() + seconds(15);
  bool answered = false;
  while (!answered && Clock::now() < deadline) {
    answered = db.cql(kQuery).has_value();
    if (!answered) db.run(db.loop.sleep(milliseconds(50)));
  }
  EXPECT_TRUE(answered) << "without a restart";
}

TEST_F(Secure, without_verification_any_certificate_will_do) {
  Target target = secure_target();
  target.sslmode = "require";
  target.host = "127.0.0.1";
  LiveCluster db(target, health);
  const auto answer = db.cql(kQuery);
  EXPECT_TRUE(answer) << words_of(answer.error());
}

/// Those who do not know the authority: only the system's.
class Stranger : public Secure {
 protected:
  static void SetUpTestSuite() { ::unsetenv("SSL_CERT_FILE"); }
};

TEST_F(Stranger, does_not_trust_a_certificate_of_an_unknown_authority) {
  const Error error = refused(secure_target());
  EXPECT_EQ(error.code, Code::connection_error);
  EXPECT_THAT(error.error, HasSubstr("certificate"));
  EXPECT_THAT(error.log_detail, AnyOf(HasSubstr("self-signed"), HasSubstr("issuer")));
  for (const HostReport& host : health->report(Clock::now())) EXPECT_EQ(host.times_opened, 0u) << host.host;
}

}  // namespace
}  // namespace athena::driver::scylla
