#include "clients_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "commands.h"
#include "yaml.h"

namespace athena::app {
namespace {

namespace fs = std::filesystem;

class ClientsFileTest : public testing::Test {
 protected:
  ClientsFileTest() {
    std::string pattern = fs::temp_directory_path() / "athena-clients-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    options_.path = folder_ / "config/clients.json";
  }
  ~ClientsFileTest() override { fs::remove_all(folder_); }

  std::string add(const std::string& name, const std::string& uri) {
    options_.name = name;
    options_.uri = uri;
    return clients_add(options_).value();
  }

  fs::path folder_;
  ClientsOptions options_;
};

TEST_F(ClientsFileTest, names_what_is_not_there) {
  options_.name = "x";
  EXPECT_EQ(clients_remove(options_).error().error, "client 'x' not found");
  EXPECT_EQ(clients_set_default(options_).error().error, "client 'x' is not defined");
  EXPECT_EQ(clients_list(options_).value(), "no clients in " + options_.path + "\n");
}

TEST_F(ClientsFileTest, refuses_a_file_that_is_no_json) {
  fs::create_directories(folder_ / "config");
  std::ofstream(options_.path) << "{";
  EXPECT_EQ(clients_list(options_).error().code, Code::malformed_json);
}

TEST_F(ClientsFileTest, writes_the_documented_form) {
  add("b", "postgres://u:p@h/d");
  add("a", "postgres://h/\"d\"");
  EXPECT_EQ(read_file(options_.path).value(), R"({
  "default": "b",
  "clients": {
    "b": "postgres://u:p@h/d",
    "a": "postgres://h/\"d\""
  }
}
)");
  struct stat status{};
  ASSERT_EQ(::stat(options_.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "config"), {}), 1) << "a temporary file is left";
}

TEST_F(ClientsFileTest, removing_the_default_leaves_none) {
  add("a", "postgres://h/d");
  add("b", "postgres://h/e");
  options_.name = "a";
  ASSERT_TRUE(clients_remove(options_));
  EXPECT_EQ(read_file(options_.path).value(),
            "{\n  \"default\": null,\n  \"clients\": {\n    \"b\": \"postgres://h/e\"\n  }\n}\n");
}

TEST_F(ClientsFileTest, lists_without_passwords) {
  add("a", "postgres://u:p@h/d");
  add("b", "postgres://h/e");
  EXPECT_EQ(clients_list(options_).value(), "* a  postgres://u:***@h/d\n  b  postgres://h/e\n");
  options_.as_json = true;
  EXPECT_THAT(clients_list(options_).value(), testing::HasSubstr("\"a\": \"postgres://u:***@h/d\""));
}

TEST(mask_password, hides_whatever_stands_before_the_host) {
  EXPECT_EQ(mask_password("postgres://u:p/@:x@h:1/d"), "postgres://u:***@h:1/d");
  EXPECT_EQ(mask_password("postgres://u@h:1/d"), "postgres://u@h:1/d");
  EXPECT_EQ(mask_password("postgres://h:1/d"), "postgres://h:1/d");
  EXPECT_EQ(mask_password("postgres://h/d?password=p&sslmode=require"), "postgres://h/d?password=***&sslmode=require");
  EXPECT_EQ(mask_password("sqlite:a@b.db"), "sqlite:a@b.db");
}

}  // namespace
}  // namespace athena::app
