#include "postgres/errors.h"

#include <gtest/gtest.h>

namespace athena::driver::postgres {
namespace {

TEST(Errors, a_lost_connection_is_known_by_its_state) {
  for (const char* fatal : {"57P01", "57P02", "57P03", "57P05", "25P03", "08006", "28P01", "53300"}) {
    EXPECT_TRUE(is_connection_fatal(fatal)) << fatal;
  }
  for (const char* harmless : {"08P01", "23505", "57014", "40001", "25P02", "XX000", ""}) {
    EXPECT_FALSE(is_connection_fatal(harmless)) << harmless;
  }
}

TEST(Errors, stale_prepared_statements_are_recognised) {
  EXPECT_TRUE(needs_reprepare("26000", R"(prepared statement "s1" does not exist)"));
  EXPECT_TRUE(needs_reprepare("42P05", R"(prepared statement "s1" already exists)"));
  EXPECT_TRUE(needs_reprepare("0A000", "cached plan must not change result type"));
  EXPECT_TRUE(needs_reprepare("XX000", "cache lookup failed for type 16402"));
  EXPECT_FALSE(needs_reprepare("0A000", "cross-database references are not implemented"));
  EXPECT_FALSE(needs_reprepare("XX000", "tuple concurrently updated"));
  EXPECT_FALSE(needs_reprepare("23505", "cached plan must not change result type"));
}

}  // namespace
}  // namespace athena::driver::postgres
