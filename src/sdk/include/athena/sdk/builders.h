#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <athena/base/async.h>
#include <athena/base/cancellation.h>
#include <athena/base/clock.h>
#include <athena/query/statement.h>
#include <athena/sdk/filter.h>
#include <athena/sdk/value.h>

namespace athena::sdk {

class Core;
struct Request;
using query::Count;

enum class OrderDirection : std::uint8_t { asc, desc };
enum class NullsOrder : std::uint8_t { by_default, first, last };

/// What all builders have: how long, how often, and the two ways to run. Self is the builder itself, so that calls
/// chain.
///
/// A mistake in a call (malformed column, JSON that is none) is remembered and is what execute() answers; nothing is
/// sent.
template <class Self>
class Executable {
 public:
  /// Instead of the client's.
  Self& timeout(milliseconds time) {
    timeout_ = time;
    return self();
  }
  /// Sends it and waits. Not on the thread of the client's loop.
  Result<QueryResult> execute();
  /// The same as a coroutine of the client's loop (AthenaClientBuilder::loop). The client outlives it; `cancellation`
  /// is borrowed until it ends.
  Async<QueryResult> co_execute(Cancellation* cancellation = nullptr);

 protected:
  explicit Executable(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  Self& self() noexcept { return static_cast<Self&>(*this); }
  void remember(Error error) {
    if (!error_) error_ = std::move(error);
  }

  std::shared_ptr<Core> core_;
  std::optional<milliseconds> timeout_;
  std::optional<Error> error_;
};

/// The documented filters. Several are joined by "and"; filter.h has the others, and how to join by "or".
template <class Self>
class Filtered {
 public:
  Self& where(Filter filter) {
    if (filter.error()) {
      if (!filter_error_) filter_error_ = filter.error();
    } else {
      where_.terms.push_back(filter.term());
    }
    return static_cast<Self&>(*this);
  }
  Self& where_eq(std::string_view column, Value value) { return where(eq(column, std::move(value))); }
  Self& where_neq(std::string_view column, Value value) { return where(neq(column, std::move(value))); }
  Self& where_gt(std::string_view column, Value value) { return where(gt(column, std::move(value))); }
  Self& where_gte(std::string_view column, Value value) { return where(gte(column, std::move(value))); }
  Self& where_lt(std::string_view column, Value value) { return where(lt(column, std::move(value))); }
  Self& where_lte(std::string_view column, Value value) { return where(lte(column, std::move(value))); }
  Self& where_like(std::string_view column, std::string_view pattern) { return where(like(column, pattern)); }
  Self& where_ilike(std::string_view column, std::string_view pattern) { return where(ilike(column, pattern)); }
  Self& where_in(std::string_view column, std::vector<Value> values) { return where(in(column, std::move(values))); }
  Self& where_is(std::string_view column, Is word) { return where(is(column, word)); }

 protected:
  query::Filter where_;
  std::optional<Error> filter_error_;
};

/// Reads rows of a table or view. Without limit(): all of them.
class SelectBuilder : public Executable<SelectBuilder>, public Filtered<SelectBuilder> {
 public:
  /// "name", "alias:name", "name::type", "json->key->>key". None: all, in the table's order.
  SelectBuilder& columns(std::vector<std::string> names);
  /// Repeatable: the first one counts most.
  SelectBuilder& order_by(std::string_view column, OrderDirection direction = OrderDirection::asc,
                          NullsOrder nulls = NullsOrder::by_default);
  SelectBuilder& limit(std::uint64_t rows);
  SelectBuilder& offset(std::uint64_t rows);
  /// Rows `from` to `to`, both included, counted from 0.
  SelectBuilder& range(std::uint64_t from, std::uint64_t to);
  /// How many rows match, whatever the limit: QueryResult::count.
  SelectBuilder& count(Count kind = Count::exact);
  /// The count alone, no rows.
  SelectBuilder& head(Count kind = Count::exact);
  /// Exactly one row: none is nothing_matched, several are too_many_affected.
  SelectBuilder& single();

 private:
  friend class AthenaClient;
  friend class Executable<SelectBuilder>;
  SelectBuilder(std::shared_ptr<Core> core, std::string_view table);
  Result<Request> finish() const;

