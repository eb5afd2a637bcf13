#include "postgres/classify.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include <athena/base/text.h>

#include "caller_place.h"

// libpg_query hands its tree over as protobuf bytes. They are read where they lie: unpacking them into C structs would
// cost a kilobyte of stack for each level of the tree, and most of the time.

namespace athena::driver::postgres {
namespace {

using query::Table;

/// A text this short has too few tokens to be deep: it is parsed without a look at its shape.
constexpr std::size_t kShortBytes = 1'000;
/// How deep a tree may be, as NestingBound counts: about 350 bytes of the parser's stack each, a kilobyte at worst.
constexpr std::size_t kMaxNesting = 10'000;
constexpr std::size_t kMaxNestingOnCallersStack = 1'000;
constexpr std::size_t kParserStackBytes = 64 * 1024 * 1024;
/// libpg_query moves the bytes of a subtree once for each level around it; this many bytes take some 30 ms.
constexpr std::size_t kMaxMovedBytes = 2'500'000'000;
constexpr std::size_t kTreeBytesOfToken = 20;
/// Names in WITH that one statement may see: each table name is held against them.
constexpr std::size_t kMaxWithNames = 500;
constexpr std::size_t kMaxMessageBytes = 300;

/// Functions of pg_catalog that write nothing: the immutable and stable ones that people use, without those that take
/// SQL or the name of a table as text, and a few volatile ones that only look at a clock, a size or a die.
constexpr std::string_view kHarmless[] = {
    // clang-format off
    "abs", "acos", "acosd", "acosh", "age", "area", "array_agg", "array_append", "array_cat", "array_dims",
    "array_fill", "array_length", "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend",
    "array_remove", "array_replace", "array_to_json", "array_to_string", "array_to_tsvector", "array_upper", "ascii",
    "asin", "asind", "asinh", "atan", "atan2", "atan2d", "atand", "atanh", "avg", "bit", "bit_and", "bit_count",
    "bit_length", "bit_or", "bit_xor", "bool", "bool_and", "bool_or", "box", "bpchar", "broadcast", "btrim",
    "cardinality", "cbrt", "ceil", "ceiling", "center", "char", "char_length", "character_length", "chr", "cidr",
    "circle", "clock_timestamp", "col_description", "concat", "concat_ws", "convert", "convert_from", "convert_to",
    "corr", "cos", "cosd", "cosh", "cot", "cotd", "count", "covar_pop", "covar_samp", "cume_dist", "current_database",
    "current_schema", "current_schemas", "current_setting", "current_user", "currval", "date", "date_bin", "date_part",
    "date_trunc", "datemultirange", "daterange", "decode", "degrees", "dense_rank", "diagonal", "diameter", "div",
    "encode", "enum_first", "enum_last", "enum_range", "every", "exp", "extract", "factorial", "first_value", "float4",
    "float8", "floor", "format", "format_type", "gcd", "gen_random_uuid", "generate_series", "generate_subscripts",
    "get_bit", "get_byte", "get_current_ts_config", "has_any_column_privilege", "has_column_privilege",
    "has_database_privilege", "has_foreign_data_wrapper_privilege", "has_function_privilege", "has_language_privilege",
    "has_parameter_privilege", "has_schema_privilege", "has_sequence_privilege", "has_server_privilege",
    "has_table_privilege", "has_tablespace_privilege", "has_type_privilege", "height", "host", "hostmask",
    "inet_server_port", "initcap", "int2", "int4", "int4multirange", "int4range", "int8", "int8multirange",
    "int8range", "interval", "is_normalized", "isclosed", "isempty", "isfinite", "isopen", "json_agg",
    "json_array_elements", "json_array_elements_text", "json_array_length", "json_build_array", "json_build_object",
    "json_each", "json_each_text", "json_object", "json_object_agg", "json_object_keys", "json_populate_record",
    "json_populate_recordset", "json_strip_nulls", "json_to_record", "json_to_recordset", "json_to_tsvector",
    "json_typeof", "jsonb_agg", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length",
    "jsonb_build_array", "jsonb_build_object", "jsonb_concat", "jsonb_delete", "jsonb_each", "jsonb_each_text",
    "jsonb_exists", "jsonb_insert", "jsonb_object", "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists",
    "jsonb_path_exists_tz", "jsonb_path_match", "jsonb_path_match_tz", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_array_tz", "jsonb_path_query_first", "jsonb_path_query_first_tz", "jsonb_path_query_tz",
    "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty", "jsonb_set", "jsonb_set_lax",
    "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset", "jsonb_to_tsvector", "jsonb_typeof", "justify_days",
    "justify_hours", "justify_interval", "lag", "last_value", "lastval", "lcm", "lead", "left", "length", "like",
    "like_escape", "line", "ln", "log", "log10", "lower", "lower_inc", "lower_inf", "lpad", "lseg", "ltrim", "macaddr",
    "macaddr8", "make_date", "make_interval", "make_time", "make_timestamp", "make_timestamptz", "masklen", "max",
    "md5", "min", "min_scale", "mod", "mode", "money", "multirange", "name", "netmask", "network", "normalize", "now",
    "npoints", "nth_value", "ntile", "num_nonnulls", "num_nulls", "numeric", "nummultirange", "numnode", "numrange",
    "obj_description", "octet_length", "oid", "overlaps", "overlay", "parse_ident", "path", "percent_rank",
    "percentile_cont", "percentile_disc", "pg_backend_pid", "pg_client_encoding", "pg_column_size",
    "pg_current_snapshot", "pg_current_wal_lsn", "pg_database_size", "pg_describe_object", "pg_function_is_visible",
    "pg_get_constraintdef", "pg_get_expr", "pg_get_function_arguments", "pg_get_function_identity_arguments",
    "pg_get_function_result", "pg_get_functiondef", "pg_get_indexdef", "pg_get_partition_constraintdef",
    "pg_get_partkeydef", "pg_get_ruledef", "pg_get_serial_sequence", "pg_get_statisticsobjdef", "pg_get_triggerdef",
    "pg_get_userbyid", "pg_get_viewdef", "pg_has_role", "pg_index_column_has_property", "pg_indexes_size",
    "pg_is_in_recovery", "pg_partition_ancestors", "pg_partition_root", "pg_partition_tree",
    "pg_postmaster_start_time", "pg_relation_filepath", "pg_relation_size", "pg_size_bytes", "pg_size_pretty",
    "pg_sleep", "pg_snapshot_xip", "pg_snapshot_xmax", "pg_snapshot_xmin", "pg_table_is_visible", "pg_table_size",
    "pg_total_relation_size", "pg_type_is_visible", "pg_typeof", "pg_visible_in_snapshot", "phraseto_tsquery", "pi",
    "plainto_tsquery", "point", "polygon", "position", "pow", "power", "quote_ident", "quote_literal",
    "quote_nullable", "radians", "radius", "random", "range_agg", "range_intersect_agg", "range_merge", "rank",
    "regexp_count", "regexp_instr", "regexp_like", "regexp_match", "regexp_matches", "regexp_replace",
    "regexp_split_to_array", "regexp_split_to_table", "regexp_substr", "regr_avgx", "regr_avgy", "regr_count",
    "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "repeat", "replace", "reverse",
    "right", "round", "row_number", "row_security_active", "row_to_json", "rpad", "rtrim", "scale", "session_user",
    "set_bit", "set_byte", "set_masklen", "setweight", "sha224", "sha256", "sha384", "sha512", "sign",
    "similar_escape", "similar_to_escape", "sin", "sind", "sinh", "slope", "split_part", "sqrt", "starts_with",
    "statement_timestamp", "stddev", "stddev_pop", "stddev_samp", "string_agg", "string_to_array", "string_to_table",
    "strip", "strpos", "substr", "substring", "sum", "tan", "tand", "tanh", "text", "time", "timeofday", "timestamp",
    "timestamptz", "timetz", "timezone", "to_ascii", "to_char", "to_date", "to_hex", "to_json", "to_jsonb",
    "to_number", "to_regclass", "to_regcollation", "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc",
    "to_regprocedure", "to_regrole", "to_regtype", "to_timestamp", "to_tsquery", "to_tsvector",
    "transaction_timestamp", "translate", "trim_array", "trim_scale", "trunc", "ts_delete", "ts_filter", "ts_headline",
    "ts_rank", "ts_rank_cd", "tsmultirange", "tsrange", "tstzmultirange", "tstzrange", "tsvector_to_array",
    "txid_current", "txid_current_if_assigned", "txid_current_snapshot", "txid_snapshot_xip", "txid_snapshot_xmax",
    "txid_snapshot_xmin", "txid_visible_in_snapshot", "unistr", "unnest", "upper", "upper_inc", "upper_inf", "var_pop",
    "var_samp", "varbit", "varchar", "variance", "version", "websearch_to_tsquery", "width", "width_bucket", "xml",
    "xml_is_well_formed", "xml_is_well_formed_content", "xml_is_well_formed_document", "xmlagg", "xmlcomment",
    "xmlexists", "xmlvalidate", "xpath", "xpath_exists",
    // clang-format on
};
static_assert(std::ranges::is_sorted(kHarmless));

/// The fields of one protobuf message, one after the other.
class Fields {
 public:
  explicit Fields(std::string_view message) noexcept : rest_(message) {}

