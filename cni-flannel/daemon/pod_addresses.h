#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "cni-flannel/daemon/daemon_metrics.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// How many of this node's pod addresses are in use, by the files that the CNI plugin keeps of them
/// (ipam/sticky_ipam.h). It takes none of the plugin's locks, so that nobody waits: an ADD or DEL that is
/// under way is counted as not begun or as done.
///
/// One look lists a folder and reads a log for each network; what is beyond the limits is refused, so that it
/// takes milliseconds at most.
class PodAddresses {
 public:
  static constexpr std::size_t kMaxNetworks = 32;
  static constexpr std::size_t kMaxLogBytes = std::size_t{1} << 20;  ///< of all networks together

  struct Places {
    std::filesystem::path data_dir = IpamConfig().data_dir;
    std::filesystem::path state_dir = IpamConfig().state_dir;
    std::filesystem::path boot_id = "/proc/sys/kernel/random/boot_id";
  };
  /// `files` outlives it.
  PodAddresses(Files& files, Places places) : files_(files), places_(std::move(places)) {}

  /// Of each of these pod CIDRs, in their order, all networks together. With no folder yet none is in use; of
  /// a CIDR too small for a pod the size is 0. Errors: errno of a read, kResourceExhausted beyond a limit.
  Result<std::vector<PoolUsage>> usage(const std::vector<Cidr>& pod_cidrs);

 private:
  struct Kept;
  Result<Kept> read();

  Files& files_;
  Places places_;
};

/// Shows the usage of these pod CIDRs in the metrics; -1 of what cannot be read, and of a family without pod
/// CIDR.
void show_pod_addresses(PodAddresses& addresses, const std::vector<Cidr>& pod_cidrs, DaemonMetrics& metrics);

}  // namespace holdfast::flannel
