#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <athena/testing/fake_backend.h>
#include <athena/testing/fake_exchange.h>
#include <athena/testing/run.h>

#include "serve.h"

namespace athena::gateway {

using testing::FakeExchange;
using testing::FakeRequest;
using testing::rows_of;
using Headers = std::vector<std::pair<std::string, std::string>>;
using Exchange = std::unique_ptr<FakeExchange>;

struct CapturingSink : LogSink {
  void write(std::string_view lines) noexcept override { text += lines; }
  std::string text;
};

/// The whole life of a request, but for the network and the database.
class ServeTest : public ::testing::Test {
 protected:
  ServeTest() {
    settings_.version = "3.0.0";
    settings_.clients = {client("main"), client("Frozen")};
    settings_.clients[1].frozen = true;
    settings_.admin_key = "admin-key";
    settings_.server_timing = false;
    settings_.openapi = "openapi: 3.1.0\n";
    settings_.docs_url = "https://docs.example.org/";
  }
  ~ServeTest() override {
    if (serve_) testing::run(loop_, serve_->stop());
  }

  static ClientSettings client(std::string name) {
    ClientSettings settings;
    settings.name = std::move(name);
    settings.target.kind = "fake";
    return settings;
  }

  /// Made when it is first needed, so that a test can change the settings before.
  Serve& serve() {
    if (!serve_) {
      snapshot_ = make_snapshot(settings_, nullptr, testing::find_fake_kind).value();
      serve_ = std::make_unique<Serve>(loop_, sink_, snapshot_);
    }
    return *serve_;
  }
  testing::FakeDatabase& database() {
    serve();
    return static_cast<testing::FakeDatabase&>(*(*snapshot_->find("main"))->shared);
  }

  Exchange send(FakeRequest request) {
    auto exchange = std::make_unique<FakeExchange>(std::move(request));
    testing::run(loop_, serve().handle(*exchange));
    return exchange;
  }
  /// With X-Athena-Client: main, unless the headers name one.
  Exchange send(http::Method method, std::string target, std::string body = {}, Headers headers = {}) {
    bool named = false;
    for (const auto& header : headers) named |= header.first == "X-Athena-Client";
    if (!named) headers.emplace_back("X-Athena-Client", "main");
    return send({method, std::move(target), std::move(headers), std::move(body)});
  }
  Exchange fetch(std::string body = R"({"table_name":"users"})", Headers headers = {}) {
    return send(http::Method::post, "/gateway/fetch", std::move(body), std::move(headers));
  }

  static void expect_error(const FakeExchange& exchange, Code code) {
    const ErrorRow& row = error_row(code);
    const std::string answer = exchange.answer();
    EXPECT_EQ(exchange.status(), row.status) << answer;
    const auto document = json::Document::parse(answer);
    ASSERT_TRUE(document) << answer;
    const json::Value body = document->root();
    EXPECT_EQ(body["code"].as_string(), row.wire_code) << answer;
    EXPECT_EQ(body["status"].as_string(), "error");
    EXPECT_EQ(body["error_id"].as_string(), row.id);
    EXPECT_EQ(body["trace_id"].as_string(), exchange.header("X-Request-Id"));
    EXPECT_EQ(exchange.header("Content-Type"), "application/json");
  }
  static std::string error_text(const FakeExchange& exchange) {
    const std::string answer = exchange.answer();
    const auto document = json::Document::parse(answer);
    return document ? std::string(document->root()["error"].as_string()) : "(not JSON) " + answer;
  }

  Loop loop_;
  CapturingSink sink_;
  Settings settings_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<Serve> serve_;
};

}  // namespace athena::gateway
