#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/mount/mount_table.h"
#include "csi-nas/mounts/server_calls.h"
#include "csi-nas/mounts/share_mounter.h"
#include "csi-nas/mounts/turns.h"
#include "csi-nas/nfs/nfs_calls.h"
#include "csi-nas/nfs/server_states.h"
#include "csi-nas/volumes/nas_source.h"

namespace holdfast::nas {

/// What NasMounts stands on. All outlive it.
struct NasMountsParts {
  NfsCalls& calls;
  ServerStates& servers;
  Clock& clock;
  /// The mount table as it is now. Targets below kubelet's folder are told by that folder's name as it was
  /// configured.
  std::function<Result<std::shared_ptr<const mount::Mounts>>()> table;
  std::string shared_folder;  ///< where shares are mounted, "<kubelet>/plugins/<driver>/shared"
};

/// The NFS mounts of a driver. Each share is mounted once for each set of options, however many volumes are
/// on it, and shown where volumes are staged and published:
///
///     <shared folder>/<hash of NasSource::key()>     the mount; in use while the table has another of it
///
/// Nothing is remembered: what is mounted and whose it is stands in the mount table. No call waits for a
/// server that is dead, nor longer than kLongestCall for one that dies meanwhile; then kUnavailable is
/// answered, as for all that a later call may do. May be used from any thread; two calls for one target at a
/// time need the caller's hold on the volume.
class NasMounts {
 public:
  using Deadline = ServerCalls::Deadline;

  explicit NasMounts(NasMountsParts parts);

  /// The end of a call that began now and whose caller waits for `patience`.
  [[nodiscard]] Deadline deadline(std::chrono::nanoseconds patience) const;

  /// Shows the source at `target`. A folder that the share lacks is made, unless it must exist. A share whose
  /// server is dead, or has forgotten it (ESTALE), is mounted anew from where the source is now; who uses it
  /// as it was keeps that. Errors: kAlreadyExists when something else is there; kNotFound when a server has
  /// nothing to make the folder in; kFailedPrecondition when this machine lacks what the source's locks need.
  Status stage(const NasSource& source, const std::string& target, Deadline deadline);
  /// Shows what is mounted at `staged` also at `target`.
  Status publish(const std::string& staged, const std::string& target, bool read_only, Deadline deadline);
  /// Takes away what is mounted at `target`: lazily when its server does not answer, which disturbs no other
  /// mount of it. `remove`: the folder too. Errors: kUnavailable while somebody uses it and the server lives;
  /// kFailedPrecondition when something else than NFS is mounted there.
  Status unmount(const std::string& target, bool remove, Deadline deadline);
  /// Unmounts shares that nobody uses and whose server lives: those of stages that were cut off, of unstages
  /// while the server was dead, and of the last unstage. `at_least`: for how long nobody must have used them.
  void sweep(std::chrono::nanoseconds at_least, Deadline deadline);

  /// Errors: kUnavailable when the server does not answer; errno of statvfs(2), ESTALE among them.
  Result<block::VolumeUsage> look(const std::string& target, Deadline deadline);

  /// As of ShareMounter.
  Result<ServerAddress> address_of(const NasShare& share, const NasOptions& options, Deadline deadline) {
    return mounter_.address_of(share, options, deadline);
  }
  [[nodiscard]] std::optional<ServerAddress> known_address(const NasShare& share,
                                                           const NasOptions& options) const {
    return mounter_.known_address(share, options);
  }

  /// What is mounted at `target`; nullopt: nothing.
  [[nodiscard]] Result<std::optional<mount::MountEntry>> entry_at(const std::string& target) const;
  /// Of the server of an NFS mount.
  [[nodiscard]] ServerHealth health_of(const mount::MountEntry& entry) const;

  /// Whoever calls has an answer within 5 s, also on a machine that is busy with other work.
  static constexpr std::chrono::milliseconds kLongestCall{3800};

 private:
  [[nodiscard]] NfsCalls::Patience orderly_patience(Deadline deadline) const;
  Result<bool> is_staged(const NasSource& source, const std::optional<mount::MountEntry>& share,
                         const std::string& target, Deadline deadline);
  Status check_stays(const std::string& target);
  bool is_forsaken(const NasSource& source, const mount::MountEntry& share, Deadline deadline);
  Result<mount::MountEntry> mount_share(const NasSource& source, const std::string& shared,
                                        Deadline deadline);
  Status show(const NasSource& source, const mount::MountEntry& share, const std::string& target,
              Deadline deadline);
  Status unmount_lazily(const std::optional<ServerAddress>& server, const UnmountRequest& request,
                        Deadline deadline);
  Status detach(const mount::MountEntry& entry, Deadline deadline);
  [[nodiscard]] bool is_due(const mount::MountEntry& share, bool used, std::chrono::nanoseconds at_least);
  void drop_share(const std::string& shared, Deadline deadline);
  void drop_folders();

  NasMountsParts parts_;
  ServerCalls asks_;
  ShareMounter mounter_;
  Turns share_turns_;
  std::mutex mutex_;                                        // guards unused_
  std::map<std::string, std::chrono::nanoseconds> unused_;  // shares that nobody uses, since when
};

}  // namespace holdfast::nas
