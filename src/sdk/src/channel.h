#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/cancellation.h>
#include <athena/driver/backend.h>
#include <athena/sdk/value.h>

namespace athena::sdk {

/// SQL or CQL as the program wrote it.
struct RawText {
  enum class Language : std::uint8_t { sql, cql } language = Language::sql;
  driver::Native native;
  bool read_only = false;
};
struct RemoteCall {
  std::string function;
  Row arguments;
};

/// What a builder has put together.
struct Request {
  std::variant<query::Statement, RawText, RemoteCall> what;
  query::Count count = query::Count::none;  ///< of a select
  bool head = false;                        ///< of a select: the count alone
  bool allow_unfiltered = false;            ///< the program knows that the write has no filter
  bool is_idempotent = false;               ///< a write that may be sent twice
  bool wants_single = false;                ///< anything but one row is an error
  std::optional<milliseconds> timeout;      ///< none: the client's

  /// Sending it twice does no harm.
  bool may_repeat() const noexcept;
};

/// The way to what answers: the driver, or a gateway. Belongs to one loop.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual Async<QueryResult> run(const Request& request, TimePoint deadline, Cancellation* cancellation) = 0;
  /// Asks whether anybody is there; costs as little as may be.
  virtual Async<> probe(TimePoint deadline) = 0;
  /// The keys of its hosts in driver::HostHealth.
  virtual std::vector<std::string> health_keys() const = 0;
  virtual Task<> stop() = 0;
};

/// What a channel uses. `loop` and `observer` are borrowed.
struct ChannelContext {
  driver::Runtime runtime;
  std::size_t max_result_bytes;
};

}  // namespace athena::sdk
