#include <athena/base/digest.h>

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace athena {
namespace {

std::string hex_of(std::initializer_list<std::string_view> texts) {
  Digest digest;
  for (const std::string_view text : texts) digest.add(text);
  return digest.hex();
}

TEST(Digest, is_sixteen_digits_and_always_the_same) {
  EXPECT_EQ(hex_of({"hello"}).size(), 16u);
  EXPECT_EQ(hex_of({"hello"}), hex_of({"hello"}));
}

TEST(Digest, borders_and_order_count) {
  EXPECT_NE(hex_of({"ab", "c"}), hex_of({"a", "bc"}));
  EXPECT_NE(hex_of({"a", "b"}), hex_of({"b", "a"}));
  EXPECT_NE(hex_of({""}), hex_of({}));
  EXPECT_NE(hex_of({std::string(1, '\0')}), hex_of({""}));
}

TEST(Digest, every_byte_of_a_text_counts) {
  std::set<std::string> seen;
  for (std::size_t size = 0; size <= 40; ++size) {
    const std::string plain(size, 'x');
    EXPECT_TRUE(seen.insert(hex_of({plain})).second);
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = plain;
      other[at] = 'y';
      EXPECT_TRUE(seen.insert(hex_of({other})).second) << size << ' ' << at;
    }
  }
}

}  // namespace
}  // namespace athena
