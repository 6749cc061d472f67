#include "csi-lvm/lvm/mapped_devices.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "common/base/fd.h"

namespace holdfast::lvm {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "LVM-";
constexpr std::size_t kIdLength = 32;
constexpr const char* kControl = "/dev/mapper/control";

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool accounts_for(const VolumeGroup& group, std::string_view id, std::string_view layer) {
  const auto is_it = [id](const std::string& uuid) { return plain_id(uuid) == id; };
  if (std::ranges::any_of(group.parts, is_it)) return true;
  const auto volume = std::ranges::find_if(group.volumes, is_it, &LogicalVolume::uuid);
  if (volume == group.volumes.end()) return false;
  if (layer == "-cow") return !volume->origin.empty();
  if (layer != "-real") return true;
  return std::ranges::find(group.volumes, volume->name, &LogicalVolume::origin) != group.volumes.end();
}

// By its UUID: a name may be another's by now.
Status ask(const MappedDevice& device, unsigned long what) {
  const Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.valid()) return fail_errno(errno, std::string("open ") + kControl);
  dm_ioctl request{};
  request.version[0] = DM_VERSION_MAJOR;
  request.data_size = sizeof request;
  if (device.uuid.size() >= sizeof request.uuid) {
    return fail(Code::kInvalidArgument, "the device " + device.name + " has too long a UUID: " + device.uuid);
  }
  device.uuid.copy(request.uuid, sizeof request.uuid - 1);
  if (::ioctl(control.get(), what, &request) == 0) return {};
  return fail_errno(
      errno, (what == DM_DEV_REMOVE ? "remove the device " : "clear the waiting table of ") + device.name);
}

}  // namespace

Result<std::vector<MappedDevice>> mapped_devices(const fs::path& sys) {
  std::vector<MappedDevice> found;
  std::error_code error;
  fs::directory_iterator each(sys / "block", error);
  for (; !error && each != fs::directory_iterator(); each.increment(error)) {
    if (!each->path().filename().native().starts_with("dm-")) continue;
    const fs::path folder = each->path() / "dm";
    found.push_back({.name = first_line(folder / "name"), .uuid = first_line(folder / "uuid")});
  }
  if (error) return fail_errno(error.value(), "list the devices of " + (sys / "block").native());
  return found;
}

std::vector<MappedDevice> strays(const std::vector<MappedDevice>& devices, const Inventory& now) {
  std::vector<MappedDevice> found;
  for (const MappedDevice& device : devices) {
    const std::string_view uuid = device.uuid;
    if (!uuid.starts_with(kPrefix) || uuid.size() < kPrefix.size() + 2 * kIdLength) continue;
    const std::string_view ids = uuid.substr(kPrefix.size());
    const auto group = std::ranges::find_if(
        now.groups, [&](const VolumeGroup& one) { return plain_id(one.uuid) == ids.substr(0, kIdLength); });
    if (group == now.groups.end()) continue;
    if (accounts_for(*group, ids.substr(kIdLength, kIdLength), ids.substr(2 * kIdLength))) continue;
    found.push_back(device);
  }
  return found;
}

std::vector<MappedDevice> family_of(const std::vector<MappedDevice>& devices, const VolumeGroup& group,
                                    const LogicalVolume& volume) {
  const std::string& root = volume.origin.empty() ? volume.name : volume.origin;
  std::vector<std::string> prefixes;
  for (const LogicalVolume& each : group.volumes) {
    if (each.name != root && each.origin != root && each.name != volume.name) continue;
    prefixes.push_back(std::string(kPrefix) + plain_id(group.uuid) + plain_id(each.uuid));
  }
  std::vector<MappedDevice> found;
  std::ranges::copy_if(devices, std::back_inserter(found), [&prefixes](const MappedDevice& device) {
    return std::ranges::any_of(
        prefixes, [&device](const std::string& prefix) { return device.uuid.starts_with(prefix); });
  });
  return found;
}

Status clear_waiting_table(const MappedDevice& device) {
  const Status done = ask(device, DM_TABLE_CLEAR);
  return done || done.error().sys_errno == ENXIO ? Status() : done;
}

Status remove_mapped(const MappedDevice& device) {
  Status done = ask(device, DM_DEV_REMOVE);
  if (!done && done.error().sys_errno == EBUSY) {
    return fail(Code::kFailedPrecondition, "the device " + device.name + " is in use");
  }
  if (!done && done.error().sys_errno != ENXIO) return done;
  ::unlink(("/dev/mapper/" + device.name).c_str());
  return {};
}

}  // namespace holdfast::lvm
