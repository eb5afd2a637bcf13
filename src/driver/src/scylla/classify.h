#pragma once

#include <string_view>

#include <athena/base/result.h>
#include <athena/driver/backend.h>

namespace athena::driver::scylla {

/// What one text of CQL does, by a strict tokenizer of our own: comments, quotes, $$ strings, BEGIN BATCH. Names come
/// as CQL understands them: in lower case unless they are quoted. A semicolon at the end is allowed. Errors:
/// syntax_error with `position` (in characters, from 1) for what is not closed or does not begin as a statement does;
/// unsupported_statement for several statements (a batch is one) and for USE.
Result<SqlFacts> analyze_cql(std::string_view text);

}  // namespace athena::driver::scylla
