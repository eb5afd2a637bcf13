#include "postgres/stream.h"

#include <algorithm>
#include <utility>

#include <athena/base/text.h>

#include "caller_place.h"

namespace athena::driver::postgres {
namespace {

constexpr std::size_t kMaxHeldRows = 16 * 1024 * 1024;

Error copy_refused() {
  return Error(Code::unsupported_statement, "COPY from or to the client is not supported",
               "Insert rows through /gateway/insert, and read them with SELECT");
}

/// What an error means for a write that was on its way to be committed.
Error outcome_unknown(Error error) {
  if (error.code != Code::connection_error) return error;
  return Error(Code::write_outcome_unknown,
               "The connection to the database was lost: the write may or may not have happened",
               "Look whether it happened before sending it again")
      .logged(std::move(error.log_detail));
}

Error malformed() {
  return Error(Code::connection_error, "The connection to the database was lost").logged("malformed message");
}

/// Characters, not bytes, as PostgreSQL counts.
std::size_t count_characters(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

Result<> refuse_copying(const Frame& frame, Connection& connection) {
  if (frame.type == MessageType::copy_in) {
    connection.encode().copy_fail("copying is not supported");
    connection.encode().sync();  // the one sent with the statement was skipped
    return fail(copy_refused());
  }
  if (frame.type == MessageType::copy_out || frame.type == MessageType::copy_both) return fail(copy_refused());
  return {};
}

bool ResultColumns::read(std::string_view row_description, const query::Schema* schema,
                         const std::vector<std::string>& keys) {
  auto fields = read_row_description(row_description);
  if (!fields) return false;
  for (std::size_t i = 0; i < fields->size(); ++i) {
    FieldDescription& field = (*fields)[i];
    if (field.is_binary) return false;
    query::TypeClass type = type_class_of(field.type_oid);
    std::string type_name(type_name_of(field.type_oid));
    if (const query::TypeDef* made = schema && type_name.empty() ? schema->find_type(field.type_oid) : nullptr) {
      type = made->type;
      type_name = made->name;
    }
    infos.push_back({i < keys.size() ? keys[i] : field.name, type_name, type});
    formats.push_back({field.type_oid, type, std::move(field.name), std::move(type_name)});
  }
  return true;
}

Error CallerText::explain(ServerError error) const {
  if (text.empty()) return error_from_server(error, {});
  if (const auto position = text::parse_u64(error.position)) {
    error.position = std::to_string(*position + count_characters(std::string_view(text).substr(0, begin)));
  }
  Error explained = error_from_server(error, {.caller_sql = true, .caller_text = text, .position_offset = 0});
  add_place(explained, {text, begin, end, index, total, total > 1});
  return explained;
}

Async<std::unique_ptr<RowStream>> ExclusiveStream::start(Lease lease, std::string_view sql,
                                                         std::span<const query::Param> params, Options options) {
  ATHENA_CO_TRY_VOID(lease.ask(sql, params));
  auto stream = std::make_unique<ExclusiveStream>(std::move(lease), std::move(options));
  const Result<> begun = co_await stream->begin();
  if (!begun) co_return fail(begun.error());
  co_return std::unique_ptr<RowStream>(std::move(stream));
}

/// Reads up to the description of the columns.
Async<> ExclusiveStream::begin() {
  ATHENA_CO_TRY_VOID(co_await lease_.send());
  for (;;) {
    Result<Frame> frame = co_await lease_.receive();
    if (!frame) co_return fail(lost(std::move(frame).error()));
    if (frame->type == MessageType::error) co_return fail(options_.caller.explain(read_server_error(frame->body)));
    if (frame->type == MessageType::no_data) co_return Result<>();
    if (frame->type != MessageType::row_description) continue;  // ParseComplete, BindComplete
    if (!columns_.read(frame->body, options_.schema, options_.keys)) co_return fail(malformed());
    decoder_.reset(columns_.formats);
    options_.schema = nullptr;
    co_return Result<>();
  }
}

/// A read may simply be repeated, and a transaction that did not come to its COMMIT never happened.
Error ExclusiveStream::lost(Error error, bool at_commit) const {
  const bool is_certain = !options_.is_write || (!options_.ending.empty() && !at_commit);
  return is_certain ? error : outcome_unknown(std::move(error));
}

Async<RowBatch> ExclusiveStream::next() {
  cells_.clear();
  scratch_.clear();
  RowBatch batch;
  while (!ready_ && batch.rows == 0) {
    Result<Frame> frame = co_await lease_.receive();
    if (!frame && error_) co_return fail(std::move(*error_));  // the last word of a session that ended
    if (!frame) co_return fail(lost(std::move(frame).error()));
    // Everything that is here already goes with it: frames stay where they are until the next wait.
    while (frame->state == Frame::State::complete) {
      ATHENA_CO_TRY_VOID(handle(*frame, batch));
      if (ready_) break;
      frame = lease_.connection().received();
      if (!frame) co_return fail(lost(std::move(frame).error()));
    }
  }
  if (batch.rows > 0) lease_.rows_flow();
  batch.cells = cells_;
  // The cells are views into the connection's buffer, so it is not read from again in this call.
  batch.last = ready_ && !error_ && options_.ending.empty();
  if (batch.last && lease_ && options_.on_end) std::exchange(options_.on_end, nullptr)();
  if (!ready_ || batch.rows > 0) co_return batch;
  if (error_) co_return fail(std::move(*error_));
  if (lease_) ATHENA_CO_TRY_VOID(co_await end());
  batch.last = true;
  co_return batch;
}

Result<> ExclusiveStream::handle(const Frame& frame, RowBatch& batch) {
  if (frame.type == MessageType::data_row) {
    ATHENA_TRY_VOID(decoder_.decode_row(frame.body, cells_, scratch_));
    ++batch.rows;
  } else if (frame.type == MessageType::command_complete) {
    affected_ = read_affected(frame.body);
  } else if (frame.type == MessageType::error) {
    if (!error_) error_ = options_.caller.explain(read_server_error(frame.body));
  } else if (frame.type == MessageType::ready) {
    ready_ = true;
  } else {
    return refuse_copying(frame, lease_.connection());
  }
  return {};
}

Async<> ExclusiveStream::end() {
  if (!options_.ending.empty()) {
    Result<> ended = co_await lease_.run(options_.ending);
    if (!ended) co_return fail(lost(std::move(ended).error(), true));
  }
  if (options_.on_end) options_.on_end();
  const Lease done = std::move(lease_);
  co_return Result<>();
}

HeldStream::HeldStream(ResultColumns columns, Buffer rows, std::uint64_t affected)
    : columns_(std::move(columns)), rows_(std::move(rows)), affected_(affected) {
  decoder_.reset(columns_.formats);
}

Async<RowBatch> HeldStream::next() {
  cells_.clear();
  scratch_.clear();
  RowBatch batch;
  std::string_view rest = rows_.view();
  for (Frame frame = read_frame(rest); frame.state == Frame::State::complete; frame = read_frame(rest)) {
    ATHENA_CO_TRY_VOID(decoder_.decode_row(frame.body, cells_, scratch_));
    ++batch.rows;
    rest.remove_prefix(frame.bytes);
  }
  rows_.drop_front(rows_.size());  // the bytes stay until the stream goes
  batch.cells = cells_;
  batch.last = true;
  co_return batch;
}

Async<std::unique_ptr<RowStream>> run_guarded(Lease lease, const query::Printed& printed, std::uint64_t most) {
  ATHENA_CO_TRY_VOID(co_await lease.run("BEGIN"));
  ATHENA_CO_TRY_VOID(lease.ask(printed.sql, printed.params));
  ATHENA_CO_TRY_VOID(co_await lease.send());
  ResultColumns columns;
  Buffer rows;
  std::uint64_t row_count = 0, affected = 0;
  std::optional<Error> error;
  for (bool ready = false; !ready;) {
    ATHENA_CO_TRY(const Frame frame, co_await lease.receive());
    ready = frame.type == MessageType::ready;
    if (frame.type == MessageType::error) error = error_from_server(read_server_error(frame.body), {});
    if (frame.type == MessageType::command_complete) affected = read_affected(frame.body);
    if (frame.type == MessageType::row_description && !columns.read(frame.body, nullptr, printed.keys)) {
      co_return fail(malformed());
    }
    if (frame.type != MessageType::data_row || ++row_count > most) continue;
    rows.append({frame.body.data() - kMessageHeadBytes, frame.bytes});
    if (rows.size() > kMaxHeldRows) {
      co_return fail(Code::result_too_large, "The changed rows are too large to be returned together with max_affected",
                     "Ask for fewer columns, or change fewer rows");
    }
  }
  if (error) co_return fail(std::move(*error));
  if (std::max(affected, row_count) > most) {
    ATHENA_CO_TRY_VOID(co_await lease.run("ROLLBACK"));
    co_return fail(Error(Code::too_many_affected, std::to_string(std::max(affected, row_count)) +
                                                      " rows would change, " + std::to_string(most) +
                                                      " are allowed; nothing was changed")
                       .with("affected", std::to_string(std::max(affected, row_count)))
                       .with("max_affected", std::to_string(most)));
  }
  Result<> committed = co_await lease.run("COMMIT");
  if (!committed) co_return fail(outcome_unknown(std::move(committed).error()));
  co_return std::make_unique<HeldStream>(std::move(columns), std::move(rows), affected);
}

}  // namespace athena::driver::postgres
