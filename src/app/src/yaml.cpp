#include "yaml.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace athena::app {
namespace {

/// Copies a parsed document within the bounds. Aliases are copied, too: a few lines of them can stand for a billion
/// nodes, which the bound on nodes ends.
class Copier {
 public:
  explicit Copier(const std::string& file) : file_(file) {}

  Result<YamlNode> copy(const YAML::Node& from, int depth) {
    YamlNode to;
    to.line = from.Mark().line + 1;
    if (depth > kMaxYamlDepth || ++nodes_ > kMaxYamlNodes) {
      return fail(Code::configuration_error, file_ + ":" + std::to_string(to.line) + ": too deep or too long");
    }
    switch (from.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        break;
      case YAML::NodeType::Scalar:
        to.kind = YamlNode::Kind::scalar;
        to.text = from.Scalar();
        break;
      case YAML::NodeType::Sequence:
        to.kind = YamlNode::Kind::list;
        for (const auto& item : from) {
          ATHENA_TRY(auto copied, copy(item, depth + 1));
          to.items.push_back(std::move(copied));
        }
        break;
      case YAML::NodeType::Map:
        to.kind = YamlNode::Kind::map;
        for (const auto& member : from) {
          if (!member.first.IsScalar()) {
            return fail(Code::configuration_error, file_ + ":" + std::to_string(to.line) + ": a name must be a word");
          }
          ATHENA_TRY(auto copied, copy(member.second, depth + 1));
          copied.line = member.first.Mark().line + 1;
          to.members.push_back({member.first.Scalar(), std::move(copied)});
        }
        break;
    }
    return to;
  }

 private:
  const std::string& file_;
  std::size_t nodes_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

Result<YamlNode> read_yaml(std::string_view text, const std::string& file) {
  if (text.size() > kMaxYamlBytes) return fail(Code::configuration_error, file + ": larger than 1 MiB");
  try {
    return Copier(file).copy(YAML::Load(std::string(text)), 0);
  } catch (const YAML::Exception& error) {
    return fail(Code::configuration_error, file + ":" + std::to_string(error.mark.line + 1) + ":" +
                                               std::to_string(error.mark.column + 1) + ": " + error.msg);
  }
}

Result<std::string> read_file(const std::string& file) {
  std::string text(kMaxYamlBytes + 1, '\0');
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || errno != 0) {
    return fail(Code::configuration_error, file + ": cannot be read: " + std::strerror(errno));
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace athena::app
