#include "postgres/protocol.h"

#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace athena::driver::postgres {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::string u32(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}
std::string u16(std::uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
std::string message(char type, const std::string& body) {
  return type + u32(static_cast<std::uint32_t>(body.size() + 4)) + body;
}

TEST(Protocol, a_length_below_its_own_size_breaks_the_connection) {
  for (const std::uint32_t length : {0U, 1U, 3U}) {
    EXPECT_EQ(read_frame("D" + u32(length) + "xxxx").state, Frame::State::broken) << length;
  }
}

TEST(Protocol, a_length_beyond_the_bound_breaks_the_connection_before_anything_is_allocated) {
  EXPECT_EQ(read_frame("D" + u32(0xffffffff)).state, Frame::State::broken);
  EXPECT_EQ(read_frame("D" + u32(0x80000000)).state, Frame::State::broken);
  EXPECT_EQ(read_frame("D" + u32(0x40000000)).state, Frame::State::broken);
  EXPECT_EQ(read_frame("D" + u32(1000), 100).state, Frame::State::broken);
}

TEST(Protocol, a_type_that_servers_do_not_send_breaks_the_connection) {
  EXPECT_EQ(read_frame("HTTP/1.1 400 Bad Request").state, Frame::State::broken);
  EXPECT_EQ(read_frame(std::string(1, '\0')).state, Frame::State::broken);
}

TEST(Protocol, a_message_in_pieces_is_incomplete_until_its_last_byte) {
  const std::string whole = message('C', "SELECT 1\0"s);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const Frame frame = read_frame(std::string_view(whole).substr(0, n));
    EXPECT_EQ(frame.state, Frame::State::incomplete) << n;
    EXPECT_EQ(frame.bytes, n < 5 ? kMessageHeadBytes : whole.size());
  }
  const std::string and_more = whole + "Z";
  const Frame frame = read_frame(and_more);
  EXPECT_EQ(frame.state, Frame::State::complete);
  EXPECT_EQ(frame.type, MessageType::command_complete);
  EXPECT_EQ(frame.body, "SELECT 1\0"sv);
}

TEST(Protocol, row_descriptions_that_promise_more_than_they_hold_are_refused) {
  const std::string field = "id\0"s + u32(0) + u16(0) + u32(23) + u16(4) + u32(0) + u16(0);
  const auto read = read_row_description(u16(1) + field);
  ASSERT_TRUE(read);
  EXPECT_EQ((*read)[0].name, "id");
  EXPECT_EQ((*read)[0].type_oid, 23U);
  EXPECT_FALSE(read_row_description(u16(2) + field));
  EXPECT_FALSE(read_row_description(u16(1) + field + "x"));
  EXPECT_FALSE(read_row_description(u16(1) + "no end"));
  EXPECT_FALSE(read_row_description(""));
}

TEST(Protocol, data_rows_give_values_and_nulls) {
  std::vector<std::optional<std::string_view>> cells;
  const std::string body = u16(3) + u32(2) + "ab" + u32(0xffffffff) + u32(0);
  ASSERT_TRUE(read_data_row(body, cells));
  EXPECT_THAT(cells, testing::ElementsAre(testing::Optional("ab"sv), std::nullopt, testing::Optional(""sv)));
}

TEST(Protocol, data_rows_with_lengths_that_lie_are_refused) {
  std::vector<std::optional<std::string_view>> cells;
  EXPECT_FALSE(read_data_row(u16(1) + u32(3) + "ab", cells));
  EXPECT_FALSE(read_data_row(u16(1) + u32(0xfffffffe) + "ab", cells));
  EXPECT_FALSE(read_data_row(u16(2) + u32(2) + "ab", cells));
  EXPECT_FALSE(read_data_row(u16(1) + u32(1) + "ab", cells));
  EXPECT_FALSE(read_data_row("", cells));
}

