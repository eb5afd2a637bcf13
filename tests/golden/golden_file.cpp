#include "golden_file.h"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <utility>

#include <athena/base/buffer.h>
#include <athena/base/json_writer.h>
#include <athena/base/text.h>
#include <athena/query/print.h>
#include <athena/query/print_cql.h>
#include <athena/query/print_rest.h>

#include "golden_schema.h"

namespace athena::query {
namespace {

bool take_prefix(std::string_view& line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return false;
  line.remove_prefix(prefix.size());
  return true;
}

void read_line(std::string_view line, GoldenFile& file, std::vector<std::string>& comments) {
  if (line.starts_with('#')) {
    comments.emplace_back(line);
    return;
  }
  if (take_prefix(line, "== ")) {
    file.cases.push_back({.title = std::string(line),
                          .comments = std::exchange(comments, {}),
                          .kind = {},
                          .request = {},
                          .expected = {}});
    return;
  }
  if (line.empty() || file.cases.empty()) return;
  GoldenCase& golden = file.cases.back();
  if (take_prefix(line, "> ")) {
    golden.expected.emplace_back(line);
  } else if (line.starts_with("  ")) {
    golden.request += '\n';
    golden.request += line;
  } else if (line == "with camel") {
    golden.camel = true;
  } else if (take_prefix(line, "with default_limit ")) {
    golden.default_limit = text::parse_u64(line).value_or(100);
  } else {
    const std::size_t blank = line.find(' ');
    golden.kind = line.substr(0, blank);
    golden.request = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  }
}

std::string error_line(const Error& error) {
  return std::string(error.row().wire_code) + ": " + error.error;
}

std::string params_line(const std::vector<Param>& params) {
  static constexpr std::string_view kKinds[] = {"null", "text", "integer", "real", "boolean"};
  Buffer line;
  for (const Param& param : params) {
    if (!line.empty()) line.append(", ");
    line.append(kKinds[static_cast<std::size_t>(param.kind)]);
    if (param.kind == ParamKind::null) continue;
    line.push_back(' ');
    if (param.kind == ParamKind::text)
      json::append_string(line, text::is_utf8(param.text) ? param.text : text::hex(param.text));
    else
      line.append(param.text);
  }
  return std::string(line.view());
}

void print_flavour(const GoldenCase& golden, const Statement& statement, Flavor flavor,
                   std::vector<std::string>& lines) {
  static const Schema kSchemas[] = {golden_schema(Flavor::postgres), golden_schema(Flavor::sqlite)};
  const bool postgres = flavor == Flavor::postgres;
  const Schema& schema = kSchemas[postgres ? 0 : 1];
  const PrintOptions options{.flavor = flavor, .names = {.camel_to_snake = golden.camel}};
  const std::string name = postgres ? "postgres" : std::string(to_string(flavor));
  const auto printed = golden.kind == "count" ? to_count_sql(std::get<Select>(statement), schema, options)
                                              : to_sql(statement, schema, options);
  if (!printed) {
    lines.push_back(name + " error " + error_line(printed.error()));
    return;
  }
  lines.push_back(name + " " + printed->sql);
  if (!printed->params.empty()) lines.push_back(name + " params " + params_line(printed->params));
  if (!postgres) return;
  // Keys and types are the same in both; a list of all of a table's columns is not worth a line in each case.
  if (printed->keys.size() != printed->table->columns.size()) {
    std::string keys = "keys";
    for (const std::string& key : printed->keys) keys += " [" + key + "]";
    lines.push_back(keys);
  }
  if (printed->is_keyed) lines.emplace_back("keyed");
}

/// The request with its query not encoded, which is how people read it; what is encoded is the property test's affair.
void print_rest(const GoldenCase& golden, const Statement& statement, std::vector<std::string>& lines) {
  static const Schema kSchema = golden_schema(Flavor::postgres);
  const RestOptions options{.names = {.camel_to_snake = golden.camel}};
  const auto printed = golden.kind == "count"
                           ? to_rest_count(std::get<Select>(statement), Count::exact, kSchema, options)
                           : to_rest(statement, kSchema, options);
  if (!printed) {
    lines.push_back("rest error " + error_line(printed.error()));
    return;
  }
  lines.push_back("rest " + printed->method + " " + printed->path);
  for (const auto& [name, value] : printed->query) {
    std::string shown = value;
    for (std::size_t at = 0; (at = shown.find('\n', at)) != std::string::npos;) shown.replace(at, 1, "<newline>");
    lines.push_back("rest ?" + name + "=" + shown);
  }
  for (const auto& [name, value] : printed->headers) lines.push_back("rest " + name + ": " + value);
  if (!printed->body.empty()) lines.push_back("rest body " + printed->body);
  if (printed->keys.empty() || printed->has_star) return;
  std::string keys = "keys";
  for (const std::string& key : printed->keys) keys += " [" + key + "]";
  if (printed->keys.size() != printed->table->columns.size()) lines.push_back(keys);
}

std::string shown(const Scalar& value) {
  Buffer line;
  if (std::holds_alternative<std::monostate>(value)) line.append("null");
  if (const auto* flag = std::get_if<bool>(&value)) line.append(*flag ? "true" : "false");
  if (const auto* number = std::get_if<Number>(&value)) line.append(number->digits);
  if (const auto* text = std::get_if<std::string>(&value)) json::append_string(line, *text);
  if (const auto* json = std::get_if<JsonText>(&value)) line.append("json " + json->text);
  return std::string(line.view());
}

/// Each statement, its parameters, and which of them the answer gives back.
void print_cql(const GoldenCase& golden, const Statement& statement, std::vector<std::string>& lines) {
  static const Schema kSchema = golden_cql_schema();
  const CqlOptions options{.names = {.camel_to_snake = golden.camel}};
  const auto printed = golden.kind == "count" ? to_count_cql(std::get<Select>(statement), kSchema, options)
                                              : to_cql(statement, kSchema, options);
  if (!printed) {
    lines.push_back("cql error " + error_line(printed.error()));
    if (!printed.error().hint.empty()) lines.push_back("cql hint " + printed.error().hint);
    return;
  }
  if (printed->statements.empty()) lines.emplace_back("cql nothing to ask");
  for (const CqlStatement& one : printed->statements) {
    lines.push_back("cql " + one.cql);
    std::string params, returned;
    for (const CqlParam& param : one.params) params += (params.empty() ? "" : ", ") + shown(param.value);
    if (!params.empty()) lines.push_back("params " + params);
    for (const std::int32_t index : one.returned) returned += " " + std::to_string(index);
    if (!returned.empty()) lines.push_back("returned" + returned);
  }
  std::string keys = "keys";
  for (const std::string& key : printed->keys) keys += " [" + key + "]";
  if (printed->keys.size() != printed->table->columns.size()) lines.push_back(keys);
  std::string traits;
  if (printed->is_keyed) traits += " keyed";
  if (printed->is_conditional) traits += " conditional";
  if (!printed->is_idempotent) traits += " not idempotent";
  if (printed->page_rows > 0) traits += " pages of " + std::to_string(printed->page_rows);
  if (!traits.empty()) lines.push_back(traits.substr(1));
}

Result<Statement> read_url(std::string_view query, const ReadOptions& options) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const std::string_view piece : text::split(query, '&')) {
    const std::size_t equals = piece.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : piece.substr(equals + 1);
    parameters.emplace_back(text::url_decode(piece.substr(0, equals), true).value_or(""),
                            text::url_decode(value, true).value_or(""));
  }
  ATHENA_TRY(auto request, read_fetch_url(parameters, options));
  return Statement(std::move(request.select));
}