  bool next() noexcept {
    std::uint64_t tag = 0;
    if (rest_.empty() || !varint(tag)) return false;
    number = static_cast<std::uint32_t>(tag >> 3);
    bytes = {};
    value = 0;
    switch (tag & 7) {
      case 0:
        return varint(value);
      case 1:
        return take(8);
      case 2:
        return varint(value) && take(value);
      case 5:
        return take(4);
    }
    return false;
  }

  std::uint32_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;  ///< of a string or a message

 private:
  bool varint(std::uint64_t& out) noexcept {
    out = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool take(std::uint64_t size) noexcept {
    if (size > rest_.size()) return false;
    bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  std::string_view rest_;
};

std::string_view bytes_of(std::string_view message, std::uint32_t number) noexcept {
  for (Fields field(message); field.next();) {
    if (field.number == number) return field.bytes;
  }
  return {};
}
std::uint64_t value_of(std::string_view message, std::uint32_t number) noexcept {
  for (Fields field(message); field.next();) {
    if (field.number == number) return field.value;
  }
  return 0;
}
/// A Node is a message around the one message that it is.
std::string_view in_node(std::string_view node, std::uint32_t kind) noexcept {
  return bytes_of(node, kind);
}

// --- The shape of a text, before the parser sees it ---

struct Shape {
  std::size_t tokens = 0;
  std::size_t nesting = 0;
};

/// An upper bound of how deep the tree of a text can be. Within brackets depth comes from chains (1+1+…, x::t::t…),
/// which no comma, AND, OR or part of a CASE interrupts, and from set operations and joins, which nothing interrupts.
class NestingBound {
 public:
  void add(int token) {
    const bool after_dot = std::exchange(after_dot_, token == '.');
    if (after_dot) return chain();  // x.and: a keyword is a name there
    switch (token) {
      case '(':
      case '[':
        levels_.push_back({});
        return;
      case PG_QUERY__TOKEN__CASE:
        levels_.push_back({.is_case = true});
        return;
      case ')':
      case ']':
        while (levels_.size() > 1 && levels_.back().is_case) close();
        return close();
      case PG_QUERY__TOKEN__END_P:
        return levels_.back().is_case ? close() : chain();
      case ',':
      case ';':
      case PG_QUERY__TOKEN__OR:
        return separate();
      case PG_QUERY__TOKEN__BETWEEN:
        ++levels_.back().betweens;
        return chain();
      case PG_QUERY__TOKEN__AND:
        if (levels_.back().betweens == 0) return separate();
        --levels_.back().betweens;  // BETWEEN x AND y
        return chain();
      case PG_QUERY__TOKEN__WHEN:
      case PG_QUERY__TOKEN__THEN:
      case PG_QUERY__TOKEN__ELSE:
        return levels_.back().is_case ? separate() : chain();
      case PG_QUERY__TOKEN__UNION:
      case PG_QUERY__TOKEN__INTERSECT:
      case PG_QUERY__TOKEN__EXCEPT:
        ++levels_.back().uninterrupted;
        return separate();
      case PG_QUERY__TOKEN__JOIN:
        ++levels_.back().uninterrupted;
        return chain();
    }
    chain();
  }
  std::size_t finish() {
    while (levels_.size() > 1) close();
    return levels_.front().depth();
  }

 private:
  struct Level {
    std::size_t chain = 0, child = 0;  ///< of the present piece: tokens, and the deepest brackets in it
    std::size_t deepest = 0;           ///< of the pieces before
    std::size_t uninterrupted = 0, betweens = 0;
    bool is_case = false;
    std::size_t depth() const noexcept { return std::max(deepest, chain + child) + uninterrupted; }
  };

  void chain() { ++levels_.back().chain; }
  void separate() {
    Level& level = levels_.back();
    level.deepest = std::max(level.deepest, level.chain + level.child);
    level.chain = level.child = level.betweens = 0;
  }
  void close() {
    if (levels_.size() == 1) return;  // more closing than opening: a syntax error, found by the parser
    const std::size_t depth = levels_.back().depth();
    levels_.pop_back();
    Level& level = levels_.back();
    level.child = std::max(level.child, depth);
    ++level.chain;
  }

  std::vector<Level> levels_{Level{}};
  bool after_dot_ = false;
};

// --- Errors of the parser ---

std::string bounded(std::string_view words) {
  if (words.size() <= kMaxMessageBytes) return std::string(words);
  std::size_t size = kMaxMessageBytes;
  while (size > 0 && (static_cast<unsigned char>(words[size]) & 0xc0) == 0x80) --size;
  return std::string(words.substr(0, size)) + "…";
}

/// The tokens of a text, as its scanner sees them.
class Scan {
 public:
  explicit Scan(const std::string& text) : result_(pg_query_scan(text.c_str())) {}
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;
  ~Scan() { pg_query_free_scan_result(result_); }

  const PgQueryError* error() const noexcept { return result_.error; }
  /// Calls `visit(token, begin, end)` for all but comments, until it says false.
  template <class Visit>
  void each(Visit visit) const {
    for (Fields field({result_.pbuf.data, result_.pbuf.len}); field.next();) {
      if (field.number != 2) continue;  // ScanResult.tokens
      const auto token = static_cast<int>(value_of(field.bytes, 4));
      if (token == PG_QUERY__TOKEN__SQL_COMMENT || token == PG_QUERY__TOKEN__C_COMMENT) continue;
      if (!visit(token, value_of(field.bytes, 1), value_of(field.bytes, 2))) return;
    }
  }

 private:
  PgQueryScanResult result_;
};

/// Which statement of a text that cannot be parsed is the one around a byte: by its semicolons. If there is no saying,
/// the text is one statement.
StatementPlace place_around(const std::string& text, std::size_t byte) {
  StatementPlace place{.text = text};
  const Scan scan(text);
  if (scan.error()) return place;
  struct Piece {
    std::size_t begin, end;
  };
  std::vector<Piece> pieces;
  bool is_open = false;
  scan.each([&](int token, std::size_t begin, std::size_t end) {
    if (token == PG_QUERY__TOKEN__ASCII_59) {
      is_open = false;
      return true;
    }
    if (!std::exchange(is_open, true)) pieces.push_back({begin, end});
    pieces.back().end = end;
    return pieces.size() < kMaxSqlTokens;
  });
  place.total = pieces.size();
  place.is_one_of_several = pieces.size() > 1;
  for (std::size_t i = 0; i < pieces.size() && (i == 0 || pieces[i].begin <= byte); ++i) {
    place.begin = pieces[i].begin;
    place.end = pieces[i].end;
    place.index = i + 1;
  }
  return place;
}

std::unexpected<Error> parser_error(const PgQueryError& error, const std::string& text) {
  const std::string_view message = error.message ? error.message : "syntax error";
  if (message.starts_with("memory exhausted")) return fail(Code::limit_exceeded, "The SQL is nested too deeply");
  Error syntax(Code::syntax_error, bounded(message));
  if (error.cursorpos <= 0) return fail(std::move(syntax));
  const auto position = static_cast<std::uint64_t>(error.cursorpos);
  syntax.fields.emplace_back("position", std::to_string(position));
  add_place(syntax, place_around(text, byte_at(text, position)));
  return fail(std::move(syntax));
}

Result<Shape> shape_of(const std::string& text) {
  const Scan scan(text);
  if (scan.error()) return parser_error(*scan.error(), text);
  Shape shape;
  NestingBound nesting;
  scan.each([&](int token, std::size_t, std::size_t) {
    if (++shape.tokens <= kMaxSqlTokens) nesting.add(token);
    return shape.tokens <= kMaxSqlTokens;
  });
  if (shape.tokens > kMaxSqlTokens) {
    return fail(Code::limit_exceeded, "The SQL has more than " + std::to_string(kMaxSqlTokens) + " tokens");
  }
  shape.nesting = nesting.finish();
  return shape;
}

// --- Parsing ---

/// A tree as libpg_query wrote it.
class Tree {
 public:
  explicit Tree(PgQueryProtobufParseResult result) noexcept : result_(result) {}
  Tree(Tree&& o) noexcept : result_(std::exchange(o.result_, PgQueryProtobufParseResult{})) {}
  Tree& operator=(Tree&&) = delete;
  ~Tree() { pg_query_free_protobuf_parse_result(result_); }

  const PgQueryError* error() const noexcept { return result_.error; }
  std::string_view bytes() const noexcept { return {result_.parse_tree.data, result_.parse_tree.len}; }

 private:
  PgQueryProtobufParseResult result_;
};

/// Parses on a thread of its own, whose stack holds the deepest tree that passes the bounds.
Result<Tree> parse_on_large_stack(const std::string& text) {
  struct Job {
    const char* text;
    PgQueryProtobufParseResult result;
  } job{text.c_str(), {}};
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kParserStackBytes);
  const int failed = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        Job& mine = *static_cast<Job*>(argument);
        mine.result = pg_query_parse_protobuf(mine.text);
        return nullptr;
      },
      &job);
  pthread_attr_destroy(&attributes);
  if (failed)
    return fail(Error(Code::overloaded, "The SQL could not be parsed at present").logged("pthread_create failed"));
  pthread_join(thread, nullptr);
  return Tree(job.result);
}

Result<Tree> parse(std::string_view sql) {
  if (sql.size() > kMaxSqlBytes) {
    return fail(Code::limit_exceeded, "The SQL is longer than " + std::to_string(kMaxSqlBytes) + " bytes");
  }
  if (!text::is_utf8(sql) || sql.find('\0') != std::string_view::npos) {
    return fail(Code::invalid_encoding, "The SQL is not valid UTF-8, or contains a NUL character");
  }
  const std::string copy(sql);  // ends with the NUL that libpg_query wants
  bool deep = false;
  if (copy.size() > kShortBytes) {
    ATHENA_TRY(const Shape shape, shape_of(copy));
    const std::size_t moved = shape.nesting * (shape.tokens * kTreeBytesOfToken + copy.size());
    if (shape.nesting > kMaxNesting || moved > kMaxMovedBytes) {
      return fail(Code::limit_exceeded, "The SQL is nested too deeply");
    }
    deep = shape.nesting > kMaxNestingOnCallersStack;
  }
  Result<Tree> tree = deep ? parse_on_large_stack(copy) : Tree(pg_query_parse_protobuf(copy.c_str()));
  if (tree && tree->error()) return parser_error(*tree->error(), copy);
  return tree;
}

// --- What the statements do ---

struct KindRow {
  const ProtobufCMessageDescriptor* type;
  StatementKind kind;
};
/// Statements that change no definition. Whatever is not here does: that is the safe side to be wrong on.
const KindRow kKinds[] = {
    {&pg_query__select_stmt__descriptor, StatementKind::select},
    {&pg_query__insert_stmt__descriptor, StatementKind::insert},
    {&pg_query__update_stmt__descriptor, StatementKind::update},
    {&pg_query__delete_stmt__descriptor, StatementKind::del},
    {&pg_query__truncate_stmt__descriptor, StatementKind::del},
    {&pg_query__merge_stmt__descriptor, StatementKind::merge},
    {&pg_query__copy_stmt__descriptor, StatementKind::copy},
    {&pg_query__transaction_stmt__descriptor, StatementKind::transaction_control},
    {&pg_query__explain_stmt__descriptor, StatementKind::utility},
    {&pg_query__variable_set_stmt__descriptor, StatementKind::utility},
    {&pg_query__variable_show_stmt__descriptor, StatementKind::utility},
    {&pg_query__discard_stmt__descriptor, StatementKind::utility},
    {&pg_query__listen_stmt__descriptor, StatementKind::utility},
    {&pg_query__unlisten_stmt__descriptor, StatementKind::utility},
    {&pg_query__notify_stmt__descriptor, StatementKind::utility},
    {&pg_query__prepare_stmt__descriptor, StatementKind::utility},
    {&pg_query__execute_stmt__descriptor, StatementKind::utility},
    {&pg_query__deallocate_stmt__descriptor, StatementKind::utility},
    {&pg_query__declare_cursor_stmt__descriptor, StatementKind::utility},
    {&pg_query__fetch_stmt__descriptor, StatementKind::utility},
    {&pg_query__close_portal_stmt__descriptor, StatementKind::utility},
    {&pg_query__lock_stmt__descriptor, StatementKind::utility},
    {&pg_query__constraints_set_stmt__descriptor, StatementKind::utility},
    {&pg_query__vacuum_stmt__descriptor, StatementKind::utility},
    {&pg_query__cluster_stmt__descriptor, StatementKind::utility},
    {&pg_query__reindex_stmt__descriptor, StatementKind::utility},
    {&pg_query__check_point_stmt__descriptor, StatementKind::utility},
    {&pg_query__load_stmt__descriptor, StatementKind::utility},
    {&pg_query__do_stmt__descriptor, StatementKind::utility},
    {&pg_query__call_stmt__descriptor, StatementKind::utility},
};

/// None if the message is no statement.
std::optional<StatementKind> kind_of(const ProtobufCMessageDescriptor* type) noexcept {
  if (!std::string_view(type->short_name).ends_with("Stmt") || type == &pg_query__raw_stmt__descriptor)
    return std::nullopt;
  const auto row = std::ranges::find(kKinds, type, &KindRow::type);
  return row != std::end(kKinds) ? row->kind : StatementKind::ddl;
}

/// Settings that decide how the statements after them are read: what we saw in those is then no promise.
bool changes_the_language(std::string_view setting) noexcept {
  return text::iequals(setting, "standard_conforming_strings") || text::iequals(setting, "client_encoding");
}
/// SET TRANSACTION READ WRITE and its spelling as a setting: they would undo what the transaction was begun with.
bool controls_the_transaction(std::string_view setting) noexcept {
  return text::to_lower(setting.substr(0, 11)) == "transaction";
}

class Analysis {
 public:
  Result<SqlFacts> run(const Tree& tree) {
    for (Fields field(tree.bytes()); field.next();) {
      if (field.number != 2) continue;  // ParseResult.stmts
      with_names_.clear();
      pending_.clear();
      push({&pg_query__node__descriptor, bytes_of(field.bytes, 1), kNoScope, false, true});
      while (!pending_.empty()) {
        const Item item = pending_.back();
        pending_.pop_back();
        visit(item);
        if (with_names_.size() > kMaxWithNames) {
          return fail(Code::limit_exceeded,
                      "A statement has more than " + std::to_string(kMaxWithNames) + " names in WITH");
        }
      }
    }
    return std::move(facts_);
  }

