#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <athena/query/read_json.h>

namespace athena::query {

/// One case of a golden file: how to ask, and the lines that must come of it.
///
///     == a title
///     fetch {"table_name": "users"}
///     > postgres SELECT …
///     > postgres params text "1"
///
/// The word before the request is fetch, count, update, insert, delete, url (a query string) or filter (dotted text, on
/// the table users). A request may go on in lines that start with blanks. `with camel` and `with default_limit 0` set
/// options. Files whose names begin with "rest" show PostgREST requests, those with "cql" CQL, those with "d1" the SQL
/// of D1, the others SQL. Lines starting with '#' are comments. GOLDEN_UPDATE=1 in the environment writes the expected
/// lines anew.
struct GoldenCase {
  std::string title;
  std::vector<std::string> comments;  ///< kept when the file is written anew
  std::string kind;
  std::string request;
  bool camel = false;
  enum class Language : std::uint8_t { sql, rest, cql, d1 } language = Language::sql;  ///< by the name of the file
  std::uint64_t default_limit = 100;
  std::vector<std::string> expected;
};

struct GoldenFile {
  std::filesystem::path path;
  std::vector<GoldenCase> cases;
};

/// Every *.txt of the folder, by name. Empty `cases` of a file mean that it could not be read.
std::vector<GoldenFile> read_golden_files(const std::filesystem::path& folder);
void write_golden_file(const GoldenFile& file);

/// What comes of the case now.
std::vector<std::string> run(const GoldenCase& golden);

}  // namespace athena::query
