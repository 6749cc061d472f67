#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/block/volume_stats.h"
#include "common/mount/mount_options.h"

namespace holdfast::nas {

struct MountShareRequest {
  std::string source;  ///< "10.0.0.5:/exports"
  mount::MountOptions options = {};
  std::string target;  ///< a folder below the root, made with its parents when absent
};

struct MakeFolderRequest {
  std::string source;  ///< a share that holds the folder, mounted for the child alone
  mount::MountOptions options = {};
  std::string at;    ///< a folder below the root to mount it on, made when absent
  std::string path;  ///< of the folder in it, "team/a": its missing parents are made too, nothing is changed
};

struct BindRequest {
  std::string source;     ///< where a share is mounted, below the root
  std::string part = {};  ///< of it: "team/a"; empty: all
  std::string target;     ///< a folder below the root
  bool read_only = false;
  bool make_parents = false;  ///< of the target
};

enum class Unmount : std::uint8_t {
  kOrderly,  ///< refused while somebody uses it; may wait for the server
  kLazily,   ///< at once, whoever uses it; never waits for the server
};

struct UnmountRequest {
  std::string target;
  Unmount how = Unmount::kOrderly;
  bool remove = false;  ///< the empty folder afterwards
};

/// All system calls that may wait for an NFS server, each made in a child process that is killed when it is
/// late. One real implementation (child_calls.h) and one that remembers (test/csi-nas/mounts/fake_calls.h);
/// both keep to one contract (calls_contract.h there).
/// May be used from any thread. Paths are below one folder, kubelet's, and no link on the way from it is
/// followed.
///
/// `server` names whose call it is. A child that was killed and is in the kernel still keeps the calls of its
/// server out, but for unmount() when lazy: at most one hangs at a time for each. A lazy unmount that is late
/// goes on.
///
/// Errors of all: kDeadlineExceeded after `patience`; kUnavailable when an earlier child of the server hangs;
/// errno, ESTALE among them.
class NfsCalls {
 public:
  using Patience = std::chrono::milliseconds;

  NfsCalls() = default;
  NfsCalls(const NfsCalls&) = delete;
  NfsCalls& operator=(const NfsCalls&) = delete;
  virtual ~NfsCalls() = default;

  /// The address of a host's name, of IPv4 if it has one. Errors: kUnavailable when it is not known now.
  virtual Result<std::string> resolve(const std::string& host, Patience patience) = 0;
  /// What locks of version 3 need on this machine runs afterwards (nascmd/lock_services.h). Errors:
  /// kFailedPrecondition when it is not there, or does not start.
  virtual Status start_lock_services(Patience patience) = 0;
  /// Succeeds also when the source is mounted there. Errors: kAlreadyExists when something else is; kNotFound
  /// when the server has no such path.
  virtual Status mount(const std::string& server, const MountShareRequest& request, Patience patience) = 0;
  /// Errors: kNotFound when the server has no such share.
  virtual Status make_folder(const std::string& server, const MakeFolderRequest& request,
                             Patience patience) = 0;
  virtual Status set_mode(const std::string& server, const std::string& path, mode_t mode,
                          Patience patience) = 0;
  /// As mount::Mounter::publish(). Errors: ESTALE when the server has forgotten the source.
  virtual Status bind(const std::string& server, const BindRequest& request, Patience patience) = 0;
  /// Takes away all NFS that is mounted at the target; nothing there is success. Errors: kUnavailable (EBUSY)
  /// while somebody uses it, when orderly; kFailedPrecondition when something else than NFS is mounted there,
  /// or files are in the folder that is to be removed.
  virtual Status unmount(const std::string& server, const UnmountRequest& request, Patience patience) = 0;
  virtual Result<block::VolumeUsage> look(const std::string& server, const std::string& path,
                                          Patience patience) = 0;
  /// Whether mount(), make_folder() or a lazy unmount() for that target goes on after it was late: who calls
  /// it again with the same words waits for it. Other calls to the server are kUnavailable meanwhile, and
  /// those for the target of an unmount.
  [[nodiscard]] virtual bool is_under_way(const std::string& target) = 0;
};

}  // namespace holdfast::nas