 private:
  static constexpr std::int32_t kNoScope = -1;

  /// A message that is yet to be visited. Explicit, so that a deep tree needs no stack.
  struct Item {
    const ProtobufCMessageDescriptor* type;
    std::string_view bytes;
    std::int32_t scope;      ///< index of the innermost WITH name that is visible
    bool planned;            ///< inside EXPLAIN without ANALYZE: looked at, never run
    bool outermost = false;  ///< the statement itself
  };
  struct WithName {
    std::string_view name;
    std::int32_t outer;
  };

  void push(Item item) { pending_.push_back(item); }

  void push_children(const Item& item, std::initializer_list<std::uint32_t> except = {}) {
    for (Fields field(item.bytes); field.next();) {
      const ProtobufCFieldDescriptor* of = protobuf_c_message_descriptor_get_field(item.type, field.number);
      if (!of || of->type != PROTOBUF_C_TYPE_MESSAGE || std::ranges::find(except, field.number) != except.end())
        continue;
      push({static_cast<const ProtobufCMessageDescriptor*>(of->descriptor), field.bytes, item.scope, item.planned,
            item.outermost && item.type == &pg_query__node__descriptor});
    }
  }

  void visit(const Item& item) {
    if (item.type == &pg_query__range_var__descriptor) return visit_table(item);
    if (item.type == &pg_query__func_call__descriptor) visit_call(item);
    if (item.type == &pg_query__locking_clause__descriptor) return;  // FOR UPDATE OF names aliases
    if (item.type == &pg_query__into_clause__descriptor) return visit_target(item);
    if (const auto kind = kind_of(item.type)) return visit_statement(item, *kind);
    push_children(item);
  }

