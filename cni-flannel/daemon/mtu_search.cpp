#include "cni-flannel/daemon/mtu_search.h"

#include <algorithm>

namespace holdfast::flannel {
namespace {

using Kind = EchoAnswer::Kind;

constexpr unsigned kTries = 2;

}  // namespace

MtuSearch::MtuSearch(std::uint32_t needed, std::uint32_t smallest)
    : needed_(needed), fails_(needed), smallest_(std::min(smallest, needed)), asked_(needed) {}

std::optional<std::uint32_t> MtuSearch::next() const { return found_ ? std::nullopt : std::optional(asked_); }

void MtuSearch::take(const EchoAnswer& answer) {
  if (found_) return;
  if (answer.kind == Kind::kAnswered) return passed();
  if (answer.kind == Kind::kUnreachable) {
    found_ = PathMtu{PathMtu::Kind::kUnknown, 0};
    return;
  }
  if (answer.kind == Kind::kTooBig) {
    // below the smallest nobody means it: a forged message must not stop the search
    if (answer.mtu >= smallest_ && answer.mtu < asked_) {
      fails_ = std::min(fails_, asked_);
      asked_ = told_ = answer.mtu;
      silent_ = 0;
      return;
    }
    return vanished();
  }
  if (++silent_ < kTries) return;
  vanished();
}

void MtuSearch::passed() {
  passes_ = asked_;
  if (passes_ == needed_) {
    found_ = PathMtu{PathMtu::Kind::kEnough, 0};
  } else if (passes_ == told_) {
    found_ = PathMtu{PathMtu::Kind::kTooSmall, passes_};
  } else {
    narrow();
  }
}

void MtuSearch::vanished() {
  if (passes_ == 0 && asked_ <= smallest_) {
    found_ = PathMtu{PathMtu::Kind::kUnknown, 0};
    return;
  }
  fails_ = std::min(fails_, asked_);
  if (passes_ == 0) {
    asked_ = smallest_;
    silent_ = 0;
    return;
  }
  narrow();
}

/// Between what passes and what fails.
void MtuSearch::narrow() {
  silent_ = 0;
  if (fails_ - passes_ <= kMtuGrain) {
    found_ = PathMtu{PathMtu::Kind::kTooSmall, passes_};
    return;
  }
  asked_ = passes_ + (fails_ - passes_) / 2;
}

}  // namespace holdfast::flannel
