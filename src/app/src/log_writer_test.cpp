#include "log_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace athena::app {
namespace {

/// Both ends of a pipe.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe(ends_), 0); }
  ~Pipe() {
    ::close(ends_[0]);
    close_writer();
  }
  int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  std::string read_all() {
    std::string out;
    char piece[65'536];
    for (auto n = ::read(ends_[0], piece, sizeof piece); n > 0; n = ::read(ends_[0], piece, sizeof piece)) {
      out.append(piece, static_cast<std::size_t>(n));
    }
    return out;
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(log_writer, writes_what_waits_before_it_ends) {
  Pipe pipe;
  {
    LogWriter log(pipe.writer());
    log.write("one\n");
    log.write("two\n");
  }
  pipe.close_writer();
  EXPECT_EQ(pipe.read_all(), "one\ntwo\n");
}

TEST(log_writer, never_blocks_and_counts_what_it_drops) {
  Pipe pipe;
  std::string text;
  std::thread reader;
  {
    LogWriter log(pipe.writer(), 1'000);
    const std::string line(99, 'x');
    // Nobody reads the pipe yet: it fills, then the buffer does, and writing goes on all the same.
    for (int i = 0; i < 10'000; ++i) log.write(line + "\n");
    reader = std::thread([&] { text = pipe.read_all(); });
  }
  pipe.close_writer();
  reader.join();
  EXPECT_THAT(text, testing::HasSubstr("\"event\":\"log_lines_dropped\""));
}

TEST(log_writer, keeps_lines_of_several_threads_whole) {
  Pipe pipe;
  std::string text;
  std::thread reader([&] { text = pipe.read_all(); });
  {
    LogWriter log(pipe.writer());
    std::vector<std::thread> writers;
    for (const char letter : {'a', 'b', 'c', 'd'}) {
      writers.emplace_back([&log, letter] {
        for (int i = 0; i < 1'000; ++i) log.write(std::string(20, letter) + "\n");
      });
    }
    for (std::thread& writer : writers) writer.join();
  }
  pipe.close_writer();
  reader.join();
  ASSERT_EQ(text.size(), 4'000U * 21U);
  for (std::size_t at = 0; at < text.size(); at += 21) {
    ASSERT_EQ(text.substr(at, 21), std::string(20, text[at]) + "\n");
  }
}

}  // namespace
}  // namespace athena::app