  void visit_statement(Item item, StatementKind kind) {
    if (item.type == &pg_query__select_stmt__descriptor && !bytes_of(item.bytes, 2).empty())
      kind = StatementKind::ddl;  // INTO
    if (item.type == &pg_query__variable_set_stmt__descriptor) kind = visit_setting(item);
    if (!item.planned && (item.outermost || kind != StatementKind::select)) facts_.statements.push_back(kind);
    if (!item.planned && runs_unseen_code(item)) facts_.is_volatile = true;
    item.outermost = false;
    item.scope = open_with(item);

    switch (kind) {
      case StatementKind::insert:
      case StatementKind::update:
      case StatementKind::del:
      case StatementKind::merge:
      case StatementKind::ddl:
        if (item.type == &pg_query__truncate_stmt__descriptor) return visit_truncate(item);
        if (item.type == &pg_query__drop_stmt__descriptor) visit_drop(item);
        return visit_target(item);
      case StatementKind::copy:
        if (value_of(item.bytes, 4)) return visit_target(item);  // FROM
        return push_children(item);
      case StatementKind::utility:
        if (item.type == &pg_query__explain_stmt__descriptor && !is_analyzed(item)) item.planned = true;
        return push_children(item);
      case StatementKind::select:
      case StatementKind::transaction_control:
        return push_children(item, {kWithClauseOfSelect});
    }
  }