TEST(Protocol, errors_without_fields_or_end_are_read_as_far_as_they_go) {
  EXPECT_EQ(read_server_error("").sqlstate, "");
  EXPECT_EQ(read_server_error("\0"s).message, "");
  EXPECT_EQ(read_server_error("Mno end").message, "");
  const ServerError error =
      read_server_error("SFEHLER\0VERROR\0C23505\0Mtwice\0Qunknown\0tusers\0nusers_key\0P17\0\0"s);
  EXPECT_EQ(error.severity, "ERROR");
  EXPECT_EQ(error.sqlstate, "23505");
  EXPECT_EQ(error.message, "twice");
  EXPECT_EQ(error.table, "users");
  EXPECT_EQ(error.constraint, "users_key");
  EXPECT_EQ(error.position, "17");
}

TEST(Protocol, command_tags_give_the_rows_that_were_written) {
  EXPECT_EQ(read_affected("INSERT 0 3\0"s), 3U);
  EXPECT_EQ(read_affected("UPDATE 12\0"s), 12U);
  EXPECT_EQ(read_affected("DELETE 0\0"s), 0U);
  EXPECT_EQ(read_affected("SELECT 5\0"s), 0U);
  EXPECT_EQ(read_affected("CREATE TABLE\0"s), 0U);
  EXPECT_EQ(read_affected("INSERT 0 99999999999999999999\0"s), 0U);
  EXPECT_EQ(read_affected(""), 0U);
}

TEST(Protocol, other_messages_are_read_or_refused_whole) {
  EXPECT_EQ(read_ready("I"), TransactionStatus::idle);
  EXPECT_FALSE(read_ready("X"));
  EXPECT_FALSE(read_ready("II"));
  EXPECT_EQ(read_parameter_count(u16(2) + u32(23) + u32(25)), 2);
  EXPECT_FALSE(read_parameter_count(u16(2) + u32(23)));
  const std::string notification = u32(7) + "athena_schema\0x\0"s;
  EXPECT_EQ(read_notification(notification)->channel, "athena_schema");
  EXPECT_FALSE(read_notification(u32(7) + "athena_schema"));
  EXPECT_EQ(read_parameter_status("TimeZone\0UTC\0"sv)->value, "UTC");
  EXPECT_FALSE(read_parameter_status("TimeZone\0UTC"s));
}

TEST(Encoder, refuses_text_that_the_protocol_would_end_early) {
  Buffer out;
  EXPECT_EQ(Encoder(out).parse("", "SELECT 1\0; DROP TABLE users"s).error().code, Code::invalid_text_encoding);
  EXPECT_EQ(Encoder(out).query("SELECT 1\0"s).error().code, Code::invalid_text_encoding);
  EXPECT_TRUE(out.empty());
}

TEST(Encoder, refuses_more_parameters_than_the_message_can_count) {
  Buffer out;
  const std::vector<query::Param> params(65'536);
  EXPECT_EQ(Encoder(out).bind("s1", params).error().code, Code::limit_exceeded);
  EXPECT_TRUE(out.empty());
}

TEST(Encoder, writes_what_the_protocol_says) {
  Buffer out;
  Encoder encoder(out);
  ASSERT_TRUE(encoder.parse("s1", "SELECT $1"));
  EXPECT_EQ(out.view(), message('P', "s1\0SELECT $1\0"s + u16(0)));
  out.clear();
  const std::vector<query::Param> params = {{query::ParamKind::text, "a\0b"s}, {query::ParamKind::null, ""}};
  ASSERT_TRUE(encoder.bind("s1", params));
  EXPECT_EQ(out.view(), message('B', "\0s1\0"s + u16(0) + u16(2) + u32(3) + "a\0b"s + u32(0xffffffff) + u16(0)));
  out.clear();
  encoder.describe_statement("s1");
  encoder.describe_portal();
  encoder.execute();
  encoder.sync();
  encoder.close_statement("s1");
  encoder.copy_fail("no");
  encoder.terminate();
  EXPECT_EQ(out.view(), message('D', "Ss1\0"s) + message('D', "P\0"s) + message('E', "\0"s + u32(0)) +
                            message('S', "") + message('C', "Ss1\0"s) + message('f', "no\0"s) + message('X', ""));
}

}  // namespace
}  // namespace athena::driver::postgres
