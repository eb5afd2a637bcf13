#include "transform/grouped_reply.h"

#include <string>

#include <gtest/gtest.h>

#include <athena/testing/fake_backend.h>
#include <athena/testing/fake_exchange.h>
#include <athena/testing/run.h>

namespace athena::gateway {
namespace {

using driver::Cell;
using driver::CellKind;

Cell text(std::string_view value) { return Cell::view(CellKind::text, value); }
Cell digits(std::string_view value) { return Cell::view(CellKind::verbatim, value); }

class GrouperTest : public ::testing::Test {
 protected:
  GrouperTest() {
    grouping_.group_by = "who";
    grouping_.aggregation_column = "sum";
    grouping_.aggregation_strategy = "sum";
  }

  /// The `grouped` of rows with the columns who and sum.
  Result<std::string> group(std::vector<Cell> cells, std::uint64_t limit = UINT64_MAX) {
    return testing::run(loop_, write(testing::rows_of({"who", "sum"}, std::move(cells)), limit));
  }

  /// summary() of other columns, under settings_.
  std::string group_columns(std::vector<std::string> columns, std::vector<Cell> cells) {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->settings = settings_;
    context_.snapshot = std::move(snapshot);
    grouping_.rows = false;
    return summary_of(testing::run(loop_, write(testing::rows_of(std::move(columns), std::move(cells)), UINT64_MAX)));
  }

  Async<std::string> write(testing::FakeResult result, std::uint64_t limit) {
    exchange_.reset_response();
    auto database = std::make_shared<testing::FakeDatabase>();
    database->answer(std::move(result));
    auto backend = testing::find_fake_kind("fake")->open({}, database, {loop_, observer_});
    ATHENA_CO_TRY(auto stream, co_await backend->execute(query::Statement(query::Select{}), {}));
    RowsReply reply(context_, "Fetched ", true);
    reply.begin_rows(stream->columns());
    Grouper grouper(grouping_, compact_);
    ATHENA_CO_TRY(more_, co_await grouper.append(reply, context_, *stream, limit));
    reply.end_rows();
    reply.finish();
    Buffer out;
    grouper.write(out);
    co_return std::string(out.view());
  }

  /// Label and aggregation of each group.
  std::string summary(std::vector<Cell> cells) {
    grouping_.rows = false;
    return summary_of(group(std::move(cells)));
  }

  static std::string summary_of(const Result<std::string>& whole) {
    if (!whole) return whole.error().error;
    std::string short_form;
    const auto document = json::Document::parse(*whole);
    for (const json::Value value : document->root()["grouped"]) {
      short_form += std::string(value["label"].as_string()) + '=' + std::string(value["aggregation"].raw());
      if (value["cumulative"].exists()) short_form += '/' + std::string(value["cumulative"].raw());
      short_form += ' ';
    }
    return short_form;
  }

  struct Silent : driver::Observer {
    void observe(const driver::Event&) noexcept override {}
  };

