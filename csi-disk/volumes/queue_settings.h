#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::disk {

/// One setting of a disk's queue.
struct QueueSetting {
  std::string name;   ///< "read_ahead_kb": a file below /sys/block/<disk>/queue
  std::string value;  ///< letters, digits, '-' and '_'
  bool operator==(const QueueSetting&) const = default;
};

/// The attribute sysConfig of a volume: "/queue/read_ahead_kb=4096,/queue/nr_requests=256". Only what bears
/// on the speed of this disk alone may be set. Errors: kInvalidArgument, naming the setting and what may be
/// set.
[[nodiscard]] Result<std::vector<QueueSetting>> parse_queue_settings(std::string_view text);

}  // namespace holdfast::disk