  query::Select select_;
  Count count_ = Count::none;
  bool head_ = false, single_ = false;
};

/// Inserts rows, all or none. The answer has the rows as they were stored, where the database can say.
class InsertBuilder : public Executable<InsertBuilder> {
 public:
  /// Adds a row.
  InsertBuilder& payload(Row row);
  /// Adds rows; columns may differ from row to row.
  InsertBuilder& payloads(std::vector<Row> rows);
  /// Adds the row or the rows of a JSON object or array of objects.
  InsertBuilder& payload_json(std::string_view json);
  /// Columns that a row lacks become null instead of the column's default.
  InsertBuilder& default_to_null();
  /// A row that is there already, by these columns, is updated: all given columns, or those of update_with().
  InsertBuilder& on_conflict(std::vector<std::string> columns);
  InsertBuilder& update_with(Row values);
  /// A row that is there already is left as it is.
  InsertBuilder& ignore_duplicates();
  /// Columns of the answer; none: all.
  InsertBuilder& returning(std::vector<std::string> names);
  InsertBuilder& single();
  /// It may be sent again when its outcome is unknown.
  InsertBuilder& idempotent();

 private:
  friend class AthenaClient;
  friend class Executable<InsertBuilder>;
  InsertBuilder(std::shared_ptr<Core> core, std::string_view table);
  Result<Request> finish() const;

  query::Insert insert_;
  bool single_ = false, idempotent_ = false;
};

/// Changes the rows that match. Without a filter or a row id it is refused, unless allow_unfiltered().
class UpdateBuilder : public Executable<UpdateBuilder>, public Filtered<UpdateBuilder> {
 public:
  UpdateBuilder& payload(Row values);
  UpdateBuilder& payload_json(std::string_view json);  ///< an object
  UpdateBuilder& allow_unfiltered();
  /// More rows than this are an error, and nothing is changed.
  UpdateBuilder& max_affected(std::uint64_t rows);
  UpdateBuilder& returning(std::vector<std::string> names);
  UpdateBuilder& single();
  UpdateBuilder& idempotent();

 private:
  friend class AthenaClient;
  friend class Executable<UpdateBuilder>;
  UpdateBuilder(std::shared_ptr<Core> core, std::string_view table, std::optional<Value> row_id);
  Result<Request> finish() const;

  query::Update update_;
  bool allow_unfiltered_ = false, single_ = false, idempotent_ = false;
};

/// Deletes the rows that match. Without a filter or a row id it is refused, unless allow_unfiltered().
class DeleteBuilder : public Executable<DeleteBuilder>, public Filtered<DeleteBuilder> {
 public:
  DeleteBuilder& allow_unfiltered();
  DeleteBuilder& max_affected(std::uint64_t rows);
  DeleteBuilder& returning(std::vector<std::string> names);
  DeleteBuilder& single();
  DeleteBuilder& idempotent();

 private:
  friend class AthenaClient;
  friend class Executable<DeleteBuilder>;
  DeleteBuilder(std::shared_ptr<Core> core, std::string_view table, std::optional<Value> row_id);
  Result<Request> finish() const;

  query::Delete delete_;
  bool allow_unfiltered_ = false, single_ = false, idempotent_ = false;
};

/// SQL or CQL as the program writes it. Values belong into parameters, never into the text.
class RawBuilder : public Executable<RawBuilder> {
 public:
  /// For $1, $2 … (SQL) or ? (CQL), in order.
  RawBuilder& params(std::vector<Value> values);
  /// First in the search path while it runs.
  RawBuilder& schema(std::string_view name);
  /// The database refuses writes; such a statement may be repeated.
  RawBuilder& read_only();
  RawBuilder& idempotent();

 private:
  friend class AthenaClient;
  friend class Executable<RawBuilder>;
  RawBuilder(std::shared_ptr<Core> core, std::string_view text, bool is_cql);
  Result<Request> finish() const;

  std::string text_, schema_;
  std::vector<Value> params_;
  bool is_cql_, read_only_ = false, idempotent_ = false;
};

/// Calls a function of the database, through a gateway that does.
class RpcBuilder : public Executable<RpcBuilder> {
 public:
  RpcBuilder& arg(std::string_view name, Value value);

 private:
  friend class AthenaClient;
  friend class Executable<RpcBuilder>;
  RpcBuilder(std::shared_ptr<Core> core, std::string_view function);
  Result<Request> finish() const;

  std::string function_;
  Row arguments_;
};

extern template class Executable<SelectBuilder>;
extern template class Executable<InsertBuilder>;
extern template class Executable<UpdateBuilder>;
extern template class Executable<DeleteBuilder>;
extern template class Executable<RawBuilder>;
extern template class Executable<RpcBuilder>;

}  // namespace athena::sdk
