#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// An attachment as the container runtime remembers it.
struct CachedAttachment {
  Attachment attachment;
  std::optional<Pod> pod;  ///< when cniArgs name one
  std::vector<IpAddress> addresses;
  std::string host_link;  ///< host end of the pair; empty when the result does not tell
};

/// One file of libcni's cache, "<results_dir>/<network>-<containerID>-<ifname>", JSON of kind "cniCacheV1"
/// with the result of any CNI version. The host link is the last interface without sandbox before one with
/// (bridge and ptp put it there); a link of the kind that is not a pair (ipvlan) gives none. nullopt for text
/// that is no such file. Does no I/O and never throws. Source: containernetworking/cni, libcni/api.go,
/// cachedInfo.
[[nodiscard]] std::optional<CachedAttachment> parse_cached_attachment(std::string_view text);

/// The runtime's cache, which it owns: only read.
class ResultsCache {
 public:
  /// Holds the reference.
  ResultsCache(Files& files, std::filesystem::path folder);

  /// The attachment, or nullopt when the runtime knows none or its file is bad.
  std::optional<CachedAttachment> find(const Attachment& attachment);

  struct Scan {
    std::vector<CachedAttachment> attachments;
    std::size_t bad_files = 0;
  };
  /// All attachments of a network. An unreadable folder is an empty one.
  Scan all_of(const std::string& network);

 private:
  Files& files_;
  std::filesystem::path folder_;
};

}  // namespace holdfast::flannel
