#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <athena/base/error.h>

namespace athena::driver {

/// A statement in what a caller wrote, which may be several.
struct StatementPlace {
  std::string_view text;  ///< all of it
  std::size_t begin = 0;  ///< where the statement begins, in bytes; blanks before it do not count
  std::size_t end = 0;    ///< and ends; 0: unknown
  std::size_t index = 1;  ///< which one it is, from 1
  std::size_t total = 0;  ///< how many there are; 0: unknown
  bool is_one_of_several = false;
};

/// Says where in the caller's text an error belongs: `line` and `line_column` of its detail `position`, if it has one
/// (`column` names a column); and of several statements which one failed, in the details `statement_index`,
/// `total_statements`, `line_start` and `line_end`, and in the error's first words. Lines and columns count from 1,
/// columns in characters.
void add_place(Error& error, const StatementPlace& place);

/// The byte at which the character at `position`, counted from 1, begins; the end of a text that has not so many.
std::size_t byte_at(std::string_view text, std::uint64_t position) noexcept;

}  // namespace athena::driver