  /// A statement whose own relation, a field and not a node, is written; tables in its nodes are read.
  void visit_target(const Item& item) {
    for (Fields field(item.bytes); field.next();) {
      const ProtobufCFieldDescriptor* of = protobuf_c_message_descriptor_get_field(item.type, field.number);
      if (!of || of->type != PROTOBUF_C_TYPE_MESSAGE) continue;
      const auto* type = static_cast<const ProtobufCMessageDescriptor*>(of->descriptor);
      if (type == &pg_query__range_var__descriptor) {
        add_table(table_of(field.bytes), !item.planned);
      } else if (type != &pg_query__with_clause__descriptor) {
        push({type, field.bytes, item.scope, item.planned});
      }
    }
  }

  void visit_truncate(const Item& item) {
    for (Fields field(item.bytes); field.next();) {
      if (field.number == 1) add_table(table_of(in_node(field.bytes, PG_QUERY__NODE__NODE_RANGE_VAR)), !item.planned);
    }
  }

  /// DROP names tables as lists of strings.
  void visit_drop(const Item& item) {
    switch (value_of(item.bytes, 2)) {
      case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
      case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
        break;
      default:
        return;
    }
    for (Fields field(item.bytes); field.next();) {
      if (field.number != 1) continue;
      const auto names = strings_in(in_node(field.bytes, PG_QUERY__NODE__NODE_LIST), 1);
      if (names.empty()) continue;
      add_table({std::string(names.size() > 1 ? names[names.size() - 2] : ""), std::string(names.back())}, true);
    }
  }

