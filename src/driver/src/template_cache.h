#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>

#include <athena/query/schema.h>
#include <athena/query/statement.h>

namespace athena::driver {

/// What a backend made of templates, for the tables as they are: another schema, or other rules for names, and all is
/// made anew. Belongs to one loop.
template <class Made>
class TemplateCache {
 public:
  /// Beyond, it begins anew.
  static constexpr std::size_t kMost = 512;

  /// `make(template, schema, names)` gives a Made, if there is none yet. Streams and coroutines keep it as long as they
  /// look at it.
  template <class Make>
  std::shared_ptr<const Made> get(const std::shared_ptr<const query::SelectTemplate>& of,
                                  const std::shared_ptr<const query::Schema>& schema, query::NameRules names,
                                  Make make) {
    if (schema_ != schema || names_ != names) {
      kept_.clear();
      schema_ = schema;
      names_ = names;
    }
    if (const auto found = kept_.find(of.get()); found != kept_.end()) return found->second.made;
    if (kept_.size() == kMost) kept_.clear();
    auto made = std::make_shared<const Made>(make(*of, *schema, names));
    return kept_.emplace(of.get(), Kept{of, std::move(made)}).first->second.made;
  }
  std::size_t size() const noexcept { return kept_.size(); }

 private:
  struct Kept {
    std::shared_ptr<const query::SelectTemplate> of;  // so that no other can come to lie at its address
    std::shared_ptr<const Made> made;
  };
  std::shared_ptr<const query::Schema> schema_;  // that all of them were made for
  query::NameRules names_;
  std::unordered_map<const query::SelectTemplate*, Kept> kept_;
};

}  // namespace athena::driver
