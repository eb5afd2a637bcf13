#include "embedded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace athena::app {
namespace {

namespace fs = std::filesystem;

class EmbeddedTest : public testing::Test {
 protected:
  EmbeddedTest() {
    std::string pattern = fs::temp_directory_path() / "athena-embedded-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    config_.data = folder_ / "new/data";
  }
  ~EmbeddedTest() override { fs::remove_all(folder_); }

  mode_t mode(const std::string& file) const {
    struct stat status{};
    EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
    return status.st_mode & 0777;
  }

  fs::path folder_;
  Config config_;
};

TEST_F(EmbeddedTest, says_why_the_data_folder_cannot_be_made) {
  std::ofstream(folder_ / "new") << "a file";
  const auto result = add_embedded_default(config_);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().error, testing::HasSubstr("cannot be made: Not a directory"));
}

TEST_F(EmbeddedTest, makes_what_only_its_owner_may_read) {
  const auto result = add_embedded_default(config_);
  ASSERT_TRUE(result) << result.error().error << result.error().log_detail;
  EXPECT_EQ(mode(config_.data), 0700U);
  EXPECT_EQ(mode(config_.data + "/admin.key"), 0600U);
  EXPECT_EQ(config_.settings.admin_key.size(), 64U);
  ASSERT_EQ(config_.settings.clients.size(), 1U);
  EXPECT_EQ(config_.settings.clients[0].name, "demo");
  EXPECT_GT(fs::file_size(config_.data + "/demo.db"), 100'000U);
}

TEST_F(EmbeddedTest, keeps_key_and_data_at_the_second_start) {
  ASSERT_TRUE(add_embedded_default(config_));
  const std::string key = config_.settings.admin_key;
  const auto size = fs::file_size(config_.data + "/demo.db");
  Config again;
  again.data = config_.data;
  ASSERT_TRUE(add_embedded_default(again));
  EXPECT_EQ(again.settings.admin_key, key);
  EXPECT_EQ(fs::file_size(config_.data + "/demo.db"), size);
}

TEST_F(EmbeddedTest, the_key_of_the_environment_wins) {
  config_.settings.admin_key = "given";
  ASSERT_TRUE(add_embedded_default(config_));
  EXPECT_EQ(config_.settings.admin_key, "given");
  EXPECT_FALSE(fs::exists(config_.data + "/admin.key"));
}

TEST_F(EmbeddedTest, refuses_an_empty_key_file) {
  fs::create_directories(config_.data);
  std::ofstream(config_.data + "/admin.key") << "\n";
  EXPECT_FALSE(admin_key_file(config_.data + "/admin.key"));
}

}  // namespace
}  // namespace athena::app
