#include "postgres/lane.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "postgres/stream.h"

namespace athena::driver::postgres {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;
/// Less room than this is not worth a read.
constexpr std::size_t kMinReadBytes = 8 * 1024;
/// Statements are not encoded ahead of a socket that takes no more.
constexpr std::size_t kMaxUnwrittenBytes = 256 * 1024;
/// Of one request, lost connections included.
constexpr std::uint8_t kMaxAttempts = 5;

Error lost(std::string detail) {
  return Error(Code::connection_error, "The connection to the database was lost").logged(std::move(detail));
}

/// The server ended the session by itself, between statements or by rolling back the one that ran.
bool is_orderly_end(const ServerError& error) noexcept {
  return error.sqlstate == "57P01" || error.sqlstate == "57P05" || error.sqlstate == "25P03";
}

}  // namespace

Lane::Lane(Loop& loop, std::unique_ptr<Connection> connection, Owner& owner)
    : loop_(loop),
      owner_(owner),
      connection_(std::move(connection)),
      chunk_(new Chunk(kChunkBytes)),
      last_used_(Clock::now()) {}

void Lane::start() {
  asio::co_spawn(
      loop_.executor(), [](std::shared_ptr<Lane> self) -> Task<> { co_await self->read(); }(shared_from_this()),
      asio::detached);
}

void Lane::enqueue(LaneRequestPtr request) {
  request->lane = this;
  ++request->attempts;
  queued_.push_back(std::move(request));
  schedule_flush();
}

std::deque<LaneRequestPtr> Lane::take_queued() {
  for (const LaneRequestPtr& request : queued_) {
    request->lane = nullptr;
    --request->attempts;
  }
  return std::exchange(queued_, {});
}

void Lane::schedule_flush() {
  if (std::exchange(flush_scheduled_, true)) return;
  // Behind everything that is ready to run in this turn of the loop: it may bring more statements.
  asio::post(loop_.executor(), [self = shared_from_this()] {
    self->flush_scheduled_ = false;
    self->flush();
  });
}

void Lane::flush() {
  if (flights_ >= kMaxFlights) return;  // the end of one flushes again
  const std::size_t before = sent_.size();
  while (!closed_ && !queued_.empty() && out_.size() < kMaxUnwrittenBytes) {
    LaneRequestPtr request = std::move(queued_.front());
    queued_.pop_front();
    if (!joins_group(*request)) end_group();
    if (!encode(*request)) continue;
    sent_.push_back(std::move(request));
    ++group_size_;
  }
  if (closed_) return;
  end_group();
  if (sent_.size() > before) {
    sent_.back()->ends_flight = true;
    ++flights_;
  }
  if (!writing_) write();
}

/// Whether it may stand behind the statement that was encoded last, with no Sync between them.
bool Lane::joins_group(const LaneRequest& request) const noexcept {
  if (group_size_ == 0 || group_size_ >= kMaxGroup || connection_->is_pooled()) return false;
  const LaneRequest& last = *sent_.back();
  const auto shares = [](const LaneRequest& r) { return r.question.may_share && !r.goes_alone && !r.goes_unnamed; };
  return shares(request) && shares(last) && request.question.sql == last.question.sql;
}

void Lane::end_group() {
  if (std::exchange(group_size_, 0) == 0) return;
  const std::size_t before = out_.size();
  Encoder(out_).sync();
  encoded_bytes_ += out_.size() - before;
  sent_.back()->end_byte = encoded_bytes_;
  sent_.back()->ends_group = true;
}

bool Lane::encode(LaneRequest& request) {
  const std::size_t before = out_.size();
  Encoder encoder(out_);
  Result<> encoded;
  // Behind a pooler the next transaction may be on another server, which knows no names of ours.
  const bool is_unnamed = connection_->is_pooled() || request.goes_unnamed;
  if (!is_unnamed) request.prepared = cache_.find(request.question.sql);
  request.prepares = !request.prepared;
  if (is_unnamed) {
    request.prepared = std::make_shared<Prepared>();
  } else if (request.prepares) {
    StatementCache::Added added = cache_.add(request.question.sql);
    request.prepared = std::move(added.statement);
    if (!added.evicted.empty()) encoder.close_statement(added.evicted);
  }
  const std::string_view name = request.prepared->name;
  if (request.prepares) {
    encoded = encoder.parse(name, request.question.sql);
    encoder.describe_statement(name);
  }
  if (encoded) encoded = encoder.bind(name, request.question.params);
  if (!encoded) {
    out_.truncate(before);
    if (request.prepares) cache_.forget(*request.prepared);
    request.finish(std::move(encoded).error());
    return false;
  }
  encoder.execute();
  encoded_bytes_ += out_.size() - before;
  request.end_byte = encoded_bytes_;
  request.ends_group = false;
  return true;
}

