#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "csi-nas/mounts/calls_under_way.h"
#include "csi-nas/mounts/child.h"
#include "csi-nas/nfs/nfs_calls.h"

namespace holdfast::nas {

/// NfsCalls by children that run nascmd, as starting a program takes longer than most calls: one for each
/// server, and one for lazy unmounts, which stay for the next call (kIdle), and one for the call alone where
/// that changes the process, or concerns no server. A call waits for no child after its patience, but for a
/// moment after killing it: one that is still in the kernel then is waited for later, by reap(). Mounting,
/// and making folders for it, is not killed but goes on (calls_under_way.h), and keeps other calls to the
/// server out meanwhile; so does a lazy unmount, which keeps out others of its target.
class ChildCalls final : public NfsCalls {
 public:
  /// `nascmd`: the program (csi-nas/nascmd/nascmd.h); `root`: kubelet's folder.
  ChildCalls(std::string nascmd, std::string root);
  ChildCalls(const ChildCalls&) = delete;
  ChildCalls& operator=(const ChildCalls&) = delete;
  /// Children that do nothing end.
  ~ChildCalls() override;

  /// For how long a child waits for its server's next call.
  static constexpr std::chrono::seconds kIdle{90};

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
  [[nodiscard]] bool is_under_way(const std::string& target) override;

  /// Takes leave of children that have ended, without waiting, and of those that had nothing to do for
  /// `idle`.
  void reap(std::chrono::nanoseconds idle = kIdle);
  /// Kills calls that go on though their server is dead, or have done so for too long.
  void give_up(const std::function<bool(const std::string& server)>& is_dead);
  /// How many were killed and are still in the kernel.
  [[nodiscard]] std::size_t stuck() const;

 private:
  /// Which child does a call.
  enum class By : std::uint8_t {
    kKept,   ///< the server's, which stays for the next call
    kOnce,   ///< one for this call, which it ends with; it may hang as the server's others
    kApart,  ///< one for this call, which neither waits for calls of the server that hang nor keeps others
             ///< out
    kSpare,  ///< the same, but it stays for the next such call, of whichever server
  };
  struct Idle {
    Child child;
    Child::Time since;
  };
  struct Stuck {
    std::string server;  // or the target of a lazy unmount; empty: it keeps nobody out
    Child child;
  };
  /// What the child answers. `server`: or, by kSpare, the target. `target`: of a call that goes on when it is
  /// late; empty: it is killed.
  Result<std::string> run(const std::string& server, By by, const std::vector<std::string>& words,
                          Patience patience, const std::string& target = {});
  /// Of a call that is still not done, in the child.
  [[nodiscard]] static Error late(const std::string& server, By by, const std::string& verb,
                                  const Child& child, Patience patience);
  /// Errors: kUnavailable when an earlier call hangs.
  Status let_in(const std::string& server, By by);
  /// Errors: kUnavailable when another call to the server goes on.
  Result<std::optional<CallsUnderWay::Call>> take_up(const std::string& server, By by,
                                                     const std::string& message, const std::string& target);
  [[nodiscard]] bool is_stuck(const std::string& server) const;
  Result<std::string> go_on(CallsUnderWay::Call call, Error why);
  void settle();
  Result<Child> child_for(const std::string& server, By by);
  [[nodiscard]] Result<Child> start(const std::string& server, By by) const;
  void give_back(const std::string& server, Child child);
  /// It is asked nothing more, and waited for by reap().
  void leave(Child child);
  /// Kills it. The error, with whether it hangs.
  Result<std::string> give_up(const std::string& server, By by, Child child, Error why);

  std::string nascmd_;
  std::string root_;
  mutable std::mutex mutex_;          // guards all below
  std::map<std::string, Idle> idle_;  // by server; kSpare's without a name
  std::vector<Child> leaving_;        // dismissed, and to be waited for
  std::vector<Stuck> stuck_;
  CallsUnderWay under_way_;
};

}  // namespace holdfast::nas
