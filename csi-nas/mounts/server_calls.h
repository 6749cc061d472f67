#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "csi-nas/mounts/turns.h"
#include "csi-nas/nfs/nfs_calls.h"
#include "csi-nas/nfs/server_states.h"

namespace holdfast::nas {

/// Calls to servers, one at a time for each, and none to one that is dead. Thread-safe.
class ServerCalls {
 public:
  using Deadline = std::chrono::nanoseconds;  ///< since boot
  using Patience = NfsCalls::Patience;

  /// Both outlive it.
  ServerCalls(ServerStates& servers, Clock& clock) : servers_(servers), clock_(clock) {}

  [[nodiscard]] Deadline deadline(std::chrono::nanoseconds patience) const {
    return clock_.since_boot() + patience;
  }
  /// What is left until then; never less than none.
  [[nodiscard]] Patience left(Deadline deadline) const;

  /// Makes a call, when the server lives. Errors: kUnavailable when it does not, with since when, when it
  /// fails a request (EIO, EREMOTEIO), and when the call was late: then the server is suspected to be dead;
  /// else the call's.
  Status ask(const ServerAddress& server, Deadline deadline, const std::function<Status(Patience)>& call);
  /// Unmounts orderly within `patience`. False: the server did not answer in time, and is suspected.
  Result<bool> unmount(NfsCalls& calls, const ServerAddress& server, const UnmountRequest& request,
                       Patience patience);

 private:
  ServerStates& servers_;
  Clock& clock_;
  Turns turns_;
};

/// "the NFS server 10.0.0.5:2049 has not answered for 9 s; its volumes wait until it answers",
/// kUnavailable.
[[nodiscard]] Error no_answer(const ServerAddress& server, const ServerHealth& health);

}  // namespace holdfast::nas
