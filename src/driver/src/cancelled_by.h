#pragma once

#include <athena/base/cancellation.h>
#include <athena/base/error.h>

namespace athena::driver {

/// What a request gets that was stopped on the way.
Error cancelled_by(CancelReason reason);

}  // namespace athena::driver
