#pragma once

#include <cstddef>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "common/base/result.h"

namespace holdfast {

/// For what goes on after an error, as teardown does: keeps the first and counts the rest. Outcome is a
/// Status, or alike with an error of its own; beside that error stands a function text_of(error&), the
/// sentence to which the count is added.
template <class Outcome>
class FirstErrorOf {
 public:
  void add(Outcome done) {
    if (!done && count_++ == 0) first_ = std::move(done).error();
  }
  /// The first error, "... (and 2 more)"; success when there was none.
  [[nodiscard]] Outcome result() const {
    if (count_ == 0) return {};
    auto error = first_;
    if (count_ > 1) text_of(error) += " (and " + std::to_string(count_ - 1) + " more)";
    return tl::unexpected(std::move(error));
  }

 private:
  typename Outcome::error_type first_;
  std::size_t count_ = 0;
};

[[nodiscard]] inline std::string& text_of(Error& error) { return error.message; }
using FirstError = FirstErrorOf<Status>;

}  // namespace holdfast