  /// Makes the names in WITH visible, and looks into their queries. Without RECURSIVE a query sees the names before its
  /// own only, so that WITH users AS (SELECT … FROM users) reads the table.
  std::int32_t open_with(const Item& item) {
    std::string_view with;
    for (Fields field(item.bytes); field.next();) {
      const ProtobufCFieldDescriptor* of = protobuf_c_message_descriptor_get_field(item.type, field.number);
      if (of && of->type == PROTOBUF_C_TYPE_MESSAGE && of->descriptor == &pg_query__with_clause__descriptor)
        with = field.bytes;
    }
    const bool recursive = value_of(with, 2) != 0;
    std::int32_t scope = item.scope;
    std::vector<std::pair<std::string_view, std::int32_t>> queries;
    for (Fields field(with); field.next();) {
      if (field.number != 1) continue;
      const std::string_view entry = in_node(field.bytes, PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR);
      queries.emplace_back(entry, scope);
      with_names_.push_back({bytes_of(entry, 1), scope});
      scope = static_cast<std::int32_t>(with_names_.size()) - 1;
    }
    for (const auto& [entry, before] : queries) {
      push({&pg_query__common_table_expr__descriptor, entry, recursive ? scope : before, item.planned});
    }
    return scope;
  }

  void visit_table(const Item& item) {
    Table table = table_of(item.bytes);
    if (table.schema.empty()) {
      for (std::int32_t at = item.scope; at != kNoScope; at = with_names_[static_cast<std::size_t>(at)].outer) {
        if (with_names_[static_cast<std::size_t>(at)].name == table.name) return;
      }
    }
    add_table(std::move(table), false);
  }

