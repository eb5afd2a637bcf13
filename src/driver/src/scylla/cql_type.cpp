#include "scylla/cql_type.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <athena/base/text.h>

namespace athena::driver::scylla {
namespace {

struct NameRow {
  std::string_view name;        ///< in system_schema
  std::string_view class_name;  ///< after org.apache.cassandra.db.marshal.
  CqlKind kind;
  query::TypeClass type;
};

using query::TypeClass;

/// For two names of one kind the first is the one that is written.
constexpr NameRow kNames[] = {
    {"ascii", "AsciiType", CqlKind::ascii, TypeClass::text},
    {"bigint", "LongType", CqlKind::bigint, TypeClass::integer},
    {"blob", "BytesType", CqlKind::blob, TypeClass::bytes},
    {"boolean", "BooleanType", CqlKind::boolean, TypeClass::boolean},
    {"counter", "CounterColumnType", CqlKind::counter, TypeClass::integer},
    {"decimal", "DecimalType", CqlKind::decimal, TypeClass::decimal},
    {"double", "DoubleType", CqlKind::double_, TypeClass::real},
    {"float", "FloatType", CqlKind::float_, TypeClass::real},
    {"int", "Int32Type", CqlKind::int_, TypeClass::integer},
    {"timestamp", "TimestampType", CqlKind::timestamp, TypeClass::timestamptz},
    {"uuid", "UUIDType", CqlKind::uuid, TypeClass::uuid},
    {"text", "UTF8Type", CqlKind::text, TypeClass::text},
    {"varchar", "UTF8Type", CqlKind::text, TypeClass::text},
    {"varint", "IntegerType", CqlKind::varint, TypeClass::decimal},
    {"timeuuid", "TimeUUIDType", CqlKind::timeuuid, TypeClass::uuid},
    {"inet", "InetAddressType", CqlKind::inet, TypeClass::text},
    {"date", "SimpleDateType", CqlKind::date, TypeClass::date},
    {"time", "TimeType", CqlKind::time, TypeClass::time},
    {"smallint", "ShortType", CqlKind::smallint, TypeClass::integer},
    {"tinyint", "ByteType", CqlKind::tinyint, TypeClass::integer},
    {"duration", "DurationType", CqlKind::duration, TypeClass::text},
};

struct ContainerRow {
  std::string_view name, class_name;
  CqlKind kind;
  std::size_t elements;  ///< 0: one or more
};
constexpr ContainerRow kContainers[] = {{"list", "ListType", CqlKind::list, 1},
                                        {"set", "SetType", CqlKind::set, 1},
                                        {"map", "MapType", CqlKind::map, 2},
                                        {"tuple", "TupleType", CqlKind::tuple, 0}};

std::size_t count_nodes(const CqlType& type) noexcept {
  std::size_t nodes = 1;
  for (const CqlType& element : type.elements) nodes += count_nodes(element);
  return nodes;
}

constexpr bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == '$';
}

/// Reads either spelling; they differ in brackets and names only.
class Parser {
 public:
  enum class Spelling : std::uint8_t { cql, classes };
  Parser(std::string_view text, Spelling spelling, const UdtLookup* lookup)
      : whole_(text), rest_(text), spelling_(spelling), lookup_(lookup) {}

  Result<CqlType> run() {
    ATHENA_TRY(auto type, read(0));
    blanks();
    if (!rest_.empty()) return malformed();
    return type;
  }

 private:
  char open() const noexcept { return spelling_ == Spelling::cql ? '<' : '('; }
  char close() const noexcept { return spelling_ == Spelling::cql ? '>' : ')'; }

