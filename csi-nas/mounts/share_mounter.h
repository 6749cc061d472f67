#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "csi-nas/mounts/server_calls.h"
#include "csi-nas/volumes/nas_source.h"

namespace holdfast::nas {

/// Where a source is now.
struct ReachedShare {
  NasShare share;
  ServerAddress server;
};

/// Mounts shares: finds the server, and makes what is missing on it. Thread-safe.
class ShareMounter {
 public:
  using Deadline = ServerCalls::Deadline;
  using Patience = ServerCalls::Patience;

  /// All outlive it.
  ShareMounter(NfsCalls& calls, ServerStates& servers, ServerCalls& asks)
      : calls_(calls), servers_(servers), asks_(asks) {}

  /// The first server of the source that lives. Errors: kUnavailable when none does, why the first does not.
  Result<ReachedShare> reach(const NasSource& source, Deadline deadline);
  /// Mounts it at `target`, by version 3 after what its locks need was started. A folder that the share lacks
  /// is made first, unless it must exist or is to be read alone. Errors: kNotFound when the server has
  /// nothing to make it in; kFailedPrecondition when this machine lacks what the locks need; of
  /// ServerCalls::ask.
  Status mount(const NasSource& source, const ReachedShare& reached, const std::string& target,
               Deadline deadline);

  /// Where the server of a share is now. Errors: kUnavailable when its name has no address.
  Result<ServerAddress> address_of(const NasShare& share, const NasOptions& options, Deadline deadline);
  /// The same as it was found last; nullopt of a name that nobody has looked for. Does not wait.
  [[nodiscard]] std::optional<ServerAddress> known_address(const NasShare& share,
                                                           const NasOptions& options) const;

 private:
  using MountKey = std::pair<std::string, std::string>;  // a share's source, and the options

  Status prepare_locks(const NasSource& source, Deadline deadline);
  Status make_missing(const NasSource& source, const ReachedShare& reached, const std::string& at,
                      Deadline deadline);

  NfsCalls& calls_;
  ServerStates& servers_;
  ServerCalls& asks_;
  [[nodiscard]] std::string first_parent(const MountKey& key, const std::string& path) const;

  mutable std::mutex mutex_;                      // guards all below
  std::map<std::string, std::string> addresses_;  // of names, as they were found last
  std::map<MountKey, std::string> parents_;       // in which a folder was being made when the time was over
};

}  // namespace holdfast::nas
