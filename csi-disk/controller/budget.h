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

  [[nodiscard]] std::chrono::nanoseconds now() const { return clock_.since_boot(); }

  /// Waits before the next look at something that the cloud has been doing since then (a now()): at first as
  /// long as it has lasted, then a fifth of that, so that what is quick is seen at once and what is slow
  /// costs few looks. False: no time is left for one.
  [[nodiscard]] bool wait(std::chrono::nanoseconds since) const {
    using std::chrono::milliseconds;
    constexpr int kPart = 5;
    const std::chrono::nanoseconds lasted = now() - since;
    const auto pause = std::max(lasted / kPart, std::min<std::chrono::nanoseconds>(lasted, milliseconds(20)));
    return pause_for(std::clamp<std::chrono::nanoseconds>(pause, milliseconds(5), milliseconds(1000)));
  }
  [[nodiscard]] bool wait() const { return wait(begun_); }
  /// Waits before something is asked for again that the cloud has been refusing since then: longer and
  /// longer, as what it does first may take it long, and each time costs a call that is of no use.
  [[nodiscard]] bool wait_to_ask_again(std::chrono::nanoseconds since) const {
    using std::chrono::milliseconds;
    return pause_for(
        std::clamp<std::chrono::nanoseconds>(now() - since, milliseconds(250), milliseconds(5000)));
  }

 private:
  [[nodiscard]] bool pause_for(std::chrono::nanoseconds pause) const {
    if (now() + pause >= end_) return false;
    clock_.sleep(pause);
    return true;
  }

  Clock& clock_;
  std::chrono::nanoseconds begun_;
  std::chrono::nanoseconds end_;
};

}  // namespace holdfast::disk
