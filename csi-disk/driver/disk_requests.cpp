#include "csi-disk/driver/disk_requests.h"

#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "csi-disk/volumes/file_systems.h"
#include "csi-disk/volumes/publish_context.h"

namespace holdfast::disk {
namespace {

constexpr const char* kSerialAttribute = "serial";
constexpr const char* kPathAttribute = "devicePath";

bool writes_from_many_nodes(csi::AccessMode mode) {
  return mode == csi::AccessMode::kMultiNodeSingleWriter || mode == csi::AccessMode::kMultiNodeMultiWriter;
}

Result<std::optional<std::string>> checked(const std::string& serial, const std::string& told_by) {
  if (is_serial(serial)) return std::optional(serial);
  return fail(Code::kInvalidArgument, told_by + " '" + serial + "' is no serial number of a disk");
}

tl::unexpected<Error> other_disk(const std::string& volume, const std::string& own, const std::string& told) {
  return fail(
      Code::kFailedPrecondition,
      "the volume " + volume + " is the disk with the serial number " + own + ", and its attachment tells " +
          told +
          ": one of them is another's disk, and neither is touched; if the volume is that disk, name it "
          "by the attribute serial of its PersistentVolume");
}

}  // namespace

std::optional<std::string> serial_of_handle(const std::string& handle, const csi::Profile& profile) {
  const bool told = profile.handle_serial != csi::HandleSerial::kNone;
  if (!told || !handle.starts_with(profile.handle_prefix)) return std::nullopt;
  const bool whole = profile.handle_serial == csi::HandleSerial::kWhole;
  std::string serial = whole ? handle : handle.substr(profile.handle_prefix.size());
  if (!is_serial(serial)) return std::nullopt;
  return serial;
}

Status check_usage(const csi::v1::VolumeCapability& capability) {
  if (!capability.has_mount()) return {};
  if (writes_from_many_nodes(csi::access_mode_of(capability))) {
    return fail(
        Code::kInvalidArgument,
        "a file system on a disk is for one node; only a volume of the mode Block can be written by several");
  }
  return check_file_system(capability.mount().fs_type());
}

Result<std::optional<std::string>> told_serial(const DiskHints& hints, const csi::Profile& profile) {
  if (const std::string told = staging::text_of(hints.attachment, std::string(kSerialKey)); !told.empty()) {
    const auto own = serial_of_handle(hints.volume, profile);
    const bool named =
        hints.attributes.contains(kSerialAttribute) || hints.attributes.contains(kPathAttribute);
    if (own && !named && !is_same({.serial = *own}, {.serial = told}))
      return other_disk(hints.volume, *own, told);
    return checked(told, "the attachment's serialNumber");
  }
  if (const std::string told = staging::text_of(hints.attributes, kSerialAttribute); !told.empty()) {
    return checked(told, "the attribute serial");
  }
  if (hints.attributes.contains(kPathAttribute)) return std::optional<std::string>{};
  return serial_of_handle(hints.volume, profile);
}

Result<std::string> told_path(const DiskHints& hints) {
  std::string path = staging::text_of(hints.attributes, kPathAttribute);
  const bool good = path.empty() || (path.starts_with("/dev/") && path.find("..") == std::string::npos &&
                                     path.find('\0') == std::string::npos);
  if (good) return path;
  return fail(Code::kInvalidArgument, "the attribute devicePath '" + path + "' is no path below /dev");
}

tl::unexpected<Error> nothing_tells(const std::string& volume, const csi::Profile& profile) {
  return fail(Code::kInvalidArgument,
              "nothing tells which disk the volume " + volume +
                  " is: name its serial number by the attribute serial of "
                  "its PersistentVolume, or its device by devicePath (the profile of " +
                  profile.driver_name + " may tell how handles name serial numbers: handleSerial)");
}

}  // namespace holdfast::disk
