#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "common/block/device_identity.h"

namespace holdfast::nrm {

/// Which disk a selector meant when its disk was taken: from then on it means that disk, whatever its name.
struct Pin {
  std::string entry;     ///< a group's name, or the folder of a quotapath
  std::string selector;  ///< DeviceSelector::text
  std::string wwn;       ///< of the disk, also of a partition's; as plain_wwn() has it
  std::string serial;
  std::string partition_uuid;  ///< of a partition
  std::string pv_uuid;         ///< of the physical volume on it, once it is known
  std::string provenance;      ///< of a quotapath: of its file system, as block::to_string() has it
  std::string kernel_name;     ///< when it was taken; for people

  /// The disk is found by it whatever is on the disk.
  [[nodiscard]] bool lasts() const { return !wwn.empty() || !serial.empty(); }
  bool operator==(const Pin&) const = default;
};
using Pins = std::vector<Pin>;

/// For the device with what lasts of it: of a partition without a PARTUUID nothing does.
[[nodiscard]] Pin make_pin(std::string entry, std::string selector, const block::DeviceIdentity& device);

/// Whether the pin's lasting identity is this device's; false for a pin without one.
[[nodiscard]] bool is_of(const Pin& pin, const block::DeviceIdentity& device);

/// Puts it in the place of the one for the same disk (or, where nothing of a disk lasts, the same content or
/// name) of this entry and selector, or behind all others. True when that changed something.
bool remember(Pins& pins, Pin pin);

/// Pins in <state_dir>/pins, replaced whole; a damaged file is set aside and counts as none (docs:
/// node-resource-manager.md). Errors: errno.
Result<Pins> load_pins(Files& files, const std::filesystem::path& state_dir);
Status save_pins(Files& files, const std::filesystem::path& state_dir, const Pins& pins);

}  // namespace holdfast::nrm
