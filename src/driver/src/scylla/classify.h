#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <athena/base/result.h>
#include <athena/driver/backend.h>

namespace athena::driver::scylla {

/// What one text of CQL does, by a strict tokenizer of our own: comments, quotes, $$ strings, BEGIN BATCH. A semicolon
/// at the end is allowed. Errors: syntax_error with `position` (in characters, from 1) for what is not closed or does
/// not begin like a statement; unsupported_statement for several statements (a batch is one); limit_exceeded.
Result<SqlFacts> analyze_cql(std::string_view text);

/// The bind markers of a text, in order: `?` and `:name` outside of strings and comments.
struct BindMarkers {
  std::size_t count = 0;
  std::vector<std::string_view> names;  ///< of `:name`; empty for a `?`. Views into the text
};
Result<BindMarkers> find_bind_markers(std::string_view text);

}  // namespace athena::driver::scylla
