#include <athena/base/text.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <athena/base/crypto.h>

namespace athena::text {
namespace {

using namespace std::string_literals;
using Names = std::vector<std::string_view>;

TEST(Text, refuses_numbers_that_do_not_fit_or_are_something_else) {
  for (const std::string_view bad :
       {"", " ", "+1", "-1", "1 ", " 1", "1.0", "1e3", "0x1", "18446744073709551616", "a"}) {
    EXPECT_EQ(parse_u64(bad), std::nullopt) << bad;
  }
  for (const std::string_view bad : {"", "-", "--1", "+1", "1-", "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_EQ(parse_i64(bad), std::nullopt) << bad;
  }
}

TEST(Text, reads_numbers_to_their_ends) {
  EXPECT_EQ(parse_u64("0"), 0U);
  EXPECT_EQ(parse_u64("007"), 7U);
  EXPECT_EQ(parse_u64("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(parse_i64("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse_i64("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
}

TEST(Text, refuses_malformed_escapes_in_urls) {
  for (const std::string_view bad : {"%", "a%", "%1", "%g0", "%0g", "%%41", "%-1"}) {
    EXPECT_EQ(url_decode(bad, true), std::nullopt) << bad;
  }
}

TEST(Text, decodes_urls) {
  EXPECT_EQ(url_decode("a%20b+c%2B%c3%A4", true), "a b c+ä");
  EXPECT_EQ(url_decode("a+b", false), "a+b");
  EXPECT_EQ(url_decode("%00", false), "\0"s);
  EXPECT_EQ(url_decode("", true), "");
}

TEST(Text, decodes_what_it_encoded) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string encoded = url_encode(all);
  EXPECT_EQ(url_decode(encoded, true), all);
  EXPECT_EQ(url_decode(encoded, false), all);
  EXPECT_EQ(url_encode("a-Z_0.~/ ä"), "a-Z_0.~%2F%20%C3%A4");
}

TEST(Text, tells_utf8_from_other_bytes) {
  for (const std::string_view bad :
       {"\x80", "\xc0\xaf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xff",
        "01234567\xff", "0123456\xc3", "\xe2\x82\xac\xe2\x82"}) {
    EXPECT_FALSE(is_utf8(bad)) << hex(bad);
  }
  for (const std::string_view good : {"", "a", "01234567", "012345678", "ä", "€", "😀", "\xc2\x80", "\xed\x9f\xbf",
                                      "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "aäb€c😀dddddddddddd"}) {
    EXPECT_TRUE(is_utf8(good)) << hex(good);
  }
}

TEST(Text, compares_and_lowers_ascii_only) {
  EXPECT_TRUE(iequals("X-Athena-Client", "x-athena-CLIENT"));
  EXPECT_FALSE(iequals("a", "ab"));
  EXPECT_FALSE(iequals("[", "{"));
  EXPECT_FALSE(iequals("Ä", "ä"));
  EXPECT_EQ(to_lower("AbZ[Ä"), "abz[Ä");
}

TEST(Text, trims_blanks_at_both_ends) {
  EXPECT_EQ(trim(" \t\r\n a b \v\f"), "a b");
  EXPECT_EQ(trim("   "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\xa0x"), "\xa0x");
}

TEST(Text, splits_into_one_piece_more_than_there_are_separators) {
  EXPECT_EQ(split("", ','), (Names{""}));
  EXPECT_EQ(split("a", ','), (Names{"a"}));
  EXPECT_EQ(split(",a,, b,", ','), (Names{"", "a", "", " b", ""}));
}

TEST(Text, turns_camel_case_into_snake_case) {
  EXPECT_EQ(snake_case("userId"), "user_id");
  EXPECT_EQ(snake_case("HTTPResponse"), "http_response");
  EXPECT_EQ(snake_case("userID"), "user_id");
  EXPECT_EQ(snake_case("getHTTPResponseCode2XX"), "get_http_response_code2_xx");
  EXPECT_EQ(snake_case("already_snake_1"), "already_snake_1");
  EXPECT_EQ(snake_case("User_Id"), "user_id");
  EXPECT_EQ(snake_case("A"), "a");
  EXPECT_EQ(snake_case("ABC"), "abc");
  EXPECT_EQ(snake_case(""), "");
  EXPECT_EQ(snake_case("größeId"), "größe_id");
}

TEST(Text, suggests_nothing_that_is_not_near) {
  EXPECT_EQ(nearest("price", {"id", "created_at", "user"}), std::nullopt);
  EXPECT_EQ(nearest("a", {"b", "c"}), std::nullopt);
  EXPECT_EQ(nearest("", {"", "a"}), std::nullopt);
  EXPECT_EQ(nearest("id", {}), std::nullopt);
  EXPECT_EQ(nearest(std::string(65, 'a'), {std::string_view("a")}), std::nullopt);
  const std::string long_name(65, 'a');
  EXPECT_EQ(nearest(std::string(64, 'a'), {long_name}), std::nullopt);
}

TEST(Text, suggests_the_nearest_name) {
  EXPECT_EQ(nearest("nope", {"node_id", "note", "name"}), "note");
  EXPECT_EQ(nearest("userId", {"id", "user_id"}), "user_id");
  EXPECT_EQ(nearest("NAME", {"game", "name"}), "name");
  EXPECT_EQ(nearest("craeted_at", {"updated_at", "created_at"}), "created_at");
  EXPECT_EQ(nearest("emial", {"email"}), "email");
  EXPECT_EQ(nearest("cat", {"bat", "rat"}), "bat");
}

TEST(Text, looks_at_a_thousand_names_at_most) {
  Names names(1000, "something_else");
  names.push_back("note");
  EXPECT_EQ(nearest("nope", names), std::nullopt);
  names[999] = "note";
  EXPECT_EQ(nearest("nope", names), "note");
}

/// Edits with swaps of neighbours, the whole table, no limit.
std::size_t slow_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

TEST(Text, suggests_what_the_whole_table_of_distances_would) {
  std::mt19937 random(5);
  const auto word = [&random](std::size_t longest) {
    std::string w(1 + random() % longest, 'a');
    for (char& c : w) c = static_cast<char>('a' + random() % 3);
    return w;
  };
  int found = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string wanted = word(12);
    const std::vector<std::string> words = {word(12), word(12), word(12)};
    const std::size_t limit = std::min<std::size_t>(3, (wanted.size() + 1) / 3);
    std::optional<std::string_view> expected;
    std::size_t best = limit + 1;
    for (const std::string& each : words) {
      if (const std::size_t distance = slow_distance(wanted, each); distance < best) best = distance, expected = each;
    }
    ASSERT_EQ(nearest(wanted, Names(words.begin(), words.end())), expected) << wanted;
    found += expected.has_value();
  }
  EXPECT_GT(found, 1000);
}

TEST(Text, writes_hex_and_base64) {
  EXPECT_EQ(hex(std::string_view("\x00\xab\xff", 3)), "00abff");
  EXPECT_EQ(bytes_of_hex("00AbfF"), std::string("\x00\xab\xff", 3));
  for (const char* none : {"0", "0g", "g0", "0x", " 0", "00 "}) EXPECT_EQ(bytes_of_hex(none), std::nullopt) << none;
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xfb\xff\xfe"), "+//+");
}

TEST(Crypto, digests_as_the_standard_says_and_compares_whole_strings) {
  EXPECT_EQ(hex(crypto::sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(crypto::hmac_sha256("Jefe", "what do ya want for nothing?")),  // RFC 4231, case 2
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(crypto::hmac_sha256("", "").size(), 32U);
  EXPECT_TRUE(crypto::constant_time_equal("abc", "abc"));
  EXPECT_FALSE(crypto::constant_time_equal("abc", "abd"));
  EXPECT_FALSE(crypto::constant_time_equal("abc", "ab"));
  EXPECT_TRUE(crypto::constant_time_equal("", ""));
  EXPECT_EQ(crypto::random_bytes(32).size(), 32U);
  EXPECT_NE(crypto::random_bytes(32), crypto::random_bytes(32));
}

}  // namespace
}  // namespace athena::text
