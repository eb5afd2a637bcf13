#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <athena/query/print.h>

namespace athena::query {

/// What is wrong with a printed statement, or none. Every token must be a keyword of ours, a name of the schema in
/// quotes, a placeholder that has a parameter, or a literal that is known beforehand: so nothing of the caller's can be
/// in it.
std::optional<std::string> complaint_about_tokens(const Printed& printed, const Schema& schema, Flavor flavor);

/// What PostgreSQL's own parser says against `sql` as exactly one statement of the kind ("SelectStmt"), or none.
std::optional<std::string> complaint_of_parser(const std::string& sql, std::string_view kind);

/// The node that PostgreSQL's parser makes of the statement's kind.
std::string_view node_of(const Statement& statement);

/// All of the above that apply.
std::optional<std::string> complaint(const Printed& printed, const Schema& schema, Flavor flavor,
                                     const Statement& statement);

}  // namespace athena::query
