#include "cancelled_by.h"

namespace athena::driver {

Error cancelled_by(CancelReason reason) {
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
