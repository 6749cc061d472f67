#include "csi-disk/device/device_finder.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

// What sysfs tells may follow the event by a moment; nothing else would wake us then.
constexpr std::chrono::milliseconds kSettle{20};
// Should an event have been lost.
constexpr std::chrono::seconds kLookAnyway{1};

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

}  // namespace

Result<std::string> data_of(const HeldDisk& disk) {
  if (disk.partitions.size() <= 1) return disk.partitions.empty() ? disk.disk : disk.partitions.front();
  return fail(Code::kFailedPrecondition, "the disk " + disk.name + " has several partitions (" +
                                             joined(disk.partitions) +
                                             "): a volume is a whole disk, or the only partition of one");
}

std::vector<std::string> DeviceFinder::names_like(const DiskIdentity& wanted) const {
  std::vector<std::string> names = parts_.directory.disk_names();
  std::erase_if(names, [&](const std::string& name) {
    const auto marks = parts_.directory.marks_of(name);
    return !marks || !is_same(wanted, identity_of(*marks, rules_));
  });
  return names;
}

Result<std::optional<HeldDisk>> DeviceFinder::look(const DiskIdentity& wanted) const {
  const std::vector<std::string> names = names_like(wanted);
  if (names.empty()) return std::optional<HeldDisk>{};
  if (names.size() == 1) return hold(names.front(), wanted);
  return fail(Code::kFailedPrecondition, "the devices " + joined(names) + " all have the " +
                                             describe(wanted) + ": which of them is the disk cannot be told");
}

Result<std::optional<HeldDisk>> DeviceFinder::hold(const std::string& name,
                                                   const DiskIdentity& wanted) const {
  const std::string path = (parts_.dev / name).native();
  auto opened = parts_.files.open(path);
  // It was pulled just now, or its file is not made so far.
  if (!opened && opened.error().code == Code::kNotFound) return std::optional<HeldDisk>{};
  if (!opened) return tl::unexpected(opened.error());
  // What was opened may be another disk than the one that was seen under that name.
  const auto marks = parts_.directory.marks_of(opened->number);
  if (!marks || marks->kernel_name != name) return std::optional<HeldDisk>{};
  DiskIdentity identity = identity_of(*marks, rules_);
  if (!is_same(wanted, identity)) return std::optional<HeldDisk>{};
  const auto device = parts_.directory.identify_name(name);
  if (!device) return std::optional<HeldDisk>{};
  HeldDisk out{.identity = std::move(identity),
               .name = name,
               .disk = path,
               .partitions = {},
               .holders = device->holders,
               .sequence = marks->sequence,
               .held = std::move(opened->fd)};
  for (const std::string& part : device->partitions) {
    out.partitions.push_back((parts_.dev / part).native());
    const auto look = parts_.directory.identify_name(part);
    if (look) out.holders.insert(out.holders.end(), look->holders.begin(), look->holders.end());
  }
  return std::optional(std::move(out));
}

Result<HeldDisk> DeviceFinder::find(const DiskIdentity& wanted, std::chrono::nanoseconds patience,
                                    const std::function<bool()>& cancelled) const {
  const std::chrono::nanoseconds end = parts_.clock.since_boot() + patience;
  bool just_told = false;
  for (;;) {
    const std::uint64_t seen = parts_.news.count();
    HOLDFAST_TRY(std::optional<HeldDisk> found, look(wanted));
    if (found) return *std::move(found);
    if (cancelled()) return fail(Code::kCancelled, "the caller waits no longer for the disk");
    const std::chrono::nanoseconds left = end - parts_.clock.since_boot();
    if (left <= std::chrono::nanoseconds::zero()) break;
    const std::chrono::nanoseconds next = just_told ? kSettle : std::chrono::nanoseconds(kLookAnyway);
    just_told = parts_.news.wait(seen, std::min(left, next));
  }
  return fail(Code::kUnavailable, why_not(wanted));
}

// For people: what may have gone wrong, by the links that there should be.
std::string DeviceFinder::why_not(const DiskIdentity& wanted) const {
  std::string out = "no disk with the " + describe(wanted) + " is attached to this node";
  for (const fs::path& link : links_of(rules_, wanted.serial)) {
    std::error_code error;
    const std::string name = fs::read_symlink(link, error).filename().string();
    if (error) continue;
    const auto marks = parts_.directory.marks_of(name);
    out += "; " + link.native() + " leads to " + name;
    if (!marks) return out + ", which is not there";
    const DiskIdentity other = identity_of(*marks, rules_);
    const bool silent = other.serial.empty() && other.wwn.empty();
    return out + (silent ? ", which tells no serial number" : ", which has the " + describe(other));
  }
  return out;
}

Result<DiskIdentity> DeviceFinder::told_identity(const block::DeviceIdentity& device) const {
  const std::string& name = device.whole_disk.empty() ? device.kernel_name : device.whole_disk;
  HOLDFAST_TRY(const block::DeviceMarks marks, parts_.directory.marks_of(name));
  DiskIdentity identity = identity_of(marks, rules_);
  if (!identity.serial.empty() || !identity.wwn.empty()) return identity;
  return fail(
      Code::kFailedPrecondition,
      "the disk " + name +
          " tells neither serial number nor WWN, so that it could not be told from others after a boot");
}

Result<DiskIdentity> DeviceFinder::identity_behind(const std::string& path) const {
  HOLDFAST_TRY(const OpenDevice opened, parts_.files.open(path));
  return identity_of_number(opened.number);
}

Result<DiskIdentity> DeviceFinder::identity_of_number(dev_t number) const {
  HOLDFAST_TRY(const block::DeviceMarks marks, parts_.directory.marks_of(number));
  HOLDFAST_TRY(const block::DeviceIdentity device, parts_.directory.identify_name(marks.kernel_name));
  return told_identity(device);
}

}  // namespace holdfast::disk
