#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/error.h>
#include <athena/driver/backend.h>

struct sqlite3;

namespace athena::driver::sqlite {

/// What the compiler of SQLite said that one statement does.
struct StatementFacts {
  std::optional<StatementKind> kind;  ///< none: SQLite told nothing, as for VACUUM
  std::vector<std::string> reads, writes;
  bool writes_internal = false;  ///< sqlite_sequence, sqlite_stat1: only as a consequence of DDL
};

/// Decides what a statement may do, while SQLite compiles it: the callback sees what is really meant, through views,
/// triggers and table-valued functions, where a look at the text would not.
///
/// It stays installed for the life of the connection, because installing one expires all prepared statements. For our
/// own statements it is in `trusted` mode. Statements of callers are compiled in `caller` mode, and run in it too:
/// SQLite may compile a statement again while it runs.
class Authorizer {
 public:
  enum class Mode : std::uint8_t {
    trusted,  ///< our own statements
    caller,   ///< raw SQL
  };

  /// Installs itself; must live as long as `db`.
  explicit Authorizer(sqlite3* db) noexcept;
  Authorizer(const Authorizer&) = delete;
  Authorizer& operator=(const Authorizer&) = delete;

  void set_mode(Mode mode) noexcept { mode_ = mode; }
  Mode mode() const noexcept { return mode_; }

  /// Forgets what the last statement did and why it was refused.
  void begin_statement();
  const StatementFacts& facts() const noexcept { return facts_; }
  /// Why something was refused since begin_statement().
  const std::optional<Error>& refusal() const noexcept { return refusal_; }

 private:
  static int callback(void* self, int action, const char* third, const char* fourth, const char* schema,
                      const char* trigger) noexcept;
  int decide(int action, std::string_view third, std::string_view fourth, std::string_view schema, bool in_trigger);
  int write(StatementKind kind, std::string_view table, std::string_view schema, bool in_trigger);
  int define(std::string_view table, std::string_view schema);
  int pragma(std::string_view name, std::string_view argument);
  int refuse_temporary();
  int refuse(Code code, std::string text, std::string hint = {});
  void set_kind(StatementKind kind);

  Mode mode_ = Mode::trusted;
  StatementFacts facts_;
  std::optional<Error> refusal_;
};

}  // namespace athena::driver::sqlite
