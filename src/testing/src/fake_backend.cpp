#include <athena/testing/fake_backend.h>

#include <athena/base/text.h>

namespace athena::testing {
namespace {

class FakeStream : public driver::RowStream {
 public:
  FakeStream(FakeResult result, std::shared_ptr<FakeDatabase> database)
      : result_(std::move(result)), database_(std::move(database)) {
    ++database_->streams_open;
  }
  ~FakeStream() override { --database_->streams_open; }

  std::span<const driver::ColumnInfo> columns() const noexcept override { return result_.columns; }
  Async<driver::RowBatch> next() override {
    if (result_.held) co_await result_.held->wait();
    driver::RowBatch batch;
    if (next_ < result_.batches.size()) {
      batch.cells = result_.batches[next_];
      batch.rows = result_.columns.empty() ? 0 : batch.cells.size() / result_.columns.size();
      ++next_;
    } else if (result_.broken) {
      co_return fail(*result_.broken);
    }
    batch.last = next_ >= result_.batches.size() && !result_.broken;
    co_return batch;
  }
  std::uint64_t affected() const noexcept override { return result_.affected; }
  std::uint64_t statement_count() const noexcept override { return result_.statements; }
  std::string cursor() const override { return next_ >= result_.batches.size() ? result_.cursor : std::string(); }
  std::vector<std::unique_ptr<driver::RowStream>> take_results() override {
    std::vector<std::unique_ptr<driver::RowStream>> results;
    for (FakeResult& result : result_.before) {
      results.push_back(std::make_unique<FakeStream>(std::move(result), database_));
    }
    if (!results.empty()) results.push_back(nullptr);
    return results;
  }

 private:
  FakeResult result_;
  std::shared_ptr<FakeDatabase> database_;
  std::size_t next_ = 0;
};

class FakeBackend : public driver::Backend {
 public:
  explicit FakeBackend(std::shared_ptr<FakeDatabase> database) : database_(std::move(database)) {}

  Async<std::unique_ptr<driver::RowStream>> execute(query::Statement statement, driver::Call call) override {
    database_->statements.push_back(std::move(statement));
    co_return answer(call);
  }
  Async<std::unique_ptr<driver::RowStream>> execute(driver::Native native, driver::Call call) override {
    database_->natives.push_back(std::move(native));
    co_return answer(call);
  }
  Async<std::uint64_t> count(query::Select, query::Count kind, driver::Call call) override {
    database_->counts.push_back(kind);
    database_->calls.push_back(call);
    co_return database_->total;
  }
  Async<std::shared_ptr<const query::Schema>> schema(driver::Call call, bool) override {
    database_->calls.push_back(call);
    co_return database_->tables;
  }
  Async<std::vector<driver::ConstraintInfo>> constraints(driver::Call) override { co_return database_->constraints; }
  Result<driver::SqlFacts> analyze(std::string_view) const override { return driver::SqlFacts{}; }
  driver::Health health() const override { return database_->health; }
  Task<> stop() override {
    database_->stopped = true;
    co_return;
  }

 private:
  Result<std::unique_ptr<driver::RowStream>> answer(driver::Call call) {
    database_->calls.push_back(call);
    if (call.session) database_->sessions.push_back(*call.session);
    FakeResult result;
    if (!database_->answers.empty()) {
      result = std::move(database_->answers.front());
      database_->answers.pop_front();
    }
    if (call.session) call.session->reached = result.bookmark;
    if (result.refused) return fail(*result.refused);
    return std::make_unique<FakeStream>(std::move(result), database_);
  }

  std::shared_ptr<FakeDatabase> database_;
};

std::shared_ptr<driver::SharedState> share(const driver::Target&) {
  return std::make_shared<FakeDatabase>();
}

std::unique_ptr<driver::Backend> open(driver::Target, std::shared_ptr<driver::SharedState> shared, driver::Runtime) {
  return std::make_unique<FakeBackend>(std::static_pointer_cast<FakeDatabase>(std::move(shared)));
}

constexpr driver::BackendKind kFake{
    .name = "fake", .aliases = {}, .can = {.sessions = true}, .language = {}, .share = share, .open = open};

}  // namespace

FakeDatabase::FakeDatabase()
    : tables(std::make_shared<const query::Schema>(std::vector<query::TableDef>{}, std::vector<std::string>{"main"})) {}

FakeResult rows_of(std::vector<std::string> columns, std::vector<driver::Cell> cells) {
  FakeResult result;
  for (std::string& name : columns) result.columns.push_back({std::move(name), {}, query::TypeClass::other});
  result.batches.push_back(std::move(cells));
  return result;
}

FakeResult refusal(Code code, std::string text) {
  FakeResult result;
  result.refused = Error(code, std::move(text));
  return result;
}

const driver::BackendKind* find_fake_kind(std::string_view name) noexcept {
  return text::iequals(name, kFake.name) ? &kFake : nullptr;
}

}  // namespace athena::testing
