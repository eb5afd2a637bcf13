#include "postgres/request.h"

#include <algorithm>
#include <cassert>

#include "postgres/cancel.h"
#include "postgres/lane.h"
#include "postgres/protocol.h"

namespace athena::driver::postgres {
namespace {

bool same_names(const std::vector<ColumnInfo>& columns, std::span<const std::string> keys) noexcept {
  return std::ranges::equal(columns, keys, {}, &ColumnInfo::name);
}

}  // namespace

void LaneRequest::add_row(const ChunkPtr& chunk, std::size_t begin, std::size_t end) {
  held_bytes_ += end - begin;
  if (!segments_.empty() && segments_.back().chunk == chunk) {
    segments_.back().end = end;
  } else {
    segments_.push_back({chunk, begin, end});
  }
}

LaneRequest::Segment LaneRequest::take_rows() {
  Segment segment = std::move(segments_.front());
  segments_.erase(segments_.begin());  // a handful at most: see Lane::kMaxHeldBytes
  held_bytes_ = segments_.empty() ? 0 : held_bytes_ - std::min(held_bytes_, segment.end - segment.begin);
  return segment;
}

void LaneRequest::drop_rows() noexcept {
  segments_.clear();
  held_bytes_ = 0;
}

void LaneRequest::finish() {
  finished = true;
  lane = nullptr;
  ready.set();
}

void LaneRequest::finish(Error why) {
  error = std::move(why);
  finish();
}

void LaneRequest::forget_answer() {
  drop_rows();
  ready.reset();
  server_error.reset();
  prepared.reset();
  affected = 0;
  prepares = parse_completed = command_completed = cancel_sent = ends_flight = false;
  ends_group = true;
}

void intrusive_ptr_release(LaneRequest* request) noexcept {
  if (--request->references_ > 0) return;
  const std::shared_ptr<RequestPool> pool = std::move(request->pool_);
  pool->give_back(std::unique_ptr<LaneRequest>(request));
}

LaneRequestPtr RequestPool::take() {
  std::unique_ptr<LaneRequest> request;
  if (free_.empty()) {
    request = std::make_unique<LaneRequest>();
  } else {
    request = std::move(free_.back());
    free_.pop_back();
  }
  request->pool_ = shared_from_this();
  return LaneRequestPtr(request.release());
}

void RequestPool::give_back(std::unique_ptr<LaneRequest> request) {
  if (free_.size() >= kKept || request->cells.capacity() > kKeptCells ||
      request->scratch.capacity() > kKeptScratchBytes) {
    return;
  }
  request->forget_answer();
  request->question = {};
  request->error.reset();
  request->cells.clear();
  request->scratch.clear();
  request->lane = nullptr;
  request->attempts = 0;
  request->goes_alone = request->goes_unnamed = request->finished = request->abandoned = request->was_retried =
      request->is_given_out = false;
  free_.push_back(std::move(request));
}

LaneStream::LaneStream(LaneRequestPtr request, std::span<const std::string> keys, Cancellation* cancellation)
    : request_(std::move(request)), cancellation_(cancellation), columns_(&request_->prepared->columns) {
  if (keys.empty() || same_names(*columns_, keys)) return;
  own_columns_ = *columns_;
  const std::size_t named = std::min(keys.size(), own_columns_.size());
  for (std::size_t i = 0; i < named; ++i) own_columns_[i].name = keys[i];
  columns_ = &own_columns_;
}

LaneStream::~LaneStream() {
  if (request_->lane) request_->lane->abandon(*request_, Error(Code::cancelled));
}

Async<RowBatch> LaneStream::next() {
  LaneRequest& request = *request_;
  given_out_.reset();
  if (!request.has_rows() && !request.finished) {
    request.ready.reset();
    if (cancellation_ && cancellation_->cancelled()) co_return fail(cancelled_by(cancellation_->reason()));
    const Cancellation::Watch watch(cancellation_, [this] {
      if (request_->lane) request_->lane->abandon(*request_, cancelled_by(cancellation_->reason()));
    });
    co_await request.ready.suspend();
  }
  if (request.error) co_return fail(std::move(*request.error));
  if (!request.has_rows()) co_return RowBatch{.cells = {}, .rows = 0, .last = true};
  const LaneRequest::Segment segment = request.take_rows();
  if (request.lane) request.lane->drained(request);
  given_out_ = segment.chunk;
  co_return decode(segment);
}

Result<RowBatch> LaneStream::decode(const LaneRequest::Segment& segment) {
  LaneRequest& request = *request_;
  request.cells.clear();
  request.scratch.clear();
  RowBatch batch;
  std::string_view bytes(segment.chunk->data() + segment.begin, segment.end - segment.begin);
  while (!bytes.empty()) {
    const Frame frame = read_frame(bytes);
    assert(frame.state == Frame::State::complete);
    bytes.remove_prefix(frame.bytes);
    if (frame.type != MessageType::data_row) continue;
    ATHENA_TRY_VOID(request.prepared->decoder.decode_row(frame.body, request.cells, request.scratch));
    ++batch.rows;
  }
  batch.cells = request.cells;
  batch.last = request.finished && !request.error && !request.has_rows();
  return batch;
}

}  // namespace athena::driver::postgres
