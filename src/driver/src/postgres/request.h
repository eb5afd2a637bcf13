#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <athena/base/cancellation.h>
#include <athena/base/clock.h>
#include <athena/base/event.h>
#include <athena/driver/rows.h>
#include <athena/query/print.h>

#include "postgres/decode.h"
#include "postgres/errors.h"
#include "postgres/statement_cache.h"

namespace athena::driver::postgres {

class Lane;

/// Received bytes, which the streams of several requests look into. Counted without atomics: a lane and its streams
/// belong to one loop.
class Chunk : public boost::intrusive_ref_counter<Chunk, boost::thread_unsafe_counter> {
 public:
  explicit Chunk(std::size_t capacity)
      : bytes_(std::make_unique_for_overwrite<char[]>(capacity)), capacity_(capacity) {}
  char* data() noexcept { return bytes_.get(); }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_;
};
using ChunkPtr = boost::intrusive_ptr<Chunk>;

/// A statement on its way through a lane, and its answer. Shared by the lane, which may have to read and discard an
/// answer that nobody wants any more, and by whoever asked.
class LaneRequest {
 public:
  /// The question is borrowed from the coroutine that asks, until it has the first rows or has given up: a request that
  /// gave nothing out can be sent again.
  struct Question {
    std::string_view sql;
    std::span<const query::Param> params;
    bool is_write = false;
    TimePoint deadline;
    bool may_share = false;  ///< a Sync with others of the same statement, see may_share_sync()
  };
  Question question;

  /// Set when there is something to take: rows, the end, or an error.
  athena::Event ready;
  /// No more rows will come. With an error: why.
  bool finished = false;
  std::optional<Error> error;
  std::uint64_t affected = 0;
  PreparedPtr prepared;  ///< what the columns are; set before `ready`

  // What the lane keeps about it.
  Lane* lane = nullptr;  ///< that has it, borrowed; null: none, or no more
  std::optional<ServerError> server_error;
  std::uint64_t end_byte = 0;  ///< of all bytes ever sent on the lane: where this request ends
  std::uint8_t attempts = 0;   ///< how often it was put onto a lane
  bool was_retried = false;    ///< after a connection was lost under it: once
  bool goes_unnamed = false;   ///< prepared once more, in one breath with its use: nothing can come between
  bool prepares = false;       ///< sent with Parse and Describe
  bool parse_completed = false;
  bool command_completed = false;  ///< it ran, though it may not have been committed
  bool ends_group = true;          ///< sent with a Sync, which ends its transaction
  bool ends_flight = false;        ///< the last of what one flush sent
  bool goes_alone = false;         ///< it was skipped once, for the error of another
  bool abandoned = false;          ///< nobody waits: the answer is discarded
  bool cancel_sent = false;
  bool is_given_out = false;  ///< somebody reads the rows: it cannot be sent again

  /// Complete messages in a chunk, rows and perhaps others between them.
  struct Segment {
    ChunkPtr chunk;
    std::size_t begin, end;
  };
  void add_row(const ChunkPtr& chunk, std::size_t begin, std::size_t end);
  bool has_rows() const noexcept { return !segments_.empty(); }
  std::size_t held_bytes() const noexcept { return held_bytes_; }
  /// The oldest segment; there is one.
  Segment take_rows();
  void drop_rows() noexcept;

  /// Ends it and wakes whoever waits.
  void finish();
  void finish(Error why);
  /// As new, for another attempt.
  void forget_answer();

  // Room for decoding, kept from one use to the next.
  std::vector<Cell> cells;
  ScratchArena scratch;

 private:
  friend class RequestPool;
  friend void intrusive_ptr_add_ref(LaneRequest* request) noexcept { ++request->references_; }
  friend void intrusive_ptr_release(LaneRequest* request) noexcept;

  boost::container::small_vector<Segment, 1> segments_;
  std::size_t held_bytes_ = 0;
  std::uint32_t references_ = 0;
  std::shared_ptr<class RequestPool> pool_;  // which must not go before its requests
};
using LaneRequestPtr = boost::intrusive_ptr<LaneRequest>;

/// Requests are made anew only until there are as many as ever were needed at a time: their vectors keep their room.
class RequestPool : public std::enable_shared_from_this<RequestPool> {
 public:
  static constexpr std::size_t kKept = 256;
  static constexpr std::size_t kKeptCells = 1024;
  static constexpr std::size_t kKeptScratchBytes = 32 * 1024;

  LaneRequestPtr take();

 private:
  friend void intrusive_ptr_release(LaneRequest* request) noexcept;
  void give_back(std::unique_ptr<LaneRequest> request);

  std::vector<std::unique_ptr<LaneRequest>> free_;
};

/// The rows of a request, decoded when they are asked for.
class LaneStream final : public RowStream {
 public:
  /// `keys`: of the answer's columns; empty: the server's names.
  LaneStream(LaneRequestPtr request, std::span<const std::string> keys, Cancellation* cancellation);
  ~LaneStream() override;

  std::span<const ColumnInfo> columns() const noexcept override { return *columns_; }
  Async<RowBatch> next() override;
  std::uint64_t affected() const noexcept override { return request_->affected; }

 private:
  Result<RowBatch> decode(const LaneRequest::Segment& segment);

  LaneRequestPtr request_;
  Cancellation* cancellation_;
  ChunkPtr given_out_;                   // the cells of the last batch are views into it
  std::vector<ColumnInfo> own_columns_;  // if the keys are not those of the cached statement
  const std::vector<ColumnInfo>* columns_;
};

}  // namespace athena::driver::postgres
