#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::csi {

enum class DriverKind : std::uint8_t { kLocal, kNas, kDisk };

/// What of a volume's handle is the serial number that its disk tells.
enum class HandleSerial : std::uint8_t {
  kNone,          ///< nothing
  kWhole,         ///< all of it
  kBehindPrefix,  ///< what follows the prefix that handles have
};

/// What tells one driver from another to a cluster. Data, so that one program serves the volumes of several
/// clouds. Those that are known are in profiles.cpp; others are written as JSON.
struct Profile {
  std::string driver_name;  ///< CSIDriver object, PersistentVolumes: "localplugin.csi.alibabacloud.com"
  DriverKind kind = DriverKind::kLocal;
  /// Folder below kubelet's in which the driver has its own: "plugins" or "csi-plugins".
  std::string plugins_folder = "plugins";
  /// Node labels that tell where a volume can be used; the first one is always given. Empty: everywhere.
  std::vector<std::string> topology_keys{};
  /// What volume handles begin with, "d-"; empty: handles are names of PersistentVolumes.
  std::string handle_prefix{};
  /// Names below /dev/disk/by-id of a disk, "{serial}" standing for its serial number.
  std::vector<std::string> device_links{};
  HandleSerial handle_serial = HandleSerial::kNone;
  /// Loop devices are disks too, each with the name of its file, without extension, as its serial number.
  bool loop_devices = false;
  /// How many disks may be attached to a node beside the one that it boots from; 0: nobody says.
  std::uint32_t attach_limit = 0;
  /// Names of nodes are "<region>.<IPv4 address>", "zj-shaoxing-2.10.0.0.3".
  bool region_in_node_name = false;
  bool operator==(const Profile&) const = default;
};

/// The profiles that need no file.
[[nodiscard]] const std::vector<Profile>& known_profiles();
/// The known one of that driver, or nullopt.
[[nodiscard]] std::optional<Profile> known_profile(std::string_view driver_name);

/// A profile written as
///
///     {"driverName": "disk.example.com", "kind": "disk", "pluginsFolder": "plugins",
///      "topologyKeys": ["topology.disk.example.com/zone"], "handlePrefix": "vol-",
///      "deviceLinks": ["virtio-{serial}"], "handleSerial": "none" | "whole" | "behindPrefix",
///      "loopDevices": false, "attachLimit": 16, "regionInNodeName": false}
///
/// A key that is not given is as in the known profile of that name, else as in a new Profile; `kind` must be
/// told for a name that is not known. Errors: kInvalidArgument, naming the key.
[[nodiscard]] Result<Profile> parse_profile(const nlohmann::json& document);

/// Those of a configuration, under its key "profiles"; none when it has none. Errors: as parse_profile();
/// kInvalidArgument for a driver that is told twice.
[[nodiscard]] Result<std::vector<Profile>> parse_profiles(const nlohmann::json& configuration);

/// <kubelet>/<plugins folder>/<driver>/csi.sock
[[nodiscard]] std::filesystem::path csi_socket(const std::filesystem::path& kubelet_folder,
                                               const Profile& profile);
/// <kubelet>/plugins_registry/<driver>-reg.sock
[[nodiscard]] std::filesystem::path registration_socket(const std::filesystem::path& kubelet_folder,
                                                        const Profile& profile);

}  // namespace holdfast::csi
