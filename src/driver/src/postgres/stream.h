#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <athena/base/buffer.h>
#include <athena/driver/rows.h>
#include <athena/query/print.h>
#include <athena/query/schema.h>

#include "postgres/decode.h"
#include "postgres/exclusive.h"

namespace athena::driver::postgres {

/// What a result's columns are called and how they are decoded.
struct ResultColumns {
  std::vector<ColumnFormat> formats;
  std::vector<ColumnInfo> infos;

  /// Types that are not built in are looked up in `schema`, which may be null. `keys`: names to give; empty: the
  /// server's. False: not a RowDescription.
  bool read(std::string_view row_description, const query::Schema* schema, const std::vector<std::string>& keys);
};

/// Where a statement stands in what the caller wrote, for errors.
struct CallerText {
  std::string text;                ///< empty: the statement is ours
  std::size_t begin = 0, end = 0;  ///< in bytes
  std::size_t index = 1, total = 1;
  /// The error as the caller may see it.
  Error explain(ServerError error) const;
};

/// The rows of one statement on a connection of its own, straight from the socket: who reads slowly makes the server
/// wait.
class ExclusiveStream final : public RowStream {
 public:
  struct Options {
    CallerText caller;
    std::vector<std::string> keys;
    const query::Schema* schema = nullptr;  ///< for the names of types; used while it starts only
    std::string ending;                     ///< ends the transaction once the rows are through; empty: there is none
    std::function<void()> on_end;           ///< when all is done, and well
    bool is_write = false;                  ///< an answer that is lost leaves its outcome unknown
  };
  /// Sends the statement, and returns when its columns are known.
  static Async<std::unique_ptr<RowStream>> start(Lease lease, std::string_view sql,
                                                 std::span<const query::Param> params, Options options);

  ExclusiveStream(Lease lease, Options options) : lease_(std::move(lease)), options_(std::move(options)) {}
  std::span<const ColumnInfo> columns() const noexcept override { return columns_.infos; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return affected_; }

 private:
  Async<> begin();
  Result<> handle(const Frame& frame, RowBatch& batch);
  Async<> end();
  Error lost(Error error, bool at_commit = false) const;

  Lease lease_;
  Options options_;
  ResultColumns columns_;
  RowDecoder decoder_;
  std::vector<Cell> cells_;
  ScratchArena scratch_;
  std::optional<Error> error_;
  std::uint64_t affected_ = 0;
  bool ready_ = false;
};

/// Rows that were kept until they may be given out: of a write that must not touch too many, of a statement that others
/// follow.
class HeldStream final : public RowStream {
 public:
  HeldStream(ResultColumns columns, Buffer rows, std::uint64_t affected);
  std::span<const ColumnInfo> columns() const noexcept override { return columns_.infos; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return affected_; }

 private:
  ResultColumns columns_;
  Buffer rows_;  // DataRow messages
  RowDecoder decoder_;
  std::vector<Cell> cells_;
  ScratchArena scratch_;
  std::uint64_t affected_;
};

/// A statement in a transaction of its own that is rolled back if it touches more than `most` rows.
/// Errors: too_many_affected; result_too_large for more rows than can be held until it is known.
Async<std::unique_ptr<RowStream>> run_guarded(Lease lease, const query::Printed& printed, std::uint64_t most);

/// Copying is a conversation that a gateway cannot have: a message that begins one is answered as the server needs it,
/// and becomes unsupported_statement. Other messages pass.
Result<> refuse_copying(const Frame& frame, Connection& connection);

}  // namespace athena::driver::postgres