  void visit_call(const Item& item) {
    const auto names = strings_in(item.bytes, 1);
    const bool built_in = names.size() == 1 || (names.size() == 2 && names[0] == "pg_catalog");
    const bool harmless = built_in && std::ranges::binary_search(harmless_functions(), names.back());
    if (!harmless && !item.planned) facts_.is_volatile = true;
  }

  StatementKind visit_setting(const Item& item) {
    const std::string_view setting = bytes_of(item.bytes, 2);
    if (changes_the_language(setting)) facts_.is_volatile = true;
    return controls_the_transaction(setting) ? StatementKind::transaction_control : StatementKind::utility;
  }

  /// Statements that run something whose text is elsewhere, or that touch the server's files.
  static bool runs_unseen_code(const Item& item) noexcept {
    if (item.type == &pg_query__copy_stmt__descriptor) return !bytes_of(item.bytes, 6).empty();  // a file or a program
    return item.type == &pg_query__do_stmt__descriptor || item.type == &pg_query__call_stmt__descriptor ||
           item.type == &pg_query__execute_stmt__descriptor || item.type == &pg_query__load_stmt__descriptor;
  }

  /// EXPLAIN ANALYZE, in both spellings; the last one counts.
  static bool is_analyzed(const Item& item) noexcept {
    bool analyzed = false;
    for (Fields field(item.bytes); field.next();) {
      if (field.number != 2) continue;
      const std::string_view option = in_node(field.bytes, PG_QUERY__NODE__NODE_DEF_ELEM);
      if (bytes_of(option, 2) != "analyze") continue;
      const std::string_view argument = bytes_of(option, 3);
      const std::string_view word = bytes_of(in_node(argument, PG_QUERY__NODE__NODE_STRING), 1);
      const bool is_zero =
          !argument.empty() && word.empty() && value_of(in_node(argument, PG_QUERY__NODE__NODE_INTEGER), 1) == 0;
      analyzed = !is_zero && !text::iequals(word, "false") && !text::iequals(word, "off");
    }
    return analyzed;
  }

