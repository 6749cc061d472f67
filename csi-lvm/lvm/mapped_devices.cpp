#include "csi-lvm/lvm/mapped_devices.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/base/fd.h"
#include "common/base/first_error.h"
#include "common/base/text.h"

namespace holdfast::lvm {
namespace {

constexpr std::string_view kPrefix = "LVM-";
constexpr std::string_view kPoolLayer = "-tpool";
constexpr std::size_t kIdLength = 32;
constexpr const char* kControl = "/dev/mapper/control";

bool accounts_for(const VolumeGroup& group, std::string_view id, std::string_view layer) {
  const auto is_it = [id](const std::string& uuid) { return plain_id(uuid) == id; };
  if (std::ranges::any_of(group.parts, is_it)) return true;
  const auto volume = std::ranges::find_if(group.volumes, is_it, &LogicalVolume::uuid);
  if (volume == group.volumes.end()) return false;
  if (layer == "-cow") return !volume->origin.empty();
  if (layer != "-real") return true;
  return std::ranges::find(group.volumes, volume->name, &LogicalVolume::origin) != group.volumes.end();
}

dm_ioctl request_of_kernel() {
  dm_ioctl request{};
  request.version[0] = DM_VERSION_MAJOR;
  request.data_size = sizeof request;
  return request;
}

// Entries of dm_name_list, each of which tells how far it is to the next one; the last one's 0.
std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  constexpr std::size_t kNameAt = offsetof(dm_name_list, name);
  while (list.size() > kNameAt) {
    dm_name_list entry{};
    std::memcpy(&entry, list.data(), kNameAt);
    const std::string_view rest = list.substr(kNameAt);
    const std::string_view name = rest.substr(0, rest.find('\0'));
    if (!name.empty()) names.emplace_back(name);
    if (entry.next == 0 || entry.next > list.size()) break;
    list.remove_prefix(entry.next);
  }
  return names;
}

Result<std::vector<std::string>> device_names(const Fd& control) {
  constexpr std::size_t kMost = std::size_t{16} << 20;
  for (std::vector<char> room(std::size_t{16} << 10);; room.assign(room.size() * 2, 0)) {
    dm_ioctl asked = request_of_kernel();
    asked.data_size = static_cast<std::uint32_t>(room.size());
    asked.data_start = sizeof asked;
    std::memcpy(room.data(), &asked, sizeof asked);
    if (::ioctl(control.get(), DM_LIST_DEVICES, room.data()) != 0) {
      return fail_errno(errno, "list the devices of device-mapper");
    }
    std::memcpy(&asked, room.data(), sizeof asked);
    if ((asked.flags & DM_BUFFER_FULL_FLAG) != 0 && room.size() < kMost) continue;
    if ((asked.flags & DM_BUFFER_FULL_FLAG) != 0 || asked.data_size > room.size() ||
        asked.data_start > asked.data_size) {
      return fail(Code::kInternal, "device-mapper lists its devices in a form that is not understood");
    }
    return names_in({room.data() + asked.data_start, asked.data_size - asked.data_start});
  }
}

MappedDevice device_of(std::string name, const dm_ioctl& status) {
  return {.name = std::move(name),
          .uuid = status.uuid,
          .major = ::major(status.dev),
          .minor = ::minor(status.dev),
          .open = status.open_count > 0,
          .suspended = (status.flags & DM_SUSPEND_FLAG) != 0,
          .waiting_table = (status.flags & DM_INACTIVE_PRESENT_FLAG) != 0};
}

std::string done_by(unsigned long what) {
  switch (what) {
    case DM_DEV_REMOVE:
      return "remove the device ";
    case DM_DEV_SUSPEND:
      return "resume the device ";
    default:
      return "clear the waiting table of ";
  }
}

// By its UUID: a name may be another's by now.
Status ask(const MappedDevice& device, unsigned long what) {
  const Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.valid()) return fail_errno(errno, std::string("open ") + kControl);
  dm_ioctl request = request_of_kernel();
  if (device.uuid.size() >= sizeof request.uuid) {
    return fail(Code::kInvalidArgument, "the device " + device.name + " has too long a UUID: " + device.uuid);
  }
  device.uuid.copy(request.uuid, sizeof request.uuid - 1);
  if (::ioctl(control.get(), what, &request) == 0) return {};
  return fail_errno(errno, done_by(what) + device.name);
}

// To the target of a device with one alone, by its UUID.
Status tell(const MappedDevice& device, const std::string& message) {
  const Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.valid()) return fail_errno(errno, std::string("open ") + kControl);
  constexpr std::size_t kMessageAt = sizeof(dm_ioctl) + offsetof(dm_target_msg, message);
  std::vector<char> room(kMessageAt + message.size() + 1);
  dm_ioctl request = request_of_kernel();
  request.data_size = static_cast<std::uint32_t>(room.size());
  request.data_start = sizeof request;
  device.uuid.copy(request.uuid, sizeof request.uuid - 1);
  std::memcpy(room.data(), &request, sizeof request);
  message.copy(room.data() + kMessageAt, message.size());
  if (::ioctl(control.get(), DM_TARGET_MSG, room.data()) == 0) return {};
  return fail_errno(errno, "tell the device " + device.name + " '" + message + "'");
}

