#include "template_cache.h"

#include <string>

#include <gtest/gtest.h>

namespace athena::driver {
namespace {

using SchemaPtr = std::shared_ptr<const query::Schema>;

class TemplateCacheTest : public testing::Test {
 protected:
  std::shared_ptr<const std::string> get(const std::shared_ptr<const query::SelectTemplate>& of,
                                         query::NameRules names) {
    return cache_.get(of, schema_, names, [this](const query::SelectTemplate& made_of, const query::Schema&, auto) {
      ++made_;
      return made_of.select.from.name;
    });
  }
  static std::shared_ptr<const query::SelectTemplate> of(std::string table) {
    auto made = std::make_shared<query::SelectTemplate>();
    made->select.from.name = std::move(table);
    return made;
  }
  static SchemaPtr empty_schema() {
    return std::make_shared<query::Schema>(std::vector<query::TableDef>(), std::vector<std::string>());
  }

  TemplateCache<std::string> cache_;
  SchemaPtr schema_ = empty_schema();
  int made_ = 0;
};

TEST_F(TemplateCacheTest, makes_once_for_each_object) {
  const auto users = of("users"), same = of("users");
  EXPECT_EQ(*get(users, {}), "users");
  EXPECT_EQ(get(users, {}), get(users, {}));
  EXPECT_NE(get(same, {}), get(users, {}));
  EXPECT_EQ(made_, 2);
}

TEST_F(TemplateCacheTest, forgets_all_with_the_schema_and_with_the_rules_for_names) {
  const auto users = of("users");
  const auto before = get(users, {});
  get(of("notes"), {});
  schema_ = empty_schema();
  EXPECT_NE(get(users, {}), before);
  EXPECT_EQ(cache_.size(), 1U);
  get(users, {.camel_to_snake = true});
  EXPECT_EQ(cache_.size(), 1U);
  EXPECT_EQ(made_, 4);
  EXPECT_EQ(*before, "users") << "who has it keeps it";
}

TEST_F(TemplateCacheTest, has_a_bound) {
  for (std::size_t i = 0; i <= TemplateCache<std::string>::kMost; ++i) get(of("t"), {});
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(TemplateCacheTest, keeps_the_template_so_that_no_other_lies_at_its_address) {
  const auto users = of("users");
  get(users, {});
  EXPECT_EQ(users.use_count(), 2);
}

}  // namespace
}  // namespace athena::driver
