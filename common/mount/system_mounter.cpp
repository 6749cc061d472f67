#include "common/mount/system_mounter.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "common/mount/device_free.h"

namespace holdfast::mount {
namespace {

constexpr mode_t kFolderMode = 0750;
constexpr mode_t kFileMode = 0600;
constexpr int kMostLayers = 64;  // of mounts on top of one another

std::string path_of(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

struct ClosesFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

Result<bool> is_empty(const Fd& folder, const std::string& name) {
  const std::unique_ptr<DIR, ClosesFolder> stream(::opendir(path_of(folder).c_str()));
  if (!stream) return fail_errno(errno, "list " + name);
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view found(entry->d_name);
    if (found != "." && found != "..") return false;
  }
  return true;
}

// The folder to mount on, made when absent. What is in it already would be hidden, and is somebody's.
Result<Fd> empty_folder(const Beneath& beneath, const Place& place, const std::string& target) {
  if (::mkdirat(place.parent.get(), place.name.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return fail_errno(errno, "make " + target);
  }
  HOLDFAST_TRY(std::optional<Fd> folder, beneath.find(target));
  struct stat info {};
  if (!folder || ::fstat(folder->get(), &info) != 0)
    return fail(Code::kUnavailable, target + " was taken away by somebody");
  if (!S_ISDIR(info.st_mode)) {
    return fail(Code::kFailedPrecondition, target + " is no folder, but somebody's file: take it away");
  }
  HOLDFAST_TRY(const bool empty, is_empty(*folder, target));
  if (!empty)
    return fail(Code::kFailedPrecondition,
                target + " is not empty, and mounting there would hide what is in it");
  return *std::move(folder);
}

Result<Fd> file_to_bind_on(const Beneath& beneath, const Place& place, const std::string& target) {
  const Fd made(::openat(place.parent.get(), place.name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode));
  if (!made.valid() && errno != EEXIST) return fail_errno(errno, "make " + target);
  HOLDFAST_TRY(std::optional<Fd> file, beneath.find(target));
  struct stat info {};
  if (!file || ::fstat(file->get(), &info) != 0)
    return fail(Code::kUnavailable, target + " was taken away by somebody");
  if (!S_ISREG(info.st_mode) || info.st_size != 0) {
    return fail(Code::kFailedPrecondition, target + " is not an empty file");
  }
  return *std::move(file);
}

Result<Fd> open_block_device(const std::string& path, struct stat& info) {
  Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return fail_errno(errno, "open " + path);
  if (!S_ISBLK(info.st_mode)) return fail(Code::kInvalidArgument, path + " is not a block device");
  return fd;
}

// Success when what is mounted at a target is what was asked for.
Status same_or_refused(const MountEntry& there, bool same_source, bool read_only, const std::string& target) {
  if (!same_source) {
    return fail(Code::kAlreadyExists, target + " has something else mounted: " + there.source + there.root);
  }
  if (there.read_only() != read_only) {
    return fail(Code::kAlreadyExists,
                target + " is mounted " + (read_only ? "writable" : "read-only") + " already");
  }
  return {};
}

// What mountinfo calls a part of what is mounted.
std::string root_of_part(const MountEntry& whole, const std::string& part) {
  if (part.empty()) return whole.root;
  return (whole.root == "/" ? "" : whole.root) + "/" + part;
}

// The empty folder or file that was mounted on.
Status remove_target(const Place& place, const std::string& target) {
  struct stat info {};
  if (::fstatat(place.parent.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Status{} : Status(fail_errno(errno, "look at " + target));
  }
  if (S_ISREG(info.st_mode) && info.st_size != 0) {
    return fail(Code::kFailedPrecondition, target + " is a file with content: somebody's data");
  }
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    return fail(Code::kInvalidArgument, target + " is neither a folder nor a file");
  }
  if (::unlinkat(place.parent.get(), place.name.c_str(), S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) == 0 ||
      errno == ENOENT) {
    return {};
  }
  if (errno == ENOTEMPTY) return fail(Code::kFailedPrecondition, target + " is not empty: somebody's data");
  return fail_errno(errno, "remove " + target);
}

}  // namespace

SystemMounter::SystemMounter(Beneath beneath, std::unique_ptr<MountTable> table, BindMethod binds)
    : beneath_(std::move(beneath)), table_(std::move(table)), binds_(binds) {}

Result<std::unique_ptr<SystemMounter>> SystemMounter::open(const std::string& root, Beneath::Method paths,
                                                           BindMethod binds) {
  HOLDFAST_TRY(Beneath beneath, Beneath::open(root, paths));
  HOLDFAST_TRY(auto table, MountTable::open());
  return std::unique_ptr<SystemMounter>(new SystemMounter(std::move(beneath), std::move(table), binds));
}

Result<std::unique_ptr<Mounter>> make_mounter(const std::string& root) {
  return SystemMounter::open(root, Beneath::Method::kOpenat2, best_bind_method());
}

Result<std::optional<MountEntry>> SystemMounter::entry_at(const std::string& target) {
  HOLDFAST_TRY(const std::string name, beneath_.resolved(target));
  HOLDFAST_TRY(const auto mounts, table_->now());
  const MountEntry* entry = mounted_at(*mounts, name);
  return entry != nullptr ? std::optional(*entry) : std::nullopt;
}

Result<Mounts> SystemMounter::mounts_of(const std::string& device) {
  HOLDFAST_TRY(const std::optional<dev_t> number, device_number(device));
  if (!number) return Mounts{};
  HOLDFAST_TRY(const auto mounts, table_->now());
  Mounts of_device = mounts_of_device(*mounts, *number);
  for (MountEntry& entry : of_device) entry.target = beneath_.told(entry.target);
  return of_device;
}

Status SystemMounter::stage(const StageRequest& request) {
  HOLDFAST_TRY(const Place place, beneath_.make_place(request.target));
  struct stat device {};
  HOLDFAST_TRY(const Fd opened, open_block_device(request.device, device));
  HOLDFAST_TRY(const std::optional<MountEntry> there, entry_at(request.target));
  if (there) {
    const bool same = there->major == major(device.st_rdev) && there->minor == minor(device.st_rdev) &&
                      there->root == "/" && there->type == request.fs_type;
    return same_or_refused(*there, same, request.options.read_only(), request.target);
  }
  HOLDFAST_TRY(const Fd folder, empty_folder(beneath_, place, request.target));
  if (::mount(request.device.c_str(), path_of(folder).c_str(), request.fs_type.c_str(), request.options.flags,
              request.options.data.c_str()) != 0) {
    tl::unexpected<Error> error =
        fail_errno(errno, "mount " + request.device + " as " + request.fs_type + " at " + request.target);
    if (error.value().sys_errno != EINVAL) return error;
    error.value().message += "; its options were '" + request.options.data +
                             "', and the kernel's log (dmesg) says which it refuses, or what it misses";
    return error;
  }
  return {};
}

Status SystemMounter::publish(const PublishRequest& request) {
  HOLDFAST_TRY(const std::optional<MountEntry> staged, entry_at(request.source));
  if (!staged) return fail(Code::kFailedPrecondition, "nothing is mounted at " + request.source);
  HOLDFAST_TRY(const std::optional<Place> place, beneath_.place_of(request.target));
  if (!place) return fail(Code::kNotFound, "the folder that should hold " + request.target + " is not there");
  HOLDFAST_TRY(const std::optional<MountEntry> there, entry_at(request.target));
  if (there) {
    const bool same = there->major == staged->major && there->minor == staged->minor &&
                      there->root == root_of_part(*staged, request.part);
    return same_or_refused(*there, same, request.read_only || staged->read_only(), request.target);
  }
  const std::string part = request.part.empty() ? request.source : request.source + "/" + request.part;
  HOLDFAST_TRY(const std::optional<Fd> source, beneath_.find(part));
  if (!source) return fail(Code::kFailedPrecondition, part + " is not there");
  HOLDFAST_TRY(const Fd folder, empty_folder(beneath_, *place, request.target));
  return bind(source->get(), folder.get(), request.read_only, binds_, request.target);
}

Status SystemMounter::publish_device(const PublishDeviceRequest& request) {
  struct stat device {};
  HOLDFAST_TRY(const Fd source, open_block_device(request.device, device));
  HOLDFAST_TRY(const std::optional<Place> place, beneath_.place_of(request.target));
  if (!place) return fail(Code::kNotFound, "the folder that should hold " + request.target + " is not there");
  HOLDFAST_TRY(const std::optional<MountEntry> there, entry_at(request.target));
  if (there) {
    HOLDFAST_TRY(const std::optional<Fd> found, beneath_.find(request.target));
    struct stat bound {};
    const bool same = found && ::fstat(found->get(), &bound) == 0 && S_ISBLK(bound.st_mode) &&
                      bound.st_rdev == device.st_rdev;
    return same_or_refused(*there, same, there->read_only(), request.target);
  }
  HOLDFAST_TRY(const Fd file, file_to_bind_on(beneath_, *place, request.target));
  return bind(source.get(), file.get(), false, binds_, request.target);
}

Status SystemMounter::unmount_all(const std::string& target, const Place& place) {
  for (int layers = 0; layers < kMostLayers; ++layers) {
    HOLDFAST_TRY(const std::optional<MountEntry> there, entry_at(target));
    if (!there) return {};
    // EINVAL: somebody else took it away meanwhile.
    if (::umount2(place.path().c_str(), UMOUNT_NOFOLLOW) != 0 && errno != EINVAL) {
      return fail_errno(errno, "unmount " + target);
    }
  }
  return fail(Code::kFailedPrecondition,
              target + " still has something mounted after " + std::to_string(kMostLayers) + " unmounts");
}

Status SystemMounter::unpublish(const std::string& target) {
  HOLDFAST_TRY(const std::optional<Place> place, beneath_.place_of(target));
  if (!place) return {};
  HOLDFAST_CHECK(unmount_all(target, *place));
  return remove_target(*place, target);
}

Status SystemMounter::unstage(const std::string& target, const std::string& device) {
  HOLDFAST_TRY(const std::optional<Place> place, beneath_.place_of(target));
  if (place) HOLDFAST_CHECK(unmount_all(target, *place));
  HOLDFAST_TRY(const auto mounts, table_->now());
  return check_device_is_free(*mounts, device);
}

Result<TargetState> SystemMounter::look(const std::string& target) {
  HOLDFAST_TRY(const std::optional<MountEntry> there, entry_at(target));
  if (there && is_device_gone(*there)) return TargetState::kBroken;
  const auto found = beneath_.find(target);
  if (!found) {
    if (there) return TargetState::kBroken;
    return tl::unexpected(found.error());
  }
  if (!*found) return TargetState::kAbsent;
  if (!there) return TargetState::kNotMounted;
  struct statx info {};
  const bool usable =
      ::statx((*found)->get(), "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &info) == 0;
  return usable ? TargetState::kMounted : TargetState::kBroken;
}

}  // namespace holdfast::mount
