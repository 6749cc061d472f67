#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/csi/publish_table.h"
#include "common/mount/mount_table.h"

namespace holdfast::nas {

/// Where volumes are, which mounts of NFS do not tell: two volumes may show the same directory. Kept in
/// memory; after a start it is told from kubelet's notes. What is no longer mounted counts for nothing. May
/// be used from any thread.
class VolumePlaces {
 public:
  void staged(const std::string& volume, const std::string& path);
  void published(const std::string& volume, const std::string& target);
  /// Of either kind.
  void gone(const std::string& path);

  /// The places where the volume is published, in the words of csi::second_publish(): "ro" or "rw".
  [[nodiscard]] std::vector<csi::Publication> publications(const std::string& volume,
                                                           const mount::Mounts& mounts) const;
  /// A path at which the volume can be looked at, the staged one if it is; nullopt: it is nowhere.
  [[nodiscard]] std::optional<std::string> path_of(const std::string& volume,
                                                   const mount::Mounts& mounts) const;
  /// The volume that is known to be at a path; empty: none.
  [[nodiscard]] std::string volume_at(const std::string& path) const;
  /// Whether the volume was staged there and not unstaged since, mounted or not.
  [[nodiscard]] bool is_staged_at(const std::string& path, const std::string& volume) const;

 private:
  struct Place {
    std::string volume;
    bool staged;
  };
  mutable std::mutex mutex_;             // guards places_
  std::map<std::string, Place> places_;  // by path
};

}  // namespace holdfast::nas
