#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/block/device_identity.h"

namespace holdfast::disk {

/// What a disk is known by wherever it is attached. Kernel names are no part of it: they change with every
/// attach and boot.
struct DiskIdentity {
  std::string serial;    ///< empty: not known
  std::string wwn = {};  ///< likewise; at least one of the two is there
  bool operator==(const DiskIdentity&) const = default;
};

/// "serial d-1", "WWN naa.6001405...".
[[nodiscard]] std::string describe(const DiskIdentity& identity);

/// What tells the disks of one driver among a node's block devices.
struct DeviceRules {
  /// Names below `by_id`, "{serial}" standing for the serial number: "virtio-{serial}".
  std::vector<std::string> links = {};
  std::filesystem::path by_id = "/dev/disk/by-id";
  /// Loop devices are disks too, and the name of the backing file without its extension is the serial number.
  bool loops = false;
};

/// What a device says of itself, by these rules; both texts empty: nothing that lasts.
[[nodiscard]] DiskIdentity identity_of(const block::DeviceMarks& marks, const DeviceRules& rules);

/// Whether `found` is the wanted disk: every mark that is wanted is the same, case and all. virtio tells 20
/// bytes of a serial number at most, so of a longer one these are enough. Source: virtio 1.2, 5.2.6
/// (VIRTIO_BLK_T_GET_ID).
[[nodiscard]] bool is_same(const DiskIdentity& wanted, const DiskIdentity& found);

/// Whether a text can be a serial number: 1..252 printable bytes without '/', not "." or "..". 252: SPC-4,
/// page 0x80.
[[nodiscard]] bool is_serial(std::string_view text);

/// The links that a disk of this serial number should have; none when a part of a name would lead elsewhere.
[[nodiscard]] std::vector<std::filesystem::path> links_of(const DeviceRules& rules,
                                                          const std::string& serial);

}  // namespace holdfast::disk
