#pragma once

#include <athena/base/cancellation.h>
#include <athena/base/error.h>

namespace athena::driver {

/// Why a request that was cancelled ended.
inline Error cancelled_by(CancelReason reason) {
  switch (reason) {
    case CancelReason::deadline:
      return Error(Code::statement_timeout, "The statement took longer than the request may");
    case CancelReason::shutdown:
      return Error(Code::shutting_down);
    case CancelReason::none:
    case CancelReason::client_gone:
      break;
  }
  return Error(Code::cancelled);
}

}  // namespace athena::driver