  static Table table_of(std::string_view range_var) {
    return {std::string(bytes_of(range_var, 2)), std::string(bytes_of(range_var, 3))};
  }

  /// The strings in a repeated field of nodes: the parts of a dotted name.
  static std::vector<std::string_view> strings_in(std::string_view message, std::uint32_t number) {
    std::vector<std::string_view> strings;
    for (Fields field(message); field.next();) {
      if (field.number == number) strings.push_back(bytes_of(in_node(field.bytes, PG_QUERY__NODE__NODE_STRING), 1));
    }
    return strings;
  }

  void add_table(Table table, bool written) {
    std::string key = (written ? "w" : "r") + table.schema + '\0' + table.name;
    if (!seen_.insert(std::move(key)).second) return;
    (written ? facts_.writes : facts_.reads).push_back(std::move(table));
  }

  static constexpr std::uint32_t kWithClauseOfSelect = 16;

  SqlFacts facts_;
  std::vector<Item> pending_;
  std::vector<WithName> with_names_;
  std::unordered_set<std::string> seen_;
};

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

std::span<const std::string_view> harmless_functions() noexcept {
  return kHarmless;
}

Result<SqlFacts> analyze_sql(std::string_view text) {
  ATHENA_TRY(const Tree tree, parse(text));
  return Analysis().run(tree);
}

Result<std::vector<std::string_view>> split_statements(std::string_view text) {
  ATHENA_TRY(const Tree tree, parse(text));
  std::vector<std::string_view> statements;
  for (Fields field(tree.bytes()); field.next();) {
    if (field.number != 2) continue;
    const std::size_t location = value_of(field.bytes, 2), length = value_of(field.bytes, 3);
    std::string_view statement =
        text.substr(std::min(location, text.size()), length == 0 ? std::string_view::npos : length);
    while (!statement.empty() && is_blank(statement.front())) statement.remove_prefix(1);
    while (!statement.empty() && is_blank(statement.back())) statement.remove_suffix(1);
    statements.push_back(statement);
  }
  return statements;
}

}  // namespace athena::driver::postgres