  std::unexpected<Error> malformed() const {
    return fail(Error(Code::internal_error, "The database has a column of a type that cannot be read")
                    .logged("type '" + std::string(whole_.substr(0, 200)) + "'"));
  }
  void blanks() noexcept {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool take(char c) noexcept {
    blanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// A bare word, or one between double quotes. Empty: there is none.
  std::string word() {
    blanks();
    std::string name;
    if (spelling_ == Spelling::cql && rest_.starts_with('"')) {
      for (rest_.remove_prefix(1); !rest_.empty(); rest_.remove_prefix(1)) {
        if (rest_.front() == '"') {
          rest_.remove_prefix(1);
          if (!rest_.starts_with('"')) return name;
        }
        name += rest_.front();
      }
      return {};
    }
    const auto end = std::ranges::find_if_not(rest_, is_word);
    name.assign(rest_.begin(), end);
    rest_.remove_prefix(name.size());
    return name;
  }

  Result<CqlType> read(std::size_t depth) {
    if (depth > kMaxTypeDepth) return malformed();
    blanks();
    const bool was_quoted = rest_.starts_with('"');
    const std::string name = word();
    if (name.empty()) return malformed();
    CqlType type;
    ATHENA_TRY(type, was_quoted ? named(name) : read_named(name, depth));
    nodes_ += count_nodes(type) - inner_nodes(type);
    if (nodes_ > kMaxTypeNodes) return malformed();
    return type;
  }
  /// What was counted already while they were read; a user-defined type comes whole.
  static std::size_t inner_nodes(const CqlType& type) noexcept {
    return type.kind == CqlKind::udt ? 0 : count_nodes(type) - 1;
  }

  Result<CqlType> read_named(std::string_view name, std::size_t depth) {
    const bool cql = spelling_ == Spelling::cql;
    const std::string_view full = name;
    constexpr std::string_view kPackage = "org.apache.cassandra.db.marshal.";
    if (!cql && name.starts_with(kPackage)) name.remove_prefix(kPackage.size());
    const auto is = [&](std::string_view in_cql, std::string_view as_class) {
      return cql ? text::iequals(name, in_cql) : name == as_class;
    };
    if (is("frozen", "FrozenType") || is("reversed", "ReversedType")) return read_single(depth);
    if (is("vector", "VectorType")) return read_vector(depth);
    for (const ContainerRow& row : kContainers) {
      if (is(row.name, row.class_name)) return read_container(row, depth);
    }
    for (const NameRow& row : kNames) {
      if (is(row.name, row.class_name)) return CqlType{.kind = row.kind};
    }
    return cql ? named(text::to_lower(name)) : read_custom(full);
  }

  Result<CqlType> read_single(std::size_t depth) {
    if (!take(open())) return malformed();
    ATHENA_TRY(auto type, read(depth + 1));
    if (!take(close())) return malformed();
    return type;
  }
  Result<CqlType> read_vector(std::size_t depth) {
    if (!take(open())) return malformed();
    CqlType type{.kind = CqlKind::vector};
    ATHENA_TRY(type.elements.emplace_back(), read(depth + 1));
    if (!take(',')) return malformed();
    const auto dimension = text::parse_u64(word());
    if (!dimension || *dimension == 0 || *dimension > kMaxDimension || !take(close())) return malformed();
    type.dimension = static_cast<std::uint32_t>(*dimension);
    return type;
  }
  Result<CqlType> read_container(const ContainerRow& row, std::size_t depth) {
    CqlType type{.kind = row.kind};
    if (!take(open())) return malformed();
    do {
      ATHENA_TRY(type.elements.emplace_back(), read(depth + 1));
      if (type.elements.size() > kMaxTypeNodes) return malformed();
    } while (take(','));
    if (!take(close()) || (row.elements != 0 && type.elements.size() != row.elements)) return malformed();
    return type;
  }
  /// A class that we do not know, with whatever stands between its brackets.
  Result<CqlType> read_custom(std::string_view name) {
    CqlType type;
    type.name = name;
    if (!take('(')) return type;
    for (std::size_t open_brackets = 1; open_brackets > 0; rest_.remove_prefix(1)) {
      if (rest_.empty()) return malformed();
      if (rest_.front() == '(') ++open_brackets;
      if (rest_.front() == ')') --open_brackets;
    }
    return type;
  }

  Result<CqlType> named(std::string_view name) const {
    if (const CqlType* found = lookup_ && *lookup_ ? (*lookup_)(name) : nullptr) return *found;
    // A class between single quotes in CREATE TABLE comes back bare.
    CqlType type;
    type.name = name;
    return type;
  }

  std::string_view whole_, rest_;
  Spelling spelling_;
  const UdtLookup* lookup_;
  std::size_t nodes_ = 0;
};

void append_name(std::string& out, std::string_view name) {
  const bool plain = !name.empty() && (name.front() < '0' || name.front() > '9') &&
                     std::ranges::all_of(name, [](char c) { return is_word(c) && (c < 'A' || c > 'Z'); });
  if (plain) {
    out += name;
    return;
  }
  out += '"';
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

void append(std::string& out, const CqlType& type) {
  const auto* container = std::ranges::find(kContainers, type.kind, &ContainerRow::kind);
  const auto* plain = std::ranges::find(kNames, type.kind, &NameRow::kind);
  if (type.kind == CqlKind::vector || container != std::end(kContainers)) {
    out += type.kind == CqlKind::vector ? std::string_view("vector") : container->name;
    for (std::size_t i = 0; i < type.elements.size(); ++i) {
      out += i == 0 ? "<" : ", ";
      append(out, type.elements[i]);
    }
    if (type.kind == CqlKind::vector) out += ", " + std::to_string(type.dimension);
    out += '>';
  } else if (plain != std::end(kNames)) {
    out += plain->name;
  } else {
    append_name(out, type.name);
  }
}

}  // namespace

Result<CqlType> parse_cql_type(std::string_view text, const UdtLookup& lookup) {
  if (text.size() >= 2 && text.starts_with('\'') && text.ends_with('\''))
    return parse_class_name(text.substr(1, text.size() - 2));
  return Parser(text, Parser::Spelling::cql, &lookup).run();
}

Result<CqlType> parse_class_name(std::string_view text) {
  return Parser(text, Parser::Spelling::classes, nullptr).run();
}

std::string to_string(const CqlType& type) {
  std::string text;
  append(text, type);
  return text;
}

query::TypeClass type_class(const CqlType& type) noexcept {
  const auto* row = std::ranges::find(kNames, type.kind, &NameRow::kind);
  if (row != std::end(kNames)) return row->type;
  return type.kind == CqlKind::custom ? TypeClass::other : TypeClass::json;
}

}  // namespace athena::driver::scylla
