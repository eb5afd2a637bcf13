#include "scylla/message.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scylla/server_bytes.h"

namespace athena::driver::scylla {
namespace {

using namespace std::literals;
using testing::ElementsAre;
using testing::IsEmpty;

const CqlType kInt{.kind = CqlKind::int_}, kText{.kind = CqlKind::text};

/// The bytes of a question, without the nine of its head, which is checked.
template <class Asked>
std::string written(const Asked& question, std::uint8_t version, Opcode opcode) {
  Buffer out;
  out.append("x");
  MessageWriter(out, version).write(0x0102, question);
  const std::string bytes(out.view().substr(1));
  EXPECT_EQ(bytes.substr(0, 5), (std::string{static_cast<char>(version), 0, 1, 2, static_cast<char>(opcode)}));
  const std::string body = bytes.substr(kEnvelopeHeadBytes);
  EXPECT_EQ(bytes.substr(5, 4), ServerBytes().i32(static_cast<std::int64_t>(body.size())).text());
  return body;
}

TEST(Question, startup_names_the_language_and_the_compression) {
  const std::string names = ServerBytes()
                                .string("CQL_VERSION")
                                .string("3.0.0")
                                .string("DRIVER_NAME")
                                .string("athena")
                                .string("DRIVER_VERSION")
                                .string("3");
  EXPECT_EQ(written(Startup{}, 4, Opcode::startup), "\0\3"s + names);
  EXPECT_EQ(written(Startup{true}, 5, Opcode::startup),
            ServerBytes().u16(4).raw(names).string("COMPRESSION").string("lz4").text());
}

TEST(Question, those_without_options) {
  EXPECT_EQ(written(OptionsQuestion{}, 4, Opcode::options), "");
  EXPECT_EQ(written(AuthAnswer{"\0u\0p"s}, 4, Opcode::auth_response), "\0\0\0\4\0u\0p"s);
  EXPECT_EQ(written(RegisterEvents{}, 4, Opcode::register_events),
            ServerBytes().strings({"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"}).text());
}

TEST(Question, prepare_names_its_keyspace_from_version_5_on) {
  EXPECT_EQ(written(PrepareQuestion{"CQL", "ks"}, 4, Opcode::prepare), ServerBytes().bytes("CQL").text());
  EXPECT_EQ(written(PrepareQuestion{"CQL", "ks"}, 5, Opcode::prepare),
            ServerBytes().bytes("CQL").i32(1).string("ks").text());
  EXPECT_EQ(written(PrepareQuestion{"CQL", ""}, 5, Opcode::prepare), ServerBytes().bytes("CQL").i32(0).text());
}

TEST(Question, query_has_flags_of_one_byte_and_from_version_5_on_of_four) {
  const QueryQuestion plain{"CQL", {}};
  EXPECT_EQ(written(plain, 4, Opcode::query), ServerBytes().bytes("CQL").u16(6).u8(0x10).u16(9).text());
  EXPECT_EQ(written(plain, 5, Opcode::query), ServerBytes().bytes("CQL").u16(6).i32(0x10).u16(9).text());
  QueryQuestion full{"CQL", {.page_size = 1'000, .paging_state = "state", .keyspace = "ks"}};
  full.options.consistency = Consistency::one;
  EXPECT_EQ(written(full, 4, Opcode::query),
            ServerBytes().bytes("CQL").u16(1).u8(0x1C).i32(1'000).bytes("state").u16(9).text());
  EXPECT_EQ(written(full, 5, Opcode::query),
            ServerBytes().bytes("CQL").u16(1).i32(0x9C).i32(1'000).bytes("state").u16(9).string("ks").text());
}

TEST(Question, execute_has_values_and_leaves_metadata_out_where_changes_are_told) {
  BoundValues values;
  values.add("abc");
  values.add_null();
  values.add_unset();
  const ExecuteQuestion question{"id", "meta", &values, {.skip_metadata = true}};
  const std::string bound = ServerBytes().u16(3).bytes("abc").i32(-1).i32(-2);
  EXPECT_EQ(written(question, 4, Opcode::execute), ServerBytes().string("id").u16(6).u8(0x11).raw(bound).u16(9).text());
  EXPECT_EQ(written(question, 5, Opcode::execute),
            ServerBytes().string("id").string("meta").u16(6).i32(0x13).raw(bound).u16(9).text());
}

TEST(Question, batch_has_each_statement_with_its_values) {
  BoundValues first, second;
  first.add("a");
  const BatchQuestion::Statement statements[] = {{"id1", &first}, {"id2", &second}};
  const BatchQuestion question{BatchQuestion::Type::logged, statements, {}};
  const std::string both =
      ServerBytes().u8(0).u16(2).u8(1).string("id1").u16(1).bytes("a").u8(1).string("id2").u16(0).u16(6);
  EXPECT_EQ(written(question, 4, Opcode::batch), ServerBytes().raw(both).u8(0x10).u16(9).text());
  EXPECT_EQ(written(question, 5, Opcode::batch), ServerBytes().raw(both).i32(0x10).u16(9).text());
}

TEST(MessageReader, after_what_is_not_there_everything_is_empty) {
  MessageReader reader("\0\5abc"sv);
  EXPECT_EQ(reader.string(), "");
  EXPECT_FALSE(reader.is_good());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.i64(), 0);
  EXPECT_EQ(reader.bytes(), std::nullopt);
  EXPECT_THAT(reader.string_list(), IsEmpty());
}

TEST(MessageReader, types_of_every_shape) {
  const CqlType address{.kind = CqlKind::udt,
                        .elements = {kText, {.kind = CqlKind::set, .elements = {kInt}}},
                        .fields = {"street", "phones"},
                        .keyspace = "ks",
                        .name = "address"};
  const CqlType all[] = {
      kInt,
      {.kind = CqlKind::list, .elements = {kInt}},
      {.kind = CqlKind::map, .elements = {kText, {.kind = CqlKind::list, .elements = {address}}}},
      {.kind = CqlKind::tuple, .elements = {kInt, kText, {.kind = CqlKind::duration}}},
      address,
      {.kind = CqlKind::custom, .name = "org.example.Unheard"},
  };
  for (const CqlType& type : all) {
    const std::string bytes = ServerBytes().type(type);
    MessageReader reader(bytes);
    EXPECT_EQ(reader.type(), type) << to_string(type);
    EXPECT_TRUE(reader.is_good() && reader.rest().empty());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      MessageReader cut(std::string_view(bytes).substr(0, size));
      static_cast<void>(cut.type());
      EXPECT_FALSE(cut.is_good()) << to_string(type) << " of " << size << " bytes";
    }
  }
  const std::string vector = ServerBytes().u16(0).string(
      "org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType , 3)");
  EXPECT_EQ(to_string(MessageReader(vector).type()), "vector<float, 3>");
}

TEST(MessageReader, types_without_bounds_are_refused) {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "\0\x20"s;
  deep += "\0\x9"s;
  MessageReader lists(deep);
  static_cast<void>(lists.type());
  EXPECT_FALSE(lists.is_good());
  MessageReader unknown("\0\x77"sv);
  static_cast<void>(unknown.type());
  EXPECT_FALSE(unknown.is_good());
  // A tuple of tuples of tuples: each level says 65535, and little comes.
  const std::string wide = ServerBytes().u16(0x31).u16(65'535).u16(0x31).u16(65'535).u16(0x31).u16(65'535);
  MessageReader tuples(wide);
  static_cast<void>(tuples.type());
  EXPECT_FALSE(tuples.is_good());
}

TEST(Extras, are_taken_off_in_their_order) {
  const std::string uuid = "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0"s;
  const std::string bytes =
      ServerBytes().raw(uuid).strings({"slow", "tombstones"}).u16(1).string("key").bytes("value").raw("body");
  std::string_view body = bytes;
  AnswerExtras extras;
  ASSERT_TRUE(take_extras(kTracingFlag | kWarningFlag | kPayloadFlag, body, extras));
  EXPECT_EQ(extras.tracing_id, "12345678-9abc-def0-1234-56789abcdef0");
  EXPECT_THAT(extras.warnings, ElementsAre("slow", "tombstones"));
  EXPECT_EQ(body, "body");
  for (std::size_t size = 0; size < bytes.size() - 4; ++size) {
    std::string_view cut = std::string_view(bytes).substr(0, size);
    AnswerExtras none;
    EXPECT_FALSE(take_extras(kTracingFlag | kWarningFlag | kPayloadFlag, cut, none)) << size;
  }
  std::string_view untouched = bytes;
  ASSERT_TRUE(take_extras(0, untouched, extras));
  EXPECT_EQ(untouched, bytes);
}

TEST(Errors, carry_what_comes_with_them) {
  const auto unavailable = read_error(ServerBytes().i32(0x1000).string("no").u16(6).i32(3).i32(1).text());
  ASSERT_TRUE(unavailable);
  EXPECT_EQ(unavailable->message, "no");
  EXPECT_EQ(unavailable->required, 3);
  EXPECT_EQ(unavailable->received, 1);
  const auto write = read_error(ServerBytes().i32(0x1100).string("w").u16(1).i32(0).i32(1).string("BATCH_LOG").text());
  ASSERT_TRUE(write);
  EXPECT_EQ(write->consistency, Consistency::one);
  EXPECT_EQ(write->received, 0);
  EXPECT_EQ(write->required, 1);
  EXPECT_EQ(write->write_type, "BATCH_LOG");
  const auto read = read_error(ServerBytes().i32(0x1200).string("r").u16(1).i32(1).i32(2).u8(1).text());
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->data_present);
  const auto exists = read_error(ServerBytes().i32(0x2400).string("e").string("ks").string("t").text());
  ASSERT_TRUE(exists);
  EXPECT_EQ(exists->keyspace + "." + exists->table, "ks.t");
  const auto unprepared = read_error(ServerBytes().i32(0x2500).string("u").string("the id").text());
  ASSERT_TRUE(unprepared);
  EXPECT_EQ(unprepared->unprepared_id, "the id");
}

TEST(Errors, without_their_details_keep_their_message_and_without_that_are_none) {
  for (const int code : {0x1000, 0x1100, 0x1200, 0x2400, 0x2500, 0x7777}) {
    const auto error = read_error(ServerBytes().i32(code).string("text").text());
    ASSERT_TRUE(error) << code;
    EXPECT_EQ(error->code, code);
    EXPECT_EQ(error->message, "text");
  }
  EXPECT_FALSE(read_error(""));
  EXPECT_FALSE(read_error("\0\0\x10"sv));
  EXPECT_FALSE(read_error("\0\0\x10\0\0\5text"sv));
}

TEST(Results, of_rows_say_where_their_parts_are) {
  const ServerRows rows{.columns = {{"id", kInt}, {"name", kText}},
                        .rows = {{"\0\0\0\1"s, "one"}, {"\0\0\0\2"s, std::nullopt}},
                        .paging_state = "state",
                        .new_metadata_id = "new"};
  const std::string body = rows.body();
  const auto result = read_result(body);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->kind, ResultView::Kind::rows);
  EXPECT_EQ(result->row_count, 2U);
  EXPECT_TRUE(result->metadata.has_more);
  EXPECT_EQ(result->metadata.paging_state, "state");
  EXPECT_EQ(result->metadata.new_metadata_id, "new");
  EXPECT_EQ(result->rows, ServerBytes().bytes("\0\0\0\1"s).bytes("one").bytes("\0\0\0\2"s).null().text());
  const auto columns = read_columns(result->metadata.columns);
  ASSERT_TRUE(columns);
  ASSERT_EQ(columns->size(), 2U);
  EXPECT_EQ(columns->at(1).name, "name");
  EXPECT_EQ(columns->at(1).table, "t");
  EXPECT_EQ(columns->at(1).type, kText);
  // Known columns are compared; others are read.
  EXPECT_EQ(read_result(body, result->metadata.columns)->metadata.columns, result->metadata.columns);
  const ColumnsText other{"something else", 2, true};
  EXPECT_EQ(read_result(body, other)->metadata.columns, result->metadata.columns);
}

TEST(Results, whose_columns_name_a_table_each) {
  const std::string body = ServerBytes()
                               .i32(2)
                               .i32(0)
                               .i32(2)
                               .string("k1")
                               .string("t1")
                               .string("a")
                               .type(kInt)
                               .string("k2")
                               .string("t2")
                               .string("b")
                               .type(kText)
                               .i32(0);
  const auto result = read_result(body);
  ASSERT_TRUE(result);
  const auto columns = read_columns(result->metadata.columns);
  ASSERT_TRUE(columns);
  EXPECT_EQ(columns->at(0).keyspace, "k1");
  EXPECT_EQ(columns->at(1).table, "t2");
}

TEST(Results, that_lie_about_what_is_in_them_are_none) {
  const auto lies = [](ServerRows rows) { return !read_result(rows.body()); };
  const ServerColumns columns = {{"id", kInt}};
  EXPECT_TRUE(lies({.columns = columns, .row_count = 1}));
  EXPECT_TRUE(lies({.columns = columns, .rows = {{"\0\0\0\1"s}}, .row_count = 2'000'000'000}));
  EXPECT_TRUE(lies({.columns = columns, .row_count = -1}));
  EXPECT_TRUE(lies({.columns = {}, .row_count = 5})) << "rows without columns do not exist";
  EXPECT_FALSE(lies({.columns = columns, .row_count = 0}));
  EXPECT_FALSE(read_result(ServerBytes().i32(2).i32(4).i32(-1).i32(0).text())) << "columns";
  EXPECT_FALSE(read_result(ServerBytes().i32(2).i32(4).i32(65'536).i32(0).text())) << "columns";
  EXPECT_FALSE(read_result(ServerBytes().i32(2).i32(6).i32(0).i32(9).raw("state").i32(0).text())) << "paging state";
  EXPECT_FALSE(read_result(ServerBytes().i32(0).text()));
  EXPECT_FALSE(read_result(ServerBytes().i32(6).text()));
  EXPECT_FALSE(read_result(""));
  const std::string whole = ServerRows{.columns = columns, .rows = {{"\0\0\0\1"s}}}.body();
  for (std::size_t size = 0; size + 8 < whole.size(); ++size) {
    EXPECT_FALSE(read_result(std::string_view(whole).substr(0, size))) << size;
  }
}

TEST(Results, of_the_other_kinds) {
  for (const int kind : {1, 3, 4, 5}) {
    const auto result = read_result(ServerBytes().i32(kind).text());
    ASSERT_TRUE(result);
    EXPECT_EQ(static_cast<int>(result->kind), kind);
  }
}

TEST(Prepared, has_an_id_binds_a_key_and_columns) {
  const ServerPrepared statement{.id = "the id",
                                 .result_id = "the result",
                                 .binds = {{"a", kText}, {"b", kInt}},
                                 .partition_key = {1, 0},
                                 .columns = {{"c", kText}}};
  for (const std::uint8_t version : {std::uint8_t{4}, std::uint8_t{5}}) {
    const std::string body = statement.body(version);
    const auto prepared = read_prepared(body, version);
    ASSERT_TRUE(prepared);
    EXPECT_EQ(prepared->id, "the id");
    EXPECT_EQ(prepared->result_metadata_id, version == 5 ? "the result" : "");
    EXPECT_THAT(prepared->partition_key, ElementsAre(1, 0));
    ASSERT_EQ(prepared->binds.size(), 2U);
    EXPECT_EQ(prepared->binds[1].name, "b");
    EXPECT_EQ(prepared->columns.count, 1U);
    for (std::size_t size = 0; size < body.size(); ++size) {
      EXPECT_FALSE(read_prepared(std::string_view(body).substr(0, size), version)) << size;
    }
  }
}

TEST(Prepared, that_lies_is_none) {
  EXPECT_FALSE(read_prepared(ServerPrepared{.partition_key = {0}}.body(4), 4)) << "more keys than binds";
  EXPECT_FALSE(read_prepared(ServerPrepared{.binds = {{"a", kInt}}, .partition_key = {1}}.body(4), 4));
  EXPECT_FALSE(read_prepared(ServerPrepared{.id = ""}.body(4), 4));
  EXPECT_FALSE(read_prepared(ServerRows{}.body(), 4));
  EXPECT_FALSE(read_prepared(ServerBytes().i32(4).string("id").i32(1).i32(-1).i32(0).text(), 4));
}

TEST(Events, are_told_apart) {
  const auto up =
      read_event(ServerBytes().string("STATUS_CHANGE").string("UP").u8(4).raw("\x7f\0\0\1"s).i32(9'042).text());
  ASSERT_TRUE(up);
  EXPECT_EQ(up->kind, ServerEvent::Kind::status);
  EXPECT_EQ(up->change, "UP");
  EXPECT_EQ(up->address, "127.0.0.1");
  EXPECT_EQ(up->port, 9'042);
  const auto added = read_event(ServerBytes()
                                    .string("TOPOLOGY_CHANGE")
                                    .string("NEW_NODE")
                                    .u8(16)
                                    .raw(std::string(15, '\0') + "\1")
                                    .i32(1)
                                    .text());
  ASSERT_TRUE(added);
  EXPECT_EQ(added->kind, ServerEvent::Kind::topology);
  EXPECT_EQ(added->address, "::1");
  const auto schema = read_event(
      ServerBytes().string("SCHEMA_CHANGE").string("CREATED").string("TABLE").string("ks").string("t").text());
  ASSERT_TRUE(schema);
  EXPECT_EQ(schema->kind, ServerEvent::Kind::schema);
  EXPECT_EQ(read_event(ServerBytes().string("NEWER").string("THING").text())->kind, ServerEvent::Kind::unknown);
  EXPECT_FALSE(read_event(ServerBytes().string("STATUS_CHANGE").string("UP").u8(4).raw("\x7f\0"s).text()));
  EXPECT_FALSE(read_event(""));
}

TEST(SchemaChanges, name_what_has_changed) {
  const auto table =
      read_schema_change(ServerBytes().string("UPDATED").string("TABLE").string("ks").string("t").text());
  ASSERT_TRUE(table);
  EXPECT_EQ(table->keyspace + "." + table->name, "ks.t");
  const auto keyspace = read_schema_change(ServerBytes().string("DROPPED").string("KEYSPACE").string("ks").text());
  ASSERT_TRUE(keyspace);
  EXPECT_EQ(keyspace->name, "");
  EXPECT_FALSE(read_schema_change(ServerBytes().string("UPDATED").string("TABLE").string("ks").text()));
}

}  // namespace
}  // namespace athena::driver::scylla
