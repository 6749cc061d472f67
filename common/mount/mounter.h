#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/mount/mount_options.h"
#include "common/mount/mount_table.h"

namespace holdfast::mount {

/// A file system to mount.
struct StageRequest {
  std::string device;   ///< "/dev/vg/pvc-1": a block device
  std::string fs_type;  ///< what is on it: "ext4"
  std::string target;   ///< a folder below the root; made with its parents when absent
  MountOptions options = {};
};

/// A staged file system to show at another path.
struct PublishRequest {
  std::string source;  ///< the staging folder, below the root
  std::string target;  ///< a folder below the root; made when absent, its parent must be there
  bool read_only = false;
  std::string part = {};  ///< of what is staged: a folder in it, "team/a"; empty: all
};

/// A block device to show as a file.
struct PublishDeviceRequest {
  std::string device;  ///< "/dev/vg/pvc-1"
  std::string target;  ///< a file below the root; made when absent, its parent must be there
};

/// What is at a target.
enum class TargetState : std::uint8_t {
  kAbsent,      ///< no such path
  kNotMounted,  ///< a plain folder or file
  kMounted,
  kBroken,  ///< something is mounted, but it cannot be used: its device is gone, or looking at it is an error
};

/// Mounts below one folder, kubelet's. One real implementation (make_mounter) and one that remembers
/// (test/mount/fake_mounter.h), both under the same tests. May be used from any thread; two calls for one
/// target at a time need the caller's hold on the volume.
///
/// Targets are absolute paths below the folder. No symbolic link is followed on the way from it, and none
/// leads out of it; a path with one, or with "..", is kInvalidArgument.
///
/// Every call may be repeated: what is there already as it should be succeeds, and so does taking away what
/// is not there. Errors name the target.
class Mounter {
 public:
  Mounter() = default;
  Mounter(const Mounter&) = delete;
  Mounter& operator=(const Mounter&) = delete;
  virtual ~Mounter() = default;

  /// Errors: kAlreadyExists when something else is mounted there, or the same read-only instead of writable
  /// or the other way round; kFailedPrecondition when the folder is not empty (never shadow somebody's data);
  /// kInvalidArgument when `device` is none; errno of mount(2).
  virtual Status stage(const StageRequest& request) = 0;

  /// The mount is read-only from its first moment on, also where the staged one is writable. Errors:
  /// kNotFound when the parent of the target is not there; kFailedPrecondition when nothing is mounted at the
  /// source; kAlreadyExists as above.
  virtual Status publish(const PublishRequest& request) = 0;

  /// Binds the device's node. Whether it can be written is up to the device (BLKROSET), not to the mount.
  /// Errors: as publish; kInvalidArgument when `device` is no block device.
  virtual Status publish_device(const PublishDeviceRequest& request) = 0;

  /// Takes away everything that is mounted at the target, never lazily (MNT_DETACH), and then the empty
  /// folder or the file. Errors: kUnavailable (EBUSY) while somebody uses it; kFailedPrecondition when files
  /// are in the folder: they are somebody's.
  virtual Status unpublish(const std::string& target) = 0;

  /// As unpublish, but the folder stays, and success means that the device is free: no mount of it is left
  /// that this process sees, and open(O_EXCL) says that nobody else holds it either. Errors:
  /// kFailedPrecondition naming where it is still mounted, or that another holder or mount namespace has it;
  /// kUnavailable (EBUSY). A device that is gone is free.
  virtual Status unstage(const std::string& target, const std::string& device) = 0;

  virtual Result<TargetState> look(const std::string& target) = 0;
  /// What is mounted at the target; nullopt: nothing.
  virtual Result<std::optional<MountEntry>> entry_at(const std::string& target) = 0;
  /// Every mount by which a block device is in use: of what is on it, also of a part of that, and of its node
  /// (a raw volume: type "devtmpfs"). Targets below the folder are told by the folder's name as it was given.
  /// None when there is no such device. Errors: kInvalidArgument when it is no block device.
  virtual Result<Mounts> mounts_of(const std::string& device) = 0;
  virtual Result<std::shared_ptr<const Mounts>> mounts() = 0;
};

/// The real one. `root`: kubelet's folder as it is configured, which may be a link itself. Errors: errno of
/// opening it or /proc/self/mountinfo.
///
/// Binds are made aside (open_tree(2)), made read-only there (mount_setattr(2)) and then put in place
/// (move_mount(2)); on kernels before 5.12 by mount(2) alone, where a read-only bind can be written for a
/// moment.
Result<std::unique_ptr<Mounter>> make_mounter(const std::string& root);

}  // namespace holdfast::mount
