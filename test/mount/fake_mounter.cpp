#include "test/mount/fake_mounter.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace holdfast::test {

using mount::mounted_at;
using mount::MountEntry;

namespace {

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

Status FakeMounter::check_path(const std::string& path) const {
  const bool below = path.starts_with(root_ + "/") && (path + "/").find("/../") == std::string::npos;
  return below ? Status{} : Status(fail(Code::kInvalidArgument, "'" + path + "' is not below " + root_));
}

bool FakeMounter::has_content(const std::string& folder) const {
  return std::ranges::any_of(paths_, [&](const std::string& path) { return path.starts_with(folder + "/"); });
}

// Mounts, or finds that the same is mounted already.
Status FakeMounter::put(MountEntry entry) {
  HOLDFAST_CHECK(before("mount", entry.target));
  if (const MountEntry* there = mounted_at(mounts_, entry.target)) {
    const bool same = there->minor == entry.minor && there->root == entry.root &&
                      there->options == entry.options && there->type == entry.type;
    return same ? Status{} : Status(fail(Code::kAlreadyExists, entry.target + " has something else mounted"));
  }
  if (has_content(entry.target)) return fail(Code::kFailedPrecondition, entry.target + " is not empty");
  if (files_.contains(entry.target)) return fail(Code::kFailedPrecondition, entry.target + " is a file");
  for (std::string path = entry.target; path != root_; path = parent_of(path)) paths_.insert(path);
  mounts_.push_back(std::move(entry));
  return {};
}

Status FakeMounter::stage(const mount::StageRequest& request) {
  HOLDFAST_CHECK(check_path(request.target));
  const auto device = devices.find(request.device);
  if (device == devices.end()) return fail(Code::kInvalidArgument, request.device + " is not a block device");
  MountEntry entry;
  entry.major = 7;
  entry.minor = device->second;
  entry.root = "/";
  entry.target = request.target;
  entry.options = request.options.read_only() ? "ro" : "rw";
  entry.type = request.fs_type;
  entry.source = request.device;
  return put(std::move(entry));
}

Status FakeMounter::publish(const mount::PublishRequest& request) {
  HOLDFAST_CHECK(check_path(request.source));
  HOLDFAST_CHECK(check_path(request.target));
  const MountEntry* staged = mounted_at(mounts_, request.source);
  if (staged == nullptr) return fail(Code::kFailedPrecondition, "nothing is mounted at " + request.source);
  if (!exists(parent_of(request.target))) return fail(Code::kNotFound, request.target + ": no parent");
  MountEntry entry = *staged;
  entry.target = request.target;
  if (!request.part.empty()) entry.root = (staged->root == "/" ? "" : staged->root) + "/" + request.part;
  if (request.read_only) entry.options = "ro";
  return put(std::move(entry));
}

Status FakeMounter::publish_device(const mount::PublishDeviceRequest& request) {
  HOLDFAST_CHECK(check_path(request.target));
  const auto device = devices.find(request.device);
  if (device == devices.end()) return fail(Code::kInvalidArgument, request.device + " is not a block device");
  if (!exists(parent_of(request.target))) return fail(Code::kNotFound, request.target + ": no parent");
  MountEntry entry;
  entry.minor = device->second;
  entry.root = request.device.substr(std::string_view("/dev").size());
  entry.target = request.target;
  entry.options = "rw";
  entry.type = "devtmpfs";
  entry.source = "devtmpfs";
  return put(std::move(entry));
}

Status FakeMounter::unmount(const std::string& target) {
  HOLDFAST_CHECK(check_path(target));
  HOLDFAST_CHECK(before("unmount", target));
  if (mounted_at(mounts_, target) == nullptr) return {};
  if (busy.contains(target)) return fail_errno(EBUSY, "unmount " + target);
  std::erase_if(mounts_, [&](const MountEntry& entry) { return entry.target == target; });
  return {};
}

Status FakeMounter::unpublish(const std::string& target) {
  HOLDFAST_CHECK(unmount(target));
  if (has_content(target)) return fail(Code::kFailedPrecondition, target + " is not empty");
  paths_.erase(target);
  return {};
}

Status FakeMounter::unstage(const std::string& target, const std::string& device) {
  HOLDFAST_CHECK(unmount(target));
  const auto found = devices.find(device);
  if (found == devices.end()) return {};
  const auto left = std::ranges::find(mounts_, found->second, &MountEntry::minor);
  if (left != mounts_.end()) {
    return fail(Code::kFailedPrecondition, device + " is still mounted at " + left->target);
  }
  if (held.contains(device)) return fail(Code::kFailedPrecondition, device + " is still in use");
  return {};
}

Result<mount::TargetState> FakeMounter::look(const std::string& target) {
  HOLDFAST_CHECK(check_path(target));
  const MountEntry* entry = mounted_at(mounts_, target);
  if (entry == nullptr) return exists(target) ? mount::TargetState::kNotMounted : mount::TargetState::kAbsent;
  const bool there =
      std::ranges::any_of(devices, [&](const auto& device) { return device.second == entry->minor; });
  return there ? mount::TargetState::kMounted : mount::TargetState::kBroken;
}

Result<std::optional<MountEntry>> FakeMounter::entry_at(const std::string& target) {
  HOLDFAST_CHECK(check_path(target));
  const MountEntry* entry = mounted_at(mounts_, target);
  return entry == nullptr ? std::nullopt : std::optional(*entry);
}

Result<mount::Mounts> FakeMounter::mounts_of(const std::string& device) {
  mount::Mounts found;
  const auto known = devices.find(device);
  if (known == devices.end() && device.starts_with("/dev/null")) {
    return fail(Code::kInvalidArgument, device + " is not a block device");
  }
  if (known == devices.end()) return found;
  std::ranges::copy_if(mounts_, std::back_inserter(found),
                       [&](const MountEntry& entry) { return entry.minor == known->second; });
  return found;
}

void FakeMounter::mount_elsewhere(const std::string& device, const std::string& target,
                                  const std::string& root) {
  MountEntry entry;
  entry.major = 7;
  entry.minor = devices.at(device);
  entry.root = root;
  entry.target = target;
  entry.options = "rw";
  entry.type = "ext4";
  entry.source = device;
  mounts_.push_back(std::move(entry));
}

void FakeMounter::turn_read_only(const std::string& device) {
  const std::uint32_t minor = devices.at(device);
  for (MountEntry& entry : mounts_) {
    if (entry.minor == minor) entry.super_options = "ro";
  }
}

Result<std::shared_ptr<const mount::Mounts>> FakeMounter::mounts() {
  return std::make_shared<const mount::Mounts>(mounts_);
}

}  // namespace holdfast::test
