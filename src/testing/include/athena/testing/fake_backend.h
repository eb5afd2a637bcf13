#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <athena/base/event.h>
#include <athena/driver/backend.h>

namespace athena::testing {

/// What a statement is answered with. Views in cells must outlive the answer: string literals do.
struct FakeResult {
  std::vector<driver::ColumnInfo> columns;
  std::vector<std::vector<driver::Cell>> batches;  ///< each: row after row; the last one ends the stream
  std::uint64_t affected = 0;
  std::uint64_t statements = 1;
  std::string cursor;              ///< of the next page
  std::vector<FakeResult> before;  ///< what the statements before this one gave
  std::optional<Error> refused;    ///< instead of rows
  std::optional<Error> broken;     ///< after the last batch
  std::string bookmark;            ///< of the call's session, however it ends
  Event* held = nullptr;           ///< the rows come when it is set. Borrowed
};

/// The rows of `columns`, in one batch.
FakeResult rows_of(std::vector<std::string> columns, std::vector<driver::Cell> cells);
FakeResult refusal(Code code, std::string text = {});

/// A database that answers what a test says, in that order, and remembers what it was asked. It is the shared state of
/// its client, so that a test finds it there.
class FakeDatabase : public driver::SharedState {
 public:
  /// Answers the next statement; without one that waits, a statement has no rows and no columns.
  void answer(FakeResult result) { answers.push_back(std::move(result)); }

  std::deque<FakeResult> answers;
  Result<std::uint64_t> total = 0;
  Result<std::shared_ptr<const query::Schema>> tables;
  std::vector<driver::ConstraintInfo> constraints;
  driver::Health health{.usable = true, .connections = 0, .busy = 0, .last_error = {}};

  std::vector<query::Statement> statements;
  std::vector<driver::Native> natives;
  std::vector<query::Count> counts;
  std::vector<driver::Call> calls;
  std::vector<driver::ReadSession> sessions;  ///< as they were when a statement came
  int streams_open = 0;
  bool stopped = false;

  FakeDatabase();
};

/// The kind "fake": each client of it gets a FakeDatabase. Null for other names.
const driver::BackendKind* find_fake_kind(std::string_view name) noexcept;

}  // namespace athena::testing