  Loop loop_;
  Silent observer_;
  Settings settings_;
  query::Grouping grouping_;
  bool compact_ = false;
  bool more_ = false;
  testing::FakeExchange exchange_{{}};
  RequestContext context_{exchange_, std::make_shared<Snapshot>()};
};

TEST_F(GrouperTest, missing_columns_are_named) {
  grouping_.group_by = "nope";
  EXPECT_EQ(summary({}), "Post-processing failure: Missing group_by column 'nope'");
  grouping_.group_by = "who";
  grouping_.aggregation_column = "nada";
  EXPECT_EQ(summary({}), "Post-processing failure: Missing aggregation column 'nada'");
  grouping_.aggregation_column = "";
  EXPECT_EQ(summary({}), "Post-processing failure: aggregation_strategy requires aggregation_column");
}

TEST_F(GrouperTest, what_is_no_number_cannot_be_added) {
  constexpr std::string_view kError = "Post-processing failure: Aggregation column 'sum' contains non-numeric data";
  EXPECT_EQ(summary({text("a"), text("many")}), kError);
  EXPECT_EQ(summary({text("a"), Cell()}), kError);
  EXPECT_EQ(summary({text("a"), Cell::boolean(true)}), kError);
}

TEST_F(GrouperTest, what_is_no_time_cannot_be_put_into_buckets) {
  grouping_.time_granularity = "day";
  EXPECT_EQ(summary({text("yesterday"), Cell::integer(1)}),
            "Post-processing failure: Failed to parse datetime string: 'yesterday'");
  EXPECT_EQ(summary({Cell::integer(1'738'328'709'000), Cell::integer(1)}),
            "Post-processing failure: Invalid unix timestamp: 1738328709000");
}

TEST_F(GrouperTest, groups_are_ordered_by_label_and_hold_their_rows) {
  EXPECT_EQ(group({text("b"), Cell::integer(1), text("a"), digits("2.50"), text("b"), Cell::integer(3)}).value(),
            R"({"grouped":[{"label":"a","rows":[{"who":"a","sum":2.50}],"aggregation":2.50},)"
            R"({"label":"b","rows":[{"who":"b","sum":1},{"who":"b","sum":3}],"aggregation":4}]})");
  EXPECT_TRUE(
      exchange_.answer().contains(R"("rows":[{"who":"b","sum":1},{"who":"a","sum":2.50},{"who":"b","sum":3}])"));
  EXPECT_TRUE(exchange_.answer().contains("Fetched 3 rows"));
}

TEST_F(GrouperTest, no_rows_make_no_groups) { EXPECT_EQ(group({}).value(), R"({"grouped":[]})"); }

TEST_F(GrouperTest, rows_can_be_left_out_of_the_reply) {
  grouping_.rows = false;
  EXPECT_EQ(group({text("a"), Cell::integer(1)}).value(), R"({"grouped":[{"label":"a","rows":[],"aggregation":1}]})");
  EXPECT_FALSE(exchange_.answer().contains("who"));
}

TEST_F(GrouperTest, each_strategy_has_its_value) {
  const std::vector<Cell> cells{text("a"), Cell::integer(4), text("a"), text("1.5"), text("a"), Cell::integer(-1)};
  const std::pair<const char*, const char*> expected[] = {
      {"", "a=4.5 "}, {"sum", "a=4.5 "}, {"avg", "a=1.5 "}, {"min", "a=-1 "}, {"max", "a=4 "}, {"count", "a=3 "}};
  for (const auto& [strategy, result] : expected) {
    grouping_.aggregation_strategy = strategy;
    EXPECT_EQ(summary(cells), result) << strategy;
  }
}

TEST_F(GrouperTest, a_running_total_stands_beside_the_sum_of_the_group) {
  grouping_.aggregation_strategy = "cumulative_sum";
  EXPECT_EQ(summary({text("b"), Cell::integer(2), text("a"), digits("0.5")}), "a=0.5/0.5 b=2/2.5 ");
}

TEST_F(GrouperTest, the_compact_shape_has_decimal_texts_and_running_totals_in_their_place) {
  compact_ = true;
  EXPECT_EQ(summary({text("b"), Cell::integer(2), text("a"), digits("0.50")}), R"(a="0.50" b="2" )");
  grouping_.aggregation_strategy = "cumulative_sum";
  EXPECT_EQ(summary({text("b"), Cell::integer(2), text("a"), digits("0.5")}), R"(a="0.5" b="2.5" )");
}

TEST_F(GrouperTest, equal_values_of_a_group_count_once_if_asked) {
  grouping_.aggregation_dedup = true;
  const std::vector<Cell> cells{text("a"), digits("1.0"),    text("a"), text("1.00"),
                                text("a"), Cell::integer(2), text("b"), Cell::integer(1)};
  EXPECT_EQ(summary(cells), "a=3.0 b=1 ");
  grouping_.aggregation_strategy = "count";
  EXPECT_EQ(summary(cells), "a=2 b=1 ");
}

TEST_F(GrouperTest, count_takes_any_value_but_null) {
  grouping_.aggregation_strategy = "count";
  const std::vector<Cell> cells{text("a"), text("x"), text("a"), text("x"), text("a"), Cell(), text("b"), Cell()};
  EXPECT_EQ(summary(cells), "a=2 b=0 ");
  grouping_.aggregation_dedup = true;
  EXPECT_EQ(summary(cells), "a=1 b=0 ");
}

TEST_F(GrouperTest, count_without_a_column_counts_rows) {
  grouping_.aggregation_strategy = "count";
  grouping_.aggregation_column = "";
  EXPECT_EQ(summary({text("a"), Cell(), text("a"), Cell()}), "a=2 ");
}

TEST_F(GrouperTest, without_aggregation_the_value_is_null) {
  grouping_.aggregation_strategy = grouping_.aggregation_column = "";
  EXPECT_EQ(summary({text("a"), Cell::integer(1)}), "a=null ");
}

TEST_F(GrouperTest, labels_are_the_texts_of_the_values) {
  EXPECT_EQ(summary({Cell(), Cell::integer(1), Cell::boolean(true), Cell::integer(2), Cell::integer(-7),
                     Cell::integer(3), Cell::view(CellKind::quoted, "2025-01-31"), Cell::integer(4)}),
            "-7=3 2025-01-31=4 null=1 true=2 ");
}

TEST_F(GrouperTest, times_fall_into_buckets_however_they_are_written) {
  grouping_.time_granularity = "hour";
  EXPECT_EQ(summary({text("2025-01-31T13:05:09Z"), Cell::integer(1), Cell::integer(1'738'328'709), Cell::integer(2),
                     digits("1738328709.5"), Cell::integer(4), Cell::real(1738328709.25), Cell::integer(8), Cell(),
                     Cell::integer(16)}),
            "2025-01-31 13:00=15 null=16 ");
}

TEST_F(GrouperTest, rows_beyond_the_limit_are_cut_and_said_to_be) {
  grouping_.rows = false;
  EXPECT_EQ(group({text("a"), Cell::integer(1), text("a"), Cell::integer(2)}, 1).value(),
            R"({"grouped":[{"label":"a","rows":[],"aggregation":1}]})");
  EXPECT_TRUE(more_);
}

TEST_F(GrouperTest, more_rows_than_can_be_held_are_refused) {
  std::vector<Cell> cells;
  for (std::uint64_t i = 0; i <= Settings().post_processing_max_rows; ++i) {
    cells.push_back(text("a"));
    cells.push_back(Cell::integer(1));
  }
  EXPECT_EQ(group(std::move(cells)).error().code, Code::result_too_large);
}

TEST_F(GrouperTest, an_exact_name_wins_over_one_that_differs_in_case) {
  EXPECT_EQ(group_columns({"WHO", "who", "sum"}, {text("loud"), text("exact"), Cell::integer(1)}), "exact=1 ");
  EXPECT_EQ(group_columns({"WHO", "sum"}, {text("loud"), Cell::integer(1)}), "loud=1 ");
}

TEST_F(GrouperTest, camel_case_names_are_converted_only_if_the_switch_is_on) {
  grouping_.group_by = "userId";
  EXPECT_EQ(group_columns({"user_id", "sum"}, {text("a"), Cell::integer(1)}),
            "Post-processing failure: Missing group_by column 'userId'");
  settings_.camel_to_snake = true;
  EXPECT_EQ(group_columns({"user_id", "sum"}, {text("a"), Cell::integer(1)}), "a=1 ");
}

TEST_F(GrouperTest, truth_and_bytes_are_no_times) {
  constexpr std::string_view kError =
      "Post-processing failure: Value must be a string (RFC3339/datetime) or number (unix timestamp)";
  grouping_.time_granularity = "day";
  EXPECT_EQ(summary({Cell::boolean(true), Cell::integer(1)}), kError);
  EXPECT_EQ(summary({Cell::view(CellKind::bytes, "ab"), Cell::integer(1)}), kError);
}

TEST_F(GrouperTest, bytes_are_labelled_with_their_hex_digits) {
  EXPECT_EQ(summary({Cell::view(CellKind::bytes, "\xff\x01"), Cell::integer(1)}), "\\xff01=1 ");
}

}  // namespace
}  // namespace athena::gateway
