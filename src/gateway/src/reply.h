#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <athena/base/result.h>
#include <athena/http/server.h>

#include "context.h"
#include "encode.h"

namespace athena::gateway {

/// Which of the three shapes a reply has (contract 1.1). `strip_field`: the body holds a `strip_nulls` field;
/// `marks_in_headers_alone`: insert and delete, whose bodies never do. Error: an unknown word in X-Athena-Shape.
Result<Shape> decide_shape(const http::RequestHead& head, const Settings& settings, bool strip_field,
                           bool marks_in_headers_alone);

/// X-Strip-Nulls decides where it is present, else the body's field.
bool wants_strip_nulls(const http::RequestHead& head, std::optional<bool> field) noexcept;

/// The one error shape (contract 1.2), replacing whatever was on the exchange.
void write_error(http::Exchange& exchange, const Error& error, std::string_view request_id);

/// Sends rows in the caller's shape while they come: the beginning is held back, so that the message can stand before
/// the rows and most failures still get the error shape; what is longer is streamed with the message after the data.
class RowsReply {
 public:
  /// `verb_rows`: the message is "Fetched N rows" instead of `message`.
  RowsReply(RequestContext& context, std::string_view message, bool counts_in_message);

  /// Appends the rows of a stream, at most `limit` of them, and streams as needed. `cut`: there were more.
  Async<bool> append(driver::RowStream& stream, std::uint64_t limit);
  /// Once for each result: the keys of its rows.
  void begin_rows(std::span<const driver::ColumnInfo> columns, std::size_t hidden = 0);
  /// Sends what is held when it is much.
  Async<> relieve();

  std::uint64_t rows() const noexcept { return rows_beside_ + (encoder_ ? encoder_->rows() : 0); }
  RowEncoder& encoder() noexcept { return *encoder_; }
  /// A row was appended past the encoder's own count.
  void count_row() noexcept { ++rows_beside_; }

  /// Ends the rows; afterwards members (count, meta, …) may be added, unless the shape is bare.
  void end_rows();
  /// `,"name":` for a member that stands beside the rows; returns false in the bare shape, where nothing may follow.
  bool member(std::string_view name);
  /// Closes the reply. `cache_key` empty: none.
  void finish(std::string_view cache_key = {});

 private:
  void write_head(bool streaming);

  RequestContext& context_;
  std::string_view message_;
  bool counts_in_message_;
  bool message_pending_ = false;  ///< streaming began: the message comes after the data
  bool head_written_ = false;
  std::uint64_t rows_beside_ = 0;
  std::optional<RowEncoder> encoder_;
};

/// `{"backend":…,"returned_row_count":…,"rows_affected":…,"statement_count":…}`
struct Meta {
  std::string_view backend;
  std::uint64_t returned = 0, affected = 0, statements = 1;
};
void write_meta(Buffer& out, const Meta& meta);

/// The start of an envelope around something that is no list of rows: `{"status":"success","message":…,"data":`.
void write_envelope_start(Buffer& out, std::string_view message);

}  // namespace athena::gateway
