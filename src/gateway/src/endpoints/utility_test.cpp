#include <gtest/gtest.h>

#include <athena/testing/fake_backend.h>
#include <athena/testing/fake_exchange.h>
#include <athena/testing/run.h>

#include "endpoints/routes.h"
#include "services.h"

namespace athena::gateway {
namespace {

class UtilityTest : public ::testing::Test {
 protected:
  struct Silent : driver::Observer {
    void observe(const driver::Event&) noexcept override {}
  };
  UtilityTest() { context_.snapshot = snapshot_; }

  Loop loop_;
  Silent observer_;
  LoopBackends backends_{loop_, observer_};
  const bool ready_ = true;
  Services services_{loop_, backends_, ready_};
  std::shared_ptr<Snapshot> snapshot_ = std::make_shared<Snapshot>();
  testing::FakeExchange exchange_{testing::FakeRequest()};
  RequestContext context_{exchange_, nullptr};
};

TEST_F(UtilityTest, docs_lead_to_the_description_when_nothing_else_is_configured) {
  ASSERT_TRUE(testing::run(loop_, run_docs(context_, services_)));
  EXPECT_EQ(exchange_.status(), 308);
  EXPECT_EQ(exchange_.header("Location"), "/openapi.yaml");
}

TEST_F(UtilityTest, docs_lead_where_the_configuration_says) {
  snapshot_->settings.docs_url = "https://docs.example.org/";
  ASSERT_TRUE(testing::run(loop_, run_docs(context_, services_)));
  EXPECT_EQ(exchange_.header("Location"), "https://docs.example.org/");
}

TEST_F(UtilityTest, the_description_says_its_encoding) {
  snapshot_->settings.openapi = "openapi: 3.1.0\n";
  ASSERT_TRUE(testing::run(loop_, run_openapi(context_, services_)));
  EXPECT_EQ(exchange_.header("Content-Type"), "application/yaml; charset=utf-8");
  EXPECT_EQ(exchange_.answer(), "openapi: 3.1.0\n");
}

}  // namespace
}  // namespace athena::gateway
