#include "d1/errors.h"

#include <algorithm>
#include <utility>

#include <athena/base/json.h>
#include <athena/base/text.h>

#include "sqlite/errors.h"

namespace athena::driver::d1 {
namespace {

constexpr std::size_t kMostText = 1'000;

using enum Effect;
/// The first row that fits decides.
constexpr SentenceRow kSentences[] = {
    {"To execute a transaction, please use", Code::unsupported_statement,
     "Transactions cannot be controlled by statements here", "The statements of one request are one transaction",
     refused},
    {"Wrong number of parameter bindings", Code::invalid_parameter,
     "The query has not as many parameters as there are values", "", refused},
    {"No SQL statements detected", Code::invalid_value, "The query holds no statement", "", refused},
    {"SQL code did not contain a statement", Code::invalid_value, "The query holds no statement", "", refused},
    {"D1_TYPE_ERROR", Code::invalid_parameter, "A parameter has a type that d1 does not take", "", refused},
    {"unknown database binding", Code::configuration_error, "The D1 proxy does not know the database binding", "",
     refused},
    {"sessionMode must be", Code::invalid_value, "The session mode is not one that the D1 proxy takes",
     "first-primary or first-unconstrained", refused},
    {"bookmark", Code::invalid_value, "The bookmark is not one of this database", "Send none to begin anew.", refused},
    {"Exceeded maximum DB size", Code::disk_full, "The database has reached the largest size that d1 allows", "",
     refused},
    {"maximum account storage limit", Code::disk_full, "The account has reached the storage that d1 allows", "",
     refused},
    {"query limit", Code::limit_exceeded, "The Worker has run as many queries as it may", "", not_run},
    {"overloaded", Code::database_unavailable, "The database is overloaded", "Try again shortly.", not_run},
    {"Too many requests queued", Code::database_unavailable, "The database is overloaded", "Try again shortly.",
     not_run},
    {"Network connection lost", Code::database_unavailable, "The connection to the database was lost", "", unknown},
    {"Cannot resolve D1 DB", Code::database_unavailable, "The database cannot be found for the moment", "", not_run},
    {"object to be reset", Code::database_unavailable, "The database was reset while the statement ran", "", unknown},
    {"reset because its code was updated", Code::database_unavailable, "The database was reset while the statement ran",
     "", unknown},
    {"storage operation exceeded timeout", Code::statement_timeout, "The statement took longer than d1 allows", "",
     unknown},
    {"statement too long", Code::limit_exceeded, "The statement is longer than d1 takes", "", refused},
    {"exceeded its CPU time limit", Code::statement_timeout, "The statement took longer than d1 allows", "", unknown},
    {"exceeded its memory limit", Code::result_too_large, "The result is larger than the Worker can hold",
     "Ask for fewer rows or columns.", in_vain},
};

/// What the names of result codes and the sentence before them say: "D1_ERROR: no such table: x at offset 14:
/// SQLITE_ERROR (extended: …)". None: it is not of SQLite.
struct SqliteText {
  int code = 0, offset = -1;
  std::string_view message;
};
std::optional<SqliteText> read_sqlite(std::string_view text) {
  SqliteText read;
  constexpr std::string_view kExtended = " (extended: ";
  const std::size_t name = text.substr(0, text.rfind(kExtended)).rfind(": SQLITE_");
  if (name == std::string_view::npos) return std::nullopt;
  std::string_view names = text.substr(name + 2);
  read.message = text.substr(0, name);
  const std::size_t extended = names.find(kExtended);
  std::optional<int> code;
  if (extended != std::string_view::npos && names.ends_with(')')) {
    code =
        sqlite::result_code(names.substr(extended + kExtended.size(), names.size() - extended - kExtended.size() - 1));
  }
  if (!code) code = sqlite::result_code(names.substr(0, extended));
  if (!code) return std::nullopt;
  read.code = *code;
  // The class's own prefix may stand there more than once: each layer adds its own.
  for (const std::string_view prefix : {"D1_ERROR: ", "Error: ", "D1_EXEC_ERROR: ", "D1_ERROR: "}) {
    if (read.message.starts_with(prefix)) read.message.remove_prefix(prefix.size());
  }
  constexpr std::string_view kOffset = " at offset ";
  if (const std::size_t at = read.message.rfind(kOffset); at != std::string_view::npos) {
    const auto offset = text::parse_u64(read.message.substr(at + kOffset.size()));
    if (offset && *offset < 1'000'000) {
      read.offset = static_cast<int>(*offset);
      read.message = read.message.substr(0, at);
    }
  }
  return read;
}

Effect effect_of_sqlite(const Error& error) {
  // Each request is a transaction of its own: what failed in SQLite was rolled back.
  return error.row().retryable ? not_run : refused;
}

struct StatusRow {
  int status;
  Code code;
  std::string_view text, hint;
  Effect effect;
};
constexpr StatusRow kStatuses[] = {
    {401, Code::configuration_error, "The D1 proxy does not accept the token",
     "Set the client's key to the AUTH_TOKEN of the Worker.", refused},
    {403, Code::configuration_error, "The D1 proxy does not accept the token",
     "Set the client's key to the AUTH_TOKEN of the Worker.", refused},
    {404, Code::configuration_error, "There is no D1 proxy at the client's address", "", refused},
    {405, Code::configuration_error, "There is no D1 proxy at the client's address", "", refused},
    {413, Code::limit_exceeded, "The statement is larger than the D1 proxy takes", "", refused},
    {429, Code::database_unavailable, "The D1 proxy takes no more requests for the moment", "Try again shortly.",
     not_run},
};

const SentenceRow* find_sentence(std::string_view text) {
  const auto* row = std::ranges::find_if(kSentences, [text](const SentenceRow& r) { return text.contains(r.part); });
  return row == std::end(kSentences) ? nullptr : row;
}

const StatusRow* find_status(int status) {
  const auto* row = std::ranges::find(kStatuses, status, &StatusRow::status);
  return row == std::end(kStatuses) ? nullptr : row;
}

/// "Cloudflare D1 proxy request failed with status 502: …", for the log: the text is a server's.
std::string log_line(int status, std::string_view text) {
  std::string line = "Cloudflare D1 proxy request failed with status " + std::to_string(status);
  if (text.empty()) return line;
  return line + ": " + (text::is_utf8(text) ? std::string(text.substr(0, kMostText)) : "(not UTF-8)");
}

Failure classify(int status, std::string_view said, const CallerText& text) {
  if (const auto sqlite = read_sqlite(said)) {
    const sqlite::ErrorContext context{.caller_sql = text.is_caller_sql, .text = text.sql};
    Failure failure{sqlite::to_error({sqlite->code, sqlite->offset, sqlite->message}, context), refused};
    failure.effect = effect_of_sqlite(failure.error);
    return failure;
  }
  if (const SentenceRow* row = find_sentence(said)) {
    return {Error(row->code, std::string(row->text), std::string(row->hint)), row->effect};
  }
  if (const StatusRow* row = find_status(status)) {
    return {Error(row->code, std::string(row->text), std::string(row->hint)), row->effect};
  }
  if (status >= 500) {
    return {
        Error(Code::database_unavailable, "Cloudflare D1 proxy request failed with status " + std::to_string(status)),
        unknown};
  }
  if (status >= 400 && text.is_caller_sql && said.starts_with("D1_")) {
    return {Error(Code::unsupported_statement, "d1 refuses the statement: " + std::string(said.substr(0, kMostText))),
            refused};
  }
  return {Error(Code::database_error, "Cloudflare D1 proxy request failed with status " + std::to_string(status)),
          status >= 300 ? refused : in_vain};
}

}  // namespace

std::span<const SentenceRow> sentence_rows() noexcept {
  return kSentences;
}

std::string failure_text(std::string_view body) {
  const auto document = json::Document::parse(body);
  if (!document) return {};
  for (const std::string_view name : {"message", "error"}) {
    const json::Value value = document->root()[name];
    if (value.is_string() && !value.as_string().empty()) return std::string(value.as_string());
    if (const json::Value inner = value["message"]; inner.is_string()) return std::string(inner.as_string());
  }
  return {};
}

Failure failure_of(const http::ClientResponse& response, const CallerText& text) {
  const std::string said = failure_text(response.body);
  Failure failure = classify(response.status, said, text);
  failure.error.fields.emplace_back("proxy_status", std::to_string(response.status));
  const std::string before = failure.error.log_detail.empty() ? "" : failure.error.log_detail + "; ";
  failure.error.log_detail = before + log_line(response.status, said);
  return failure;
}

Error failed_with(int status, std::string_view text) {
  Error error = classify(status, text, {}).error;
  error.log_detail = log_line(status, text);
  return error;
}

Error invalid_json(std::string_view why) {
  return Error(Code::database_error, "Cloudflare D1 proxy returned invalid JSON: " + std::string(why));
}

Failure no_answer(const Error& error, bool sent) {
  Failure failure{error, sent ? unknown : not_run};
  if (error.code == Code::deadline_exceeded) {
    failure.error = Error(Code::statement_timeout, "The D1 proxy did not answer in time");
  } else if (error.code == Code::database_unavailable) {
    failure.error = Error(Code::database_unavailable, "The D1 proxy cannot be reached");
  } else if (error.code == Code::result_too_large) {
    failure.error = Error(Code::result_too_large, "The result is more than can be taken from d1 at once",
                          "Ask for fewer rows or columns.");
    failure.effect = in_vain;
  } else {  // cancelled, overloaded, configuration_error say it themselves
    failure.effect = sent ? in_vain : refused;
  }
  failure.error.log_detail = "Cloudflare D1 proxy request failed: " + error.error + " " + error.log_detail;
  return failure;
}

}  // namespace athena::driver::d1
