#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <athena/base/error.h>
#include <athena/http/client.h>

namespace athena::driver::d1 {

/// What a failure says about the statement.
enum class Effect : std::uint8_t {
  refused,  ///< it was not carried out, and would not be another time
  not_run,  ///< it was not carried out; another time it may be
  unknown,  ///< it may have been carried out; another time there may be an answer
  in_vain,  ///< it may have been carried out; another time there would be no better answer
};

struct Failure {
  Error error;
  Effect effect = Effect::unknown;
};

/// One row of the table of sentences: what D1 and Workers say that is not SQLite's.
struct SentenceRow {
  std::string_view part;  ///< of the sentence
  Code code;
  std::string_view text, hint;  ///< for the caller; `text` empty: the sentence itself
  Effect effect;
};
std::span<const SentenceRow> sentence_rows() noexcept;

/// Whose text failed: errors in a caller's own SQL say what SQLite said, and where.
struct CallerText {
  bool is_caller_sql = false;
  std::string_view sql = {};
};

/// An answer whose status is no success.
Failure failure_of(const http::ClientResponse& response, const CallerText& text);
/// What the proxy says about it: `message`, else `error`; empty: nothing that can be read.
std::string failure_text(std::string_view body);
/// The error for a status and the proxy's text.
Error failed_with(int status, std::string_view text);
/// The answer is no JSON, or none of the protocol.
Error invalid_json(std::string_view why);
/// No answer: what the HTTP client says, and whether the request had left.
Failure no_answer(const Error& error, bool sent);

}  // namespace athena::driver::d1