std::optional<std::uint32_t> number_in(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || end != text.end()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::vector<MappedDevice>> mapped_devices() {
  const Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.valid()) {
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO) return std::vector<MappedDevice>();
    return fail_errno(errno, std::string("open ") + kControl);
  }
  HOLDFAST_TRY(std::vector<std::string> names, device_names(control));
  std::vector<MappedDevice> found;
  for (std::string& name : names) {
    dm_ioctl asked = request_of_kernel();
    name.copy(asked.name, sizeof asked.name - 1);
    if (::ioctl(control.get(), DM_DEV_STATUS, &asked) == 0) {
      found.push_back(device_of(std::move(name), asked));
    } else if (errno != ENXIO) {  // else it has gone
      return fail_errno(errno, "ask for the device " + name);
    }
  }
  return found;
}

void tell_devices(const std::vector<MappedDevice>& devices, Inventory& inventory) {
  std::map<std::string_view, const MappedDevice*> by_uuid;
  for (const MappedDevice& device : devices) by_uuid[device.uuid] = &device;
  for (VolumeGroup& group : inventory.groups) {
    for (LogicalVolume& volume : group.volumes) {
      const auto found = by_uuid.find(std::string(kPrefix) + plain_id(group.uuid) + plain_id(volume.uuid));
      if (found == by_uuid.end()) continue;
      const MappedDevice& device = *found->second;
      volume.active = true;
      volume.open = device.open;
      volume.unsettled = device.suspended || device.waiting_table;
      volume.major = device.major;
      volume.minor = device.minor;
    }
  }
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

std::vector<MappedDevice> parts_of(const std::vector<MappedDevice>& devices, const VolumeGroup& group) {
  std::vector<std::string> prefixes;
  for (const std::string& uuid : group.parts) {
    prefixes.push_back(std::string(kPrefix) + plain_id(group.uuid) + plain_id(uuid));
  }
  std::vector<MappedDevice> found;
  std::ranges::copy_if(devices, std::back_inserter(found), [&prefixes](const MappedDevice& device) {
    return std::ranges::any_of(
        prefixes, [&device](const std::string& prefix) { return device.uuid.starts_with(prefix); });
  });
  return found;
}

std::vector<MappedDevice> suspended_pool_of(const std::vector<MappedDevice>& devices,
                                            const VolumeGroup& group, const LogicalVolume& volume) {
  const LogicalVolume* pool = volume.pool.empty() ? nullptr : group.volume(volume.pool);
  if (pool == nullptr) return {};
  std::vector<MappedDevice> found = parts_of(devices, group);
  const std::string layer =
      std::string(kPrefix) + plain_id(group.uuid) + plain_id(pool->uuid) + std::string(kPoolLayer);
  std::ranges::copy_if(devices, std::back_inserter(found),
                       [&layer](const MappedDevice& device) { return device.uuid == layer; });
  std::erase_if(found, [](const MappedDevice& device) { return !device.suspended; });
  return found;
}

Status resume(const MappedDevice& device) {
  HOLDFAST_CHECK(clear_waiting_table(device));
  const Status done = ask(device, DM_DEV_SUSPEND);  // without DM_SUSPEND_FLAG
  return done || done.error().sys_errno == ENXIO ? Status() : done;
}

std::optional<UnnotedThin> unnoted_thin(std::string_view said) {
  // "Thin pool suite-pool-tpool (254:2) already contain thin device with device_id 2."
  constexpr std::string_view kKnown = " already contain thin device with device_id ";
  const std::size_t at = said.find(kKnown);
  const std::size_t begin = at == std::string_view::npos ? at : said.rfind('(', at);
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view device = said.substr(begin + 1, at - begin - 1);
  std::string_view id = said.substr(at + kKnown.size());
  const auto major = number_in(take_until(device, ':'));
  const auto minor = number_in(take_until(device, ')'));
  const auto number = number_in(take_until(id, '.'));
  if (!major || !minor || !number || !device.empty()) return std::nullopt;
  return UnnotedThin{.major = *major, .minor = *minor, .id = *number};
}

Status forget_thin(const UnnotedThin& thin) {
  HOLDFAST_TRY(const std::vector<MappedDevice> devices, mapped_devices());
  const auto pool = std::ranges::find_if(devices, [&thin](const MappedDevice& device) {
    return device.major == thin.major && device.minor == thin.minor;
  });
  if (pool == devices.end() || !pool->uuid.starts_with(kPrefix) || !pool->uuid.ends_with(kPoolLayer)) {
    return fail(Code::kFailedPrecondition, "the device " + std::to_string(thin.major) + ":" +
                                               std::to_string(thin.minor) + " is no pool of LVM's");
  }
  return tell(*pool, "delete " + std::to_string(thin.id));
}

Status clear_waiting_table(const MappedDevice& device) {
  const Status done = ask(device, DM_TABLE_CLEAR);
  return done || done.error().sys_errno == ENXIO ? Status() : done;
}

// A device may stand on another, so they are gone through again until a round finds all that are left in use.
Status remove_unused(std::vector<MappedDevice> left) {
  FirstError first;
  for (std::size_t before = left.size() + 1; left.size() < before;) {
    before = left.size();
    std::erase_if(left, [&first](const MappedDevice& device) {
      const Status removed = remove_mapped(device);
      if (!removed && removed.error().code == Code::kFailedPrecondition) return false;
      first.add(removed);
      return true;
    });
  }
  return first.result();
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
