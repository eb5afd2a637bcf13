#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <athena/query/read_json.h>
#include <athena/query/statement.h>

namespace athena::gateway {

/// A fetch as many bodies ask for it, without the values that its conditions compare with.
struct FetchTemplate {
  std::shared_ptr<const query::SelectTemplate> statement;  ///< asks for one row more than `limit`
  std::uint64_t limit = 0;
  std::optional<bool> strip_nulls;
  bool has_strip_nulls_field = false;
};
/// What a body asks for that was recognised by its text.
struct RecalledFetch {
  std::shared_ptr<const FetchTemplate> fetch;
  std::vector<query::Scalar> operands;
};

/// How many rows the caller gets. The statement asks for one more, which says whether there are more; `head` asks for
/// none, but the statement still runs, so that names which do not exist are refused there too. Pages by cursor are as
/// long as the stream makes them, which says itself whether there are more.
std::uint64_t limit_and_one_more(query::FetchRequest& fetch);

/// Applications send the same few bodies again and again, with other values. A body without the values behind its
/// members "eq_value" and "value" is looked up among those that were read before; if it is there, what was read then
/// holds for this body, too, and nothing of it has to be parsed. Why that is so is in docs/adr/0009. Belongs to one
/// loop.
class FetchTemplates {
 public:
  static constexpr std::size_t kMost = 512;            ///< beyond, it begins anew
  static constexpr std::size_t kMaxBodyBytes = 4'096;  ///< longer ones are always read
  static constexpr std::size_t kMaxValueBytes = 256;

  /// None: the body has to be read; then learn() may be told.
  std::optional<RecalledFetch> find(std::string_view body);
  /// The body that find() was just asked for gave `fetch`. It is kept when its kind was there before, if its values are
  /// what its conditions compare with, and nothing else.
  void learn(const query::FetchRequest& fetch, const query::ReadOptions& options);
  /// For other options.
  void clear();
  std::size_t size() const noexcept { return known_.size(); }

 private:
  /// A body in two parts: the text around the values, with a mark in place of each, and the values.
  struct Cut {
    std::string frame;
    std::vector<query::Scalar> values;
    bool make(std::string_view body);
  };

  Result<query::FetchRequest> read_with(std::uint64_t first, std::size_t conditions,
                                        const query::ReadOptions& options) const;

  Cut cut_;                                  // of the body that find() was asked for last; its room is used again
  bool is_cut_ = false;                      // false: that body is none for us
  std::array<std::uint64_t, 1'024> seen_{};  // digests of frames, by their last bits: what comes once is not kept
  std::unordered_map<std::string, std::shared_ptr<const FetchTemplate>> known_;  // by frame
};

}  // namespace athena::gateway
