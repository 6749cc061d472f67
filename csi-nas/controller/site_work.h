#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "csi-nas/directories/directory_order.h"
#include "csi-nas/volumes/nas_source.h"

namespace holdfast::nas {

/// Work on a directory of a share that only the nodes of a site reach.
struct SiteOrder {
  std::string site{};             ///< the name of a node pool
  NasAttributes attributes = {};  ///< how the share is mounted; and mountOptions
  std::vector<std::string> mount_options = {};
  DirectoryOrder order = {};  ///< without what is told of a mount and of who works
};

/// Has nodes of sites do what the controller does elsewhere (DirectoryWork). Thread-safe.
class SiteWork {
 public:
  SiteWork() = default;
  SiteWork(const SiteWork&) = delete;
  SiteWork& operator=(const SiteWork&) = delete;
  virtual ~SiteWork() = default;

  /// Begins the work, or goes on waiting for it, at most `patience`, and some seconds for the answer to be
  /// taken. There is one work at a time on a directory. Returns what carry_out does, once: asked again, the
  /// work is done again, which finds everything done. Errors: kAborted while it is under way, with how far it
  /// came or whom it waits for; kUnavailable or kAborted when it cannot be asked for; else carry_out's.
  virtual Result<std::string> run(const SiteOrder& order, std::chrono::milliseconds patience) = 0;
  /// Why nothing is done at a site now, for people; empty: nothing is known to be wrong. Does not wait.
  [[nodiscard]] virtual std::string trouble(const std::string& site) const = 0;
};

}  // namespace holdfast::nas
