#include "csi-lvm/nrm/node_disks.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "common/block/block_device.h"
#include "common/mount/mount_table.h"

namespace holdfast::nrm {
namespace {

namespace fs = std::filesystem;
using block::DeviceIdentity;

// The kernel's name of a device number, "" for a file system without a device.
std::string name_of(dev_t number) {
  std::error_code error;
  const std::string text = std::to_string(major(number)) + ":" + std::to_string(minor(number));
  return fs::read_symlink(fs::path("/sys/dev/block") / text, error).filename().string();
}

// Adds the devices that this one stands on: what device-mapper and md put together, and the disk of a
// partition.
void add_with_foundations(const std::string& name, std::set<std::string>& names) {
  if (name.empty() || !names.insert(name).second) return;
  std::error_code error;
  const fs::path folder = fs::path("/sys/class/block") / name;
  for (const fs::directory_entry& below : fs::directory_iterator(folder / "slaves", error)) {
    add_with_foundations(below.path().filename().string(), names);
  }
  if (!fs::exists(folder / "partition", error)) return;
  add_with_foundations(fs::canonical(folder, error).parent_path().filename().string(), names);
}

// The devices of the file system that holds a folder. Of one that has no device of its own (btrfs), by what
// was mounted.
std::set<std::string> devices_below(const std::string& folder, const mount::Mounts& mounts) {
  std::set<std::string> names;
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return names;
  add_with_foundations(name_of(info.st_dev), names);
  for (const mount::MountEntry& entry : mounts) {
    if (makedev(entry.major, entry.minor) != info.st_dev || !entry.source.starts_with("/dev/")) continue;
    struct stat source {};
    if (::stat(entry.source.c_str(), &source) == 0 && S_ISBLK(source.st_mode)) {
      add_with_foundations(name_of(source.st_rdev), names);
    }
  }
  return names;
}

Result<std::shared_ptr<const mount::Mounts>> mounts_now() {
  HOLDFAST_TRY(const auto table, mount::MountTable::open());
  return table->now();
}

}  // namespace

SystemNodeDisks::SystemNodeDisks(std::vector<std::string> system_paths)
    : system_paths_(std::move(system_paths)) {}

std::vector<std::string> SystemNodeDisks::default_system_paths() {
  return {"/",
          "/boot",
          "/usr",
          "/var",
          "/var/lib",
          "/var/lib/kubelet",
          "/var/lib/containerd",
          "/var/lib/docker",
          "/var/lib/containers",
          "/run/containerd"};
}

Result<std::vector<DeviceIdentity>> SystemNodeDisks::list() {
  HOLDFAST_TRY(std::vector<DeviceIdentity> devices, directory_.list_disks());
  std::vector<std::string> partitions;
  for (const DeviceIdentity& disk : devices) {
    partitions.insert(partitions.end(), disk.partitions.begin(), disk.partitions.end());
  }
  for (const std::string& name : partitions) {
    auto partition = directory_.identify_name(name);
    if (partition) devices.push_back(*std::move(partition));  // else it went meanwhile
  }
  return devices;
}

Result<DeviceIdentity> SystemNodeDisks::identify(const std::string& path) {
  return directory_.identify(path);
}

std::string SystemNodeDisks::system_path_on(const DeviceIdentity& device, const mount::Mounts& mounts) const {
  for (const std::string& path : system_paths_) {
    if (devices_below(path, mounts).contains(device.kernel_name)) return path;
  }
  return "";
}

Result<std::string> SystemNodeDisks::user_of(const DeviceIdentity& device) const {
  HOLDFAST_TRY(const std::shared_ptr<const mount::Mounts> mounts, mounts_now());
  if (const std::string path = system_path_on(device, *mounts); !path.empty()) {
    return "carries the system (" + path + ")";
  }
  for (const mount::MountEntry& entry : *mounts) {
    if (makedev(entry.major, entry.minor) == device.number) return "is mounted at " + entry.target;
  }
  HOLDFAST_TRY(const bool in_use, block::is_in_use(device_path(device.kernel_name)));
  return in_use ? "is in use: mounted elsewhere, swap, or held by another device" : "";
}

Probe SystemNodeDisks::probe(const DeviceIdentity& device) {
  Probe probe;
  auto user = user_of(device);
  if (!user) {
    probe.content = tl::unexpected(std::move(user).error());
    return probe;
  }
  probe.in_use = *std::move(user);
  if (!probe.in_use.empty()) return probe;
  auto opened = block::SystemBlockDevice::open(device_path(device.kernel_name), block::Access::kRead);
  if (!opened) {
    probe.content = tl::unexpected(std::move(opened).error());
  } else {
    probe.content = block::look_at(**opened);
  }
  return probe;
}

}  // namespace holdfast::nrm
