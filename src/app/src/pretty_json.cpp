#include "pretty_json.h"

#include <athena/base/buffer.h>
#include <athena/base/json.h>
#include <athena/base/json_writer.h>

namespace athena::app {
namespace {

void break_line(Buffer& out, std::size_t depth) {
  out.push_back('\n');
  for (std::size_t i = 0; i < depth; ++i) out.append("  ");
}

void append(Buffer& out, const json::Value& value, std::size_t depth) {
  const bool is_object = value.is_object();
  if ((!is_object && !value.is_array()) || value.size() == 0) {
    out.append(value.raw());
    return;
  }
  out.push_back(is_object ? '{' : '[');
  for (auto at = value.begin(); at != value.end();) {
    break_line(out, depth + 1);
    if (is_object) {
      json::append_string(out, at.key());
      out.append(": ");
    }
    append(out, *at, depth + 1);
    if (++at != value.end()) out.push_back(',');
  }
  break_line(out, depth);
  out.push_back(is_object ? '}' : ']');
}

}  // namespace

std::string pretty_json(std::string_view text) {
  const auto document = json::Document::parse(text);
  if (!document) return std::string(text);
  Buffer out;
  append(out, document->root(), 0);
  out.push_back('\n');
  return std::string(out.view());
}

}  // namespace athena::app
