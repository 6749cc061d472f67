#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::block {

/// What the kernel tells of one block device.
struct DeviceEvent {
  std::string action;       ///< "add", "remove", "change", "move", "online", ...
  std::string kernel_name;  ///< "sda1"
  bool partition = false;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  bool resized = false;  ///< its size changed
  bool operator==(const DeviceEvent&) const = default;
};
/// Events were lost (the kernel's queue for us ran over): list the devices again.
struct Rescan {
  bool operator==(const Rescan&) const = default;
};
using Uevent = std::variant<DeviceEvent, Rescan>;

/// One message of the kernel's: "add@/devices/...", NUL, then KEY=VALUE texts, each ended by NUL. nullopt for
/// one that is not about a block device or not as the kernel writes it. Source: the kernel's
/// lib/kobject_uevent.c.
[[nodiscard]] std::optional<DeviceEvent> parse_uevent(std::string_view message);

/// Hears of disks that come, go and grow, from the kernel itself, so no udev is needed. Its fd becomes
/// readable when there are events; works with the event loop. Not thread-safe.
class UeventMonitor {
 public:
  /// `queue_bytes`: how much the kernel keeps for us until we read. Errors: errno of socket(2) or bind(2).
  [[nodiscard]] static Result<UeventMonitor> open(int queue_bytes = 1 << 20);

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// What has come in about block devices, in order; empty when nothing has. Never blocks. Only what the
  /// kernel sent counts: other programs can send to this socket too. Errors: errno of recvmsg(2), except
  /// ENOBUFS, which is Rescan.
  Result<std::vector<Uevent>> read();

 private:
  explicit UeventMonitor(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace holdfast::block
