#include <algorithm>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "golden_file.h"

namespace athena::query {
namespace {

const std::vector<GoldenFile>& files() {
  static const std::vector<GoldenFile> kFiles = read_golden_files(GOLDEN_FOLDER);
  return kFiles;
}

class Golden : public testing::TestWithParam<std::size_t> {};

TEST_P(Golden, file_says_what_comes_of_each_request) {
  GoldenFile file = files()[GetParam()];
  ASSERT_FALSE(file.cases.empty()) << file.path;
  for (GoldenCase& golden : file.cases) {
    const auto actual = run(golden);
    if (std::getenv("GOLDEN_UPDATE")) {
      golden.expected = actual;
      continue;
    }
    EXPECT_THAT(actual, testing::ElementsAreArray(golden.expected))
        << file.path.filename() << ": " << golden.title << "\n"
        << golden.kind << " " << golden.request;
  }
  if (std::getenv("GOLDEN_UPDATE")) write_golden_file(file);
}

INSTANTIATE_TEST_SUITE_P(, Golden, testing::Range(std::size_t{0}, files().size()),
                         [](const auto& param_info) { return files()[param_info.param].path.stem().string(); });

TEST(GoldenFiles, are_many_and_have_titles_of_their_own) {
  std::size_t cases = 0;
  std::vector<std::string> titles;
  for (const GoldenFile& file : files()) {
    cases += file.cases.size();
    for (const GoldenCase& golden : file.cases) titles.push_back(file.path.stem().string() + ": " + golden.title);
  }
  EXPECT_GE(cases, 120U);
  std::ranges::sort(titles);
  EXPECT_EQ(std::ranges::adjacent_find(titles), titles.end());
}

}  // namespace
}  // namespace athena::query
