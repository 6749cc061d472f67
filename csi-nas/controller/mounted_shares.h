#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "csi-nas/controller/share_access.h"
#include "csi-nas/mounts/nas_mounts.h"

namespace holdfast::nas {

/// The shares of NasMounts, each shown whole below one folder as long as somebody asks for it:
///
///     <folder>/<NasSource::key_hash()>
///
/// A share is looked at each time that it is asked for: so the answer is that of a server that lives, and one
/// that has forgotten what is mounted (ESTALE) is mounted anew. Options that would make it read-only are left
/// out.
class MountedShares final : public ShareAccess {
 public:
  /// All outlive it. `folder` lies below that of NfsCalls, and not in the one where NasMounts has its shares.
  MountedShares(NasMounts& mounts, const ServerStates& servers, Clock& clock, std::string folder);

  Result<std::string> mounted_at(const NasSource& source, std::chrono::milliseconds patience) override;
  [[nodiscard]] std::string address_of(const NasSource& source, std::chrono::milliseconds patience) override;
  [[nodiscard]] bool answers(const NasSource& source) override;

  /// Unmounts what nobody has asked for within `at_least`, unless somebody works in it or its server is away.
  /// What a process before this one has mounted counts as asked for when it is first seen.
  void sweep(std::chrono::nanoseconds at_least, std::chrono::milliseconds patience);

 private:
  Status show(const NasSource& whole, const std::string& target, NasMounts::Deadline deadline);
  void drop(const std::string& hash, std::chrono::nanoseconds at_least, NasMounts::Deadline deadline);
  [[nodiscard]] bool is_due(const std::string& hash, std::chrono::nanoseconds at_least);

  NasMounts& mounts_;
  const ServerStates& servers_;
  Clock& clock_;
  const std::string folder_;
  Turns turns_;                                            // by hash
  std::mutex mutex_;                                       // guards asked_
  std::map<std::string, std::chrono::nanoseconds> asked_;  // when last, since boot
};

}  // namespace holdfast::nas