Result<Statement> read(const GoldenCase& golden) {
  ReadOptions options;
  options.default_limit = golden.default_limit;
  if (golden.kind == "url") return read_url(golden.request, options);
  if (golden.kind == "filter") {
    Select select;
    select.from.name = "users";
    select.columns.push_back({.column = {.name = "id", .path = {}}, .alias = {}, .cast = {}});
    ATHENA_TRY(select.where, read_filter_text(golden.request, Filter::Join::all_of, options));
    return Statement(std::move(select));
  }
  ATHENA_TRY(const auto document, json::Document::parse(golden.request));
  const json::Value body = document.root();
  if (golden.kind == "update") {
    ATHENA_TRY(auto request, read_update(body, options));
    return Statement(std::move(request.update));
  }
  if (golden.kind == "insert") {
    ATHENA_TRY(auto request, read_insert(body, options));
    return Statement(std::move(request.insert));
  }
  if (golden.kind == "delete") {
    ATHENA_TRY(auto request, read_delete(body, options));
    return Statement(std::move(request.del));
  }
  if (golden.kind == "fetch" || golden.kind == "count") {
    ATHENA_TRY(auto request, read_fetch(body, options));
    return Statement(std::move(request.select));
  }
  return fail(Code::invalid_request, "the golden file knows no requests of kind '" + golden.kind + "'");
}

}  // namespace

std::vector<GoldenFile> read_golden_files(const std::filesystem::path& folder) {
  std::vector<GoldenFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".txt" || entry.path().filename() == "CMakeLists.txt") continue;
    GoldenFile file{entry.path(), {}};
    std::ifstream in(entry.path());
    std::vector<std::string> comments;
    for (std::string line; std::getline(in, line);) read_line(line, file, comments);
    const std::string name = entry.path().stem().string();
    using enum GoldenCase::Language;
    for (GoldenCase& golden : file.cases) {
      golden.language = name.starts_with("rest")  ? rest
                        : name.starts_with("cql") ? cql
                        : name.starts_with("d1")  ? d1
                                                  : sql;
    }
    files.push_back(std::move(file));
  }
  std::ranges::sort(files, {}, &GoldenFile::path);
  return files;
}

void write_golden_file(const GoldenFile& file) {
  std::ofstream out(file.path);
  bool first = true;
  for (const GoldenCase& golden : file.cases) {
    if (!std::exchange(first, false)) out << '\n';
    for (const std::string& comment : golden.comments) out << comment << '\n';
    out << "== " << golden.title << '\n';
    if (golden.camel) out << "with camel\n";
    if (golden.default_limit != 100) out << "with default_limit " << golden.default_limit << '\n';
    out << golden.kind << ' ' << golden.request << '\n';
    for (const std::string& line : golden.expected) out << "> " << line << '\n';
  }
}

std::vector<std::string> run(const GoldenCase& golden) {
  const auto statement = read(golden);
  if (!statement) return {"error " + error_line(statement.error())};
  std::vector<std::string> lines;
  switch (golden.language) {
    case GoldenCase::Language::rest:
      print_rest(golden, *statement, lines);
      break;
    case GoldenCase::Language::cql:
      print_cql(golden, *statement, lines);
      break;
    case GoldenCase::Language::d1:
      print_flavour(golden, *statement, Flavor::d1, lines);
      break;
    case GoldenCase::Language::sql:
      print_flavour(golden, *statement, Flavor::postgres, lines);
      print_flavour(golden, *statement, Flavor::sqlite, lines);
      break;
  }
  return lines;
}

}  // namespace athena::query
