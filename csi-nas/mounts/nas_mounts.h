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
  using Deadline = std::chrono::nanoseconds;  ///< since boot

  explicit NasMounts(NasMountsParts parts);

  /// The end of a call that began now and whose caller waits for `patience`.
  [[nodiscard]] Deadline deadline(std::chrono::nanoseconds patience) const;

  /// Shows the source at `target`. A folder that the share lacks is made. Errors: kAlreadyExists when
  /// something else is there; kNotFound when a server has nothing to make the folder in;
  /// kFailedPrecondition when this machine lacks what the source's locks need.
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

  /// Where the server of a share is now. Errors: kUnavailable when its name has no address.
  Result<ServerAddress> address_of(const NasShare& share, const NasOptions& options, Deadline deadline);
  /// The same as it was found last; nullopt of a name that nobody has looked for. Does not wait.
  [[nodiscard]] std::optional<ServerAddress> known_address(const NasShare& share,
                                                           const NasOptions& options) const;

  /// What is mounted at `target`; nullopt: nothing.
  [[nodiscard]] Result<std::optional<mount::MountEntry>> entry_at(const std::string& target) const;
  /// Of the server of an NFS mount.
  [[nodiscard]] ServerHealth health_of(const mount::MountEntry& entry) const;

  /// Whoever calls has an answer within 5 s, also on a machine that is busy with other work.
  static constexpr std::chrono::milliseconds kLongestCall{3800};

 private:
  struct Reached {
    NasShare share;
    ServerAddress server;
  };

  [[nodiscard]] NfsCalls::Patience left(Deadline deadline) const;
  /// Runs what may wait for the server, one call at a time for each, when it lives.
  Status ask(const ServerAddress& server, Deadline deadline,
             const std::function<Status(NfsCalls::Patience)>& call);
  Result<Reached> reach(const NasSource& source, Deadline deadline);
  Result<mount::MountEntry> mount_share(const NasSource& source, const std::string& shared,
                                        Deadline deadline);
  Status mount_or_make(const NasSource& source, const Reached& reached, const std::string& shared,
                       Deadline deadline);
  Status prepare_locks(const NasSource& source, Deadline deadline);
  Status make_missing(const NasSource& source, const Reached& reached, const std::string& at,
                      Deadline deadline);
  Status show(const NasSource& source, const mount::MountEntry& share, const std::string& target,
              Deadline deadline);
  /// False: the server did not answer in time.
  Result<bool> unmount_orderly(const ServerAddress& server, const UnmountRequest& request, Deadline deadline);
  Status unmount_lazily(const std::optional<ServerAddress>& server, const UnmountRequest& request,
                        Deadline deadline);
  [[nodiscard]] bool is_due(const mount::MountEntry& share, bool used, std::chrono::nanoseconds at_least);
  void drop_share(const std::string& shared, Deadline deadline);
  void drop_folders();

  NasMountsParts parts_;
  Turns server_turns_;
  Turns share_turns_;
  mutable std::mutex mutex_;                                // guards all below
  std::map<std::string, std::chrono::nanoseconds> unused_;  // shares that nobody uses, since when
  std::map<std::string, std::string> addresses_;            // of names, as they were found last
};

}  // namespace holdfast::nas