void Lane::write() {
  while (!out_.empty()) {
    const Result<std::size_t> put = connection_->wire().try_write(out_.view());
    if (!put) return lose(put.error(), false);
    if (*put == 0) break;
    written_bytes_ += *put;
    out_.drop_front(*put);
  }
  if (out_.empty()) return;
  writing_ = true;
  asio::co_spawn(
      loop_.executor(),
      [](std::shared_ptr<Lane> self) -> Task<> { co_await self->finish_writing(); }(shared_from_this()),
      asio::detached);
}

Task<> Lane::finish_writing() {
  const Result<> writable = co_await connection_->wire().wait_writable();
  writing_ = false;
  if (closed_) co_return;
  if (!writable) co_return lose(writable.error(), false);
  write();
  if (!writing_) flush();
}

Task<> Lane::read() {
  while (!closed_) {
    if (paused_) {
      drained_.reset();
      co_await drained_.wait();
      continue;
    }
    make_room();
    const auto got = co_await connection_->wire().read_some(chunk_->data() + filled_, chunk_->capacity() - filled_);
    if (closed_) co_return;
    if (!got) co_return lose(got.error(), false);
    filled_ += *got;
    process();
  }
}

/// A chunk that no stream looks into is used again. Else the next one begins with the message that is not whole yet.
void Lane::make_room() {
  const std::size_t partial = filled_ - parsed_;
  const bool is_ours_alone = chunk_->use_count() == 1;
  if (partial == 0 && is_ours_alone && chunk_->capacity() == kChunkBytes) {
    parsed_ = filled_ = 0;
    return;
  }
  const bool fits = chunk_->capacity() - parsed_ >= needed_ && chunk_->capacity() - filled_ >= kMinReadBytes;
  if (fits && partial > 0) return;
  if (fits && chunk_->capacity() == kChunkBytes) return;
  // A long message gets room as it arrives, not as its length promises.
  const std::size_t wanted = std::max(kChunkBytes, std::min(needed_, 2 * partial) + kMinReadBytes);
  ChunkPtr next(new Chunk(wanted));
  std::memcpy(next->data(), chunk_->data() + parsed_, partial);
  chunk_ = std::move(next);
  parsed_ = 0;
  filled_ = partial;
}

void Lane::process() {
  for (;;) {
    const Frame frame = read_frame({chunk_->data() + parsed_, filled_ - parsed_});
    if (frame.state == Frame::State::broken) return lose(lost("malformed message"), false);
    needed_ = frame.bytes;
    if (frame.state == Frame::State::incomplete) break;
    const std::size_t begin = parsed_;
    parsed_ += frame.bytes;
    needed_ = kMessageHeadBytes;
    if (!handle(frame, begin)) return lose(lost("unexpected message"), false);
    if (closed_) return;
  }
  give_out_early();
}

bool Lane::handle(const Frame& frame, std::size_t begin) {
  if (sent_.empty()) {
    return frame.type == MessageType::notice || frame.type == MessageType::parameter_status ||
           (frame.type == MessageType::error && handle_error(frame));
  }
  LaneRequest& head = *sent_.front();
  switch (frame.type) {
    case MessageType::data_row:
      if (!head.prepared->is_described) return false;
      if (!head.abandoned) head.add_row(chunk_, begin, parsed_);
      return true;
    case MessageType::command_complete:
      head.affected = read_affected(frame.body);
      head.command_completed = true;
      if (!head.ends_group) finish_head();
      return true;
    case MessageType::ready:
      if (read_ready(frame.body) != TransactionStatus::idle) return false;
      if (!head.ends_group && !head.server_error) return false;
      finish_head();
      return true;
    case MessageType::parse_complete:
      head.parse_completed = true;
      return true;
    case MessageType::row_description:
    case MessageType::no_data:
      return describe(frame);
    case MessageType::error:
      return handle_error(frame);
    case MessageType::bind_complete:
    case MessageType::close_complete:
    case MessageType::parameter_description:
    case MessageType::empty_query:
    case MessageType::notice:
    case MessageType::notification:
    case MessageType::parameter_status:
      return true;
    case MessageType::copy_in:
    case MessageType::copy_out:
    case MessageType::copy_both:
    case MessageType::copy_data:
    case MessageType::copy_done:
    case MessageType::backend_key:
    case MessageType::portal_suspended:
      return false;
  }
  return false;
}

