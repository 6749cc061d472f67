#pragma once

#include <sys/types.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/block/device_identity.h"

namespace holdfast::block {

/// How people at the node may call a device so that it is the same one after a boot: `path` itself where it
/// is no kernel name (/dev/vg/pvc-1), else a name of udev's, else "wwn:..." or "serial:..."; `path` where
/// nothing of the device lasts.
[[nodiscard]] std::string lasting_name(const std::string& path, const DeviceIdentity& device);

/// What `holdfast volume ...` writes, and its exit status: 0 done, 1 not done, 2 wrong arguments.
struct FormatAnswer {
  int status = 0;
  std::string out;
  std::string error;
};

/// Where a device, or its node, is mounted: mount::places_of().
using MountPlaces = std::function<Result<std::vector<std::string>>(dev_t device)>;

/// `holdfast volume allow-format DEVICE [--lose-content]`: what a driver's refusal to format names as the
/// cure. Tells what the device is and holds; with --lose-content overwrites all of it with zeros, which takes
/// as long as writing it, so that whoever asks for a volume on it finds it blank throughout. DEVICE is a
/// path, or wwn:... or serial:... of a disk. Refused is a kernel name where something lasting is known
/// (another disk has it after a boot), and what anybody uses: mounted, published raw, with partitions or
/// devices that stand on it, or a physical volume of LVM's. `arguments` begin with "volume". Writes nothing
/// else anywhere.
[[nodiscard]] FormatAnswer answer_volume_command(const DeviceDirectory& directory, const MountPlaces& places,
                                                 std::span<const std::string> arguments);

}  // namespace holdfast::block
