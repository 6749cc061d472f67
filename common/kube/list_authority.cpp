#include "common/kube/list_authority.h"

#include <algorithm>

namespace holdfast::kube {

void ListAuthority::saw(std::uint64_t version) {
  if (!first_low_) {
    known_ = std::max(known_, version);
  }
}

bool ListAuthority::accepts(std::uint64_t version, std::chrono::nanoseconds now) {
  if (version < known_ && (!first_low_ || now - *first_low_ < wait_)) {
    first_low_ = first_low_.value_or(now);
    return false;
  }
  first_low_.reset();
  known_ = version;
  return true;
}

std::optional<std::chrono::nanoseconds> ListAuthority::next_list_at() const {
  return first_low_ ? std::optional(*first_low_ + wait_) : std::nullopt;
}

}  // namespace holdfast::kube
