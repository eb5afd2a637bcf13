#include <athena/base/buffer.h>

#include <random>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace athena {
namespace {

TEST(Buffer, aborts_instead_of_wrapping_around_on_an_absurd_length) {
  Buffer buffer;
  buffer.append("abc");
  EXPECT_DEATH(buffer.grab(static_cast<std::size_t>(-2)), "");
}

TEST(Buffer, is_empty_and_harmless_without_memory) {
  Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view(), "");
  buffer.append({});
  buffer.drop_front(0);
  buffer.truncate(0);
  buffer.recycle(0);
  EXPECT_EQ(buffer.capacity(), 0U);
}

TEST(Buffer, leaves_nothing_behind_when_moved_by_construction_or_assignment) {
  Buffer a, b;
  a.append("a");
  b.append("b");
  b = std::move(a);
  EXPECT_EQ(b.view(), "a");
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): that is what is promised
  const Buffer c(std::move(b));
  EXPECT_EQ(c.view(), "a");
  EXPECT_TRUE(b.empty());  // NOLINT(bugprone-use-after-move)
}

TEST(Buffer, survives_being_moved_to_itself) {
  Buffer a;
  a.append("kept");
  Buffer& same = a;
  a = std::move(same);
  EXPECT_EQ(a.view(), "kept");
}

TEST(Buffer, grants_at_least_what_is_asked_for) {
  Buffer buffer;
  buffer.grab(1000);
  EXPECT_GE(buffer.room(), 1000U);
  buffer.commit(1000);
  EXPECT_EQ(buffer.size(), 1000U);
  buffer.reserve(5000);
  EXPECT_GE(buffer.capacity(), 5000U);
  EXPECT_EQ(buffer.size(), 1000U);
}

TEST(Buffer, reuses_its_room_after_partial_drops_without_growing) {
  Buffer buffer(1024);
  const std::size_t capacity = buffer.capacity();
  for (int i = 0; i < 1000; ++i) {
    buffer.append(std::string(300, static_cast<char>('a' + i % 26)));
    buffer.drop_front(250);
    buffer.drop_front(50);
  }
  EXPECT_EQ(buffer.capacity(), capacity);
}

TEST(Buffer, stays_within_a_few_times_what_it_holds_when_it_never_runs_empty) {
  Buffer buffer;
  buffer.append(std::string(1000, 'x'));
  for (int i = 0; i < 10'000; ++i) {
    buffer.append(std::string(100, 'y'));
    buffer.drop_front(100);
  }
  EXPECT_EQ(buffer.size(), 1000U);
  EXPECT_LE(buffer.capacity(), 8000U);
}

TEST(Buffer, gives_memory_beyond_the_limit_back_when_recycled) {
  Buffer buffer(10'000);
  buffer.append("x");
  buffer.recycle(20'000);
  EXPECT_GE(buffer.capacity(), 10'000U);
  buffer.recycle(4096);
  EXPECT_EQ(buffer.capacity(), 0U);
}

TEST(Buffer, holds_what_a_string_would_hold_after_random_operations) {
  std::mt19937 random(7);
  Buffer buffer;
  std::string model;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t n = random() % 300;
    switch (random() % 5) {
      case 0:
      case 1:
        buffer.append(std::string(n, static_cast<char>(i)));
        model.append(n, static_cast<char>(i));
        break;
      case 2:
        buffer.push_back(static_cast<char>(i));
        model.push_back(static_cast<char>(i));
        break;
      case 3:
        buffer.drop_front(std::min(n, buffer.size()));
        model.erase(0, std::min(n, model.size()));
        break;
      default:
        buffer.truncate(buffer.size() - std::min(n / 8, buffer.size()));
        model.resize(model.size() - std::min(n / 8, model.size()));
    }
    ASSERT_EQ(buffer.view(), model);
  }
}

}  // namespace
}  // namespace athena
