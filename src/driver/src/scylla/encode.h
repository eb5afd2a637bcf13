#pragma once

#include <string_view>

#include <athena/base/result.h>
#include <athena/query/statement.h>

#include "scylla/message.h"

namespace athena::driver::scylla {

/// Binds a caller's value to `column`, in the form that the wire has for its type; null and composite values as JSON.
/// Errors name the column: invalid_text_representation for what is no value of the type, value_out_of_range.
Result<> bind_value(BoundValues& values, const query::Scalar& value, std::string_view column, const CqlType& type);

}  // namespace athena::driver::scylla
