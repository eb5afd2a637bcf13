#include "pretty_json.h"

#include <gtest/gtest.h>

namespace athena::app {
namespace {

TEST(pretty_json, gives_back_what_is_no_json) {
  EXPECT_EQ(pretty_json("upstream said no"), "upstream said no");
}

TEST(pretty_json, lays_out_without_changing_a_value) {
  EXPECT_EQ(pretty_json(R"({"a":[1.500,"x\n"],"q\"":{},"e":[],"n":null})"),
            "{\n  \"a\": [\n    1.500,\n    \"x\\n\"\n  ],\n  \"q\\\"\": {},\n  \"e\": [],\n  \"n\": null\n}\n");
}

TEST(pretty_json, leaves_a_single_value_alone) {
  EXPECT_EQ(pretty_json(" 12345678901234567890 "), "12345678901234567890\n");
}

}  // namespace
}  // namespace athena::app