bool Lane::handle_error(const Frame& frame) {
  ServerError error = read_server_error(frame.body);
  if (error.severity == "FATAL" || error.severity == "PANIC") {
    lose(lost(error.severity + ' ' + error.sqlstate + ' ' + error.message), is_orderly_end(error));
    return true;
  }
  if (!sent_.empty()) sent_.front()->server_error = std::move(error);
  return true;
}

bool Lane::describe(const Frame& frame) {
  Prepared& prepared = *sent_.front()->prepared;
  if (!sent_.front()->prepares || prepared.is_described) return false;
  if (frame.type == MessageType::row_description) {
    ResultColumns columns;
    if (!columns.read(frame.body, owner_.schema(), {})) return false;
    prepared.columns = std::move(columns.infos);
    prepared.formats = std::move(columns.formats);
  }
  prepared.decoder.reset(prepared.formats);
  prepared.is_described = true;
  return true;
}

LaneRequestPtr Lane::take_head() {
  LaneRequestPtr head = std::move(sent_.front());
  sent_.pop_front();
  ++heads_;
  if (head->ends_flight) {
    --flights_;
    if (!queued_.empty()) schedule_flush();
  }
  return head;
}

/// The server skips everything between an error and the next Sync.
void Lane::send_rest_again(const LaneRequestPtr& failed) {
  std::vector<LaneRequestPtr> skipped;
  for (bool ended = failed->ends_group; !ended;) {
    skipped.push_back(take_head());
    ended = skipped.back()->ends_group;
  }
  for (auto it = skipped.rbegin(); it != skipped.rend(); ++it) {
    LaneRequest& request = **it;
    if (request.abandoned) {
      request.lane = nullptr;
      continue;
    }
    request.forget_answer();
    request.goes_alone = true;
    queued_.push_front(std::move(*it));
  }
  if (!skipped.empty()) schedule_flush();
}

void Lane::finish_head() {
  const LaneRequestPtr head = take_head();
  if (head->server_error) send_rest_again(head);
  if (head->server_error && head->prepares && !head->parse_completed) {
    head->prepared->parse_error = head->server_error;
    cache_.forget(*head->prepared);
  }
  if (head->server_error && head->prepared->parse_error) head->server_error = head->prepared->parse_error;
  const bool sends_again = head->server_error && may_send_again(*head);
  // What a delivered cancel could have hit has ended; see Helper.
  if (fence_ == Fence::cancel_delivered && heads_ >= fenced_heads_) fence_ = Fence::none;
  if (head->abandoned) {
    head->lane = nullptr;
  } else if (sends_again) {
    head->forget_answer();
    ++head->attempts;
    queued_.push_front(head);
    schedule_flush();
  } else if (head->server_error) {
    head->finish(error_from_server(*head->server_error, {}));
  } else {
    head->finish();
  }
}

/// The statement did not run, or was rolled back, for a reason that is not its own.
bool Lane::may_send_again(LaneRequest& request) {
  if (request.abandoned || request.is_given_out || request.attempts >= kMaxAttempts) return false;
  const ServerError& error = *request.server_error;
  if (error.sqlstate == "57014" && fence_ != Fence::none && !request.cancel_sent) {
    owner_.cancel_absorbed();
    return true;
  }
  const bool is_stale =
      needs_reprepare(error.sqlstate, error.message) && (!request.prepares || error.sqlstate == "42P05");
  if (!is_stale) return false;
  cache_.forget(*request.prepared);
  request.goes_unnamed = true;
  owner_.prepared_again();
  return true;
}

