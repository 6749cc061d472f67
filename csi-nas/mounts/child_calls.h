#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "csi-nas/nfs/nfs_calls.h"

namespace holdfast::nas {

/// NfsCalls by children that run nascmd. A call waits for no child after its patience, but for a moment after
/// killing it: one that is still in the kernel then is waited for later, by reap().
class ChildCalls final : public NfsCalls {
 public:
  /// `nascmd`: the program (csi-nas/nascmd/nascmd.h); `root`: kubelet's folder.
  ChildCalls(std::string nascmd, std::string root);
  ~ChildCalls() override = default;

  Result<std::string> resolve(const std::string& host, Patience patience) override;
  Status start_lock_services(Patience patience) override;
  Status mount(const std::string& server, const MountShareRequest& request, Patience patience) override;
  Status make_folder(const std::string& server, const MakeFolderRequest& request, Patience patience) override;
  Status set_mode(const std::string& server, const std::string& path, mode_t mode,
                  Patience patience) override;
  Status bind(const std::string& server, const BindRequest& request, Patience patience) override;
  Status unmount(const std::string& server, const UnmountRequest& request, Patience patience) override;
  Result<block::VolumeUsage> look(const std::string& server, const std::string& path,
                                  Patience patience) override;

  /// Waits for killed children that have ended meanwhile, and for no other.
  void reap();
  /// How many were killed and are still in the kernel.
  [[nodiscard]] std::size_t stuck() const;

 private:
  struct Stuck {
    std::string server;
    pid_t process;
  };
  /// What the child answers. `server` empty: it cannot hang, and is not kept out by those that do.
  Result<std::string> run(const std::string& server, std::vector<std::string> words, Patience patience);
  Status let_in(const std::string& server);
  void keep(const std::string& server, pid_t process);

  std::string nascmd_;
  std::string root_;
  mutable std::mutex mutex_;  // guards stuck_
  std::vector<Stuck> stuck_;
};

}  // namespace holdfast::nas
