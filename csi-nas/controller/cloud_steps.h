#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "csi-nas/controller/cloud_volumes.h"

/// What making a cloud's volumes and taking them back have in common.
namespace holdfast::nas {

/// Of the record's attributes; empty when there is none.
[[nodiscard]] std::string attribute(const NasRecord& record, const std::string& key);
/// Whether the cloud holds the volume to its size.
[[nodiscard]] bool is_bounded(const NasRecord& record);
/// The answer where something may be left, which goes on when the caller comes again.
[[nodiscard]] Status again_later(cloud::CallError error, std::string_view what);

/// The time that a call has for all of its exchanges.
class CloudVolumes::Budget {
 public:
  Budget(Clock& clock, Patience patience) : clock_(clock), end_(clock.since_boot() + patience) {}
  [[nodiscard]] Patience left() const {
    return std::max(Patience(0), std::chrono::duration_cast<Patience>(end_ - clock_.since_boot()));
  }
  /// Waits before the next look. False: no time is left for one.
  [[nodiscard]] bool wait() const {
    if (left() <= kLook) return false;
    clock_.sleep(kLook);
    return true;
  }

 private:
  Clock& clock_;
  std::chrono::nanoseconds end_;
};

}  // namespace holdfast::nas