/// A long answer begins to flow before its end; unless a cancel that may hit it is under way, for then it must stay
/// whole, so that it can be sent again.
void Lane::give_out_early() {
  if (closed_ || sent_.empty()) return;
  const LaneRequestPtr head = sent_.front();
  paused_ = head->held_bytes() > kMaxHeldBytes;
  if (head->abandoned || head->held_bytes() < kEarlyBytes) return;
  if (fence_ == Fence::none || paused_ || head->is_given_out) head->ready.set();
}

void Lane::drained(const LaneRequest& request) {
  if (!paused_ || request.held_bytes() > kMaxHeldBytes / 2) return;
  paused_ = false;
  drained_.set();
}

void Lane::abandon(LaneRequest& request, Error why) {
  if (request.finished) return;
  const LaneRequestPtr keep(&request);
  std::erase(queued_, keep);
  request.abandoned = true;
  request.question = {};
  request.drop_rows();
  if (!sent_.empty() && sent_.front() == keep) drained(request);
  request.finish(std::move(why));
}

void Lane::tick(TimePoint now) {
  if (closed_) return;
  const bool moved = heads_ != std::exchange(heads_at_tick_, heads_);
  head_ticks_ = sent_.empty() || moved ? 0 : head_ticks_ + 1;
  if (in_hand() > 0 || moved) last_used_ = now;
  std::vector<LaneRequestPtr> late;  // ending one may change the queues
  for (const auto* queue : {&sent_, &queued_}) {
    std::ranges::copy_if(*queue, std::back_inserter(late), [now](const LaneRequestPtr& request) {
      return !request->abandoned && request->question.deadline <= now;
    });
  }
  for (const LaneRequestPtr& request : late) {
    abandon(*request, Error(Code::statement_timeout, "The statement took longer than the request may",
                            request->question.is_write ? "The write may or may not have happened" : ""));
  }
  if (closed_) return;
  const bool unsettled =
      fence_ == Fence::cancel_under_way || (fence_ != Fence::none && !sent_.empty() && sent_.front()->cancel_sent);
  if (unsettled && now - cancel_began_ > kCancelPatience) return lose(lost("a cancel was not settled"), false);
  if (!sent_.empty() && sent_.front()->abandoned && head_ticks_ >= kCancelTicks) cancel_head(now);
  if (is_retiring_ && is_idle()) close();
}

void Lane::cancel_head(TimePoint now) {
  if (fence_ != Fence::none || sent_.front()->cancel_sent) return;
  sent_.front()->cancel_sent = true;
  fence_ = Fence::cancel_under_way;
  cancel_began_ = now;
  owner_.statement_cancelled();
  const bool accepted =
      owner_.helper().cancel(connection_->cancel_key(), loop_.executor(), [weak = weak_from_this()](bool) {
        const auto self = weak.lock();
        if (!self || self->closed_) return;
        // With nothing in hand the server is idle, and an idle server takes no notice of the signal. Else it may have
        // been further on than the answers that have reached us.
        self->fence_ = self->sent_.empty() ? Fence::none : Fence::cancel_delivered;
        self->fenced_heads_ = self->heads_ + self->sent_.size();
      });
  if (!accepted) lose(lost("too many cancels wait"), false);
}

void Lane::close() {
  lose(lost("closed"), false);
}

void Lane::lose(Error why, bool ended_in_order) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  connection_->close();
  const auto sent = std::exchange(sent_, {});
  const auto queued = std::exchange(queued_, {});
  owner_.lane_closed(*this, why);
  for (const LaneRequestPtr& request : sent) {
    // Without its Sync nothing is committed; and a session that ended in order ended before the next statement.
    const bool was_written = request->end_byte <= written_bytes_;
    const bool cannot_have_run =
        !was_written || (ended_in_order && !connection_->is_pooled() && !request->command_completed);
    request->lane = nullptr;
    if (!request->abandoned) owner_.orphaned(request, cannot_have_run ? Fate::not_run : Fate::unknown);
  }
  for (const LaneRequestPtr& request : queued) {
    request->lane = nullptr;
    owner_.orphaned(request, Fate::not_run);
  }
  paused_ = false;
  drained_.set();
}

}  // namespace athena::driver::postgres
