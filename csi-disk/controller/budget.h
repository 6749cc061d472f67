#pragma once

#include <algorithm>
#include <chrono>

#include "common/base/clock.h"

namespace holdfast::disk {

using Patience = std::chrono::milliseconds;

/// The time that a call has for all of its exchanges with the cloud.
class Budget {
 public:
  Budget(Clock& clock, Patience patience)
      : clock_(clock), begun_(clock.since_boot()), end_(begun_ + patience) {}

  [[nodiscard]] Patience left() const {
    return std::max(Patience(0), std::chrono::duration_cast<Patience>(end_ - clock_.since_boot()));
  }

  /// Waits before the next look at something that the cloud is doing: a fifth of the time that has passed, so
  /// that what is quick is seen at once and what is slow costs few looks. False: no time is left for one.
  [[nodiscard]] bool wait() const {
    constexpr std::chrono::nanoseconds kShortest = std::chrono::milliseconds(20);
    constexpr std::chrono::nanoseconds kLongest = std::chrono::seconds(1);
    constexpr int kPart = 5;
    const auto pause = std::clamp((clock_.since_boot() - begun_) / kPart, kShortest, kLongest);
    if (clock_.since_boot() + pause >= end_) return false;
    clock_.sleep(pause);
    return true;
  }

 private:
  Clock& clock_;
  std::chrono::nanoseconds begun_;
  std::chrono::nanoseconds end_;
};

}  // namespace holdfast::disk
