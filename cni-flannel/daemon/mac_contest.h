#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "common/netlink/mac_address.h"

namespace holdfast::flannel {

/// Keeps us from a fight over a device's MAC: each change of it empties the device's tables, so two programs
/// that set it in turn cut the node off. Times are of Clock::since_boot().
class MacContest {
 public:
  using Time = std::chrono::nanoseconds;
  static constexpr std::size_t kCorrections = 3;
  static constexpr std::chrono::minutes kWindow{1};

  /// Whether the MAC may be corrected now: fewer than kCorrections were made within kWindow.
  [[nodiscard]] bool may_correct(Time now) const;
  void corrected(Time now);
  /// The device has `seen`, and it was left so. Contested from now until settled().
  void yielded(const MacAddress& seen) { contested_by_ = seen; }
  /// The device has its MAC. Ends the contest once a whole window went by without a correction.
  void settled(Time now);

  /// Who else's MAC, while the MAC is contested.
  [[nodiscard]] const std::optional<MacAddress>& contested_by() const { return contested_by_; }
  /// While contested: when the MAC may be corrected again, or else when the contest may be over.
  [[nodiscard]] Time next_look(Time now) const;

 private:
  std::deque<Time> corrections_;  // of the last window, at most kCorrections
  std::optional<MacAddress> contested_by_;
};

}  // namespace holdfast::flannel
