#include <athena/query/statement.h>

namespace athena::query {
namespace {

struct Target {
  const Table& operator()(const Select& select) const noexcept { return select.from; }
  const Table& operator()(const Insert& insert) const noexcept { return insert.into; }
  const Table& operator()(const Update& update) const noexcept { return update.table; }
  const Table& operator()(const Delete& del) const noexcept { return del.from; }
};

}  // namespace

Select SelectTemplate::with(std::span<const Scalar> operands) const {
  Select whole = select;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    std::get<Predicate>(whole.where.terms[i]).operands.front() = operands[i];
  }
  return whole;
}

const Table& target(const Statement& statement) noexcept {
  return std::visit(Target{}, statement);
}

}  // namespace athena::query
