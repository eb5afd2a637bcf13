#include "config_metadata.h"

#include <memory>
#include <utility>

#include <athena/base/buffer.h>
#include <athena/base/json.h>
#include <athena/base/json_writer.h>
#include <athena/base/text.h>
#include <athena/driver/metadata.h>

namespace athena::app {
namespace {

/// A value of YAML as JSON. YAML does not tell 1 from "1" here: whatever is no list and no map is text.
Result<> write_json(json::Writer& out, const Setting& setting) {
  switch (setting.node().kind) {
    case YamlNode::Kind::null:
      out.null();
      return {};
    case YamlNode::Kind::scalar: {
      ATHENA_TRY(const std::string text, setting.text());
      out.string(text);
      return {};
    }
    case YamlNode::Kind::list:
      out.begin_array();
      for (std::size_t index = 0; const YamlNode& item : setting.node().items) {
        ATHENA_TRY_VOID(write_json(out, setting.member(std::to_string(index++), item)));
      }
      out.end_array();
      return {};
    case YamlNode::Kind::map:
      out.begin_object();
      for (const auto& [name, value] : setting.node().members) {
        out.key(name);
        ATHENA_TRY_VOID(write_json(out, setting.member(name, value)));
      }
      out.end_object();
      return {};
  }
  return {};
}

driver::NamedSecrets secrets_of(const Environment& environment) {
  // Shared by every target that asks it later.
  return [kept = std::make_shared<const Environment>(environment)](const std::string& name) -> Result<std::string> {
    const auto value = kept->get(name);
    if (value && !text::trim(*value).empty()) return std::string(text::trim(*value));
    return fail(Code::configuration_error, "the variable " + name + " is not set, or empty");
  };
}

}  // namespace

Result<std::optional<driver::Target>> read_client_metadata(const Setting& metadata, const std::string& client,
                                                           const Environment& environment,
                                                           const driver::Target* beside) {
  const auto refuse = [&](Error error) {
    return metadata.refuse("of client '" + client + "': " + error.error, std::move(error.hint));
  };
  Buffer text;
  json::Writer writer(text);
  ATHENA_TRY_VOID(write_json(writer, metadata));
  const auto document = json::Document::parse(text.view());
  if (!document) return refuse(document.error());
  auto target = driver::read_metadata(document->root(), secrets_of(environment), beside);
  if (!target) return refuse(std::move(target).error());
  if (*target && (*target)->secret) {
    if (const auto secret = (*target)->secret(); !secret) return refuse(secret.error());
  }
  return target;
}

}  // namespace athena::app
