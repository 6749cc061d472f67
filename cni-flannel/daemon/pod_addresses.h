#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/daemon_metrics.h"
#include "cni-flannel/ipam/binding.h"
#include "cni-flannel/ipam/sticky_ipam.h"
#include "common/base/cidr.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// This node's part of the pod network.
struct PodLease {
  std::vector<Cidr> networks{};   ///< the whole network, of each family in use
  std::vector<Cidr> pod_cidrs{};  ///< this node's; without a lease none

  /// Of an earlier lease: in the pod network, and not in this node's part of it.
  [[nodiscard]] bool is_outside(const IpAddress& address) const;
};

/// What the files told at one moment, of all networks together.
struct KeptAddresses {
  std::string boot_id{};            ///< of this boot
  std::vector<IpAddress> in_use{};  ///< sorted, each once
  std::vector<Binding> bindings{};

  /// Of each of these pod CIDRs, in their order; of one too small for a pod the size is 0.
  [[nodiscard]] std::vector<PoolUsage> usage(const std::vector<Cidr>& pod_cidrs) const;
  /// Host ends of pods with an address of the pod network that is not of this node's part any more. Whether a
  /// pod is still there, its link tells.
  [[nodiscard]] std::vector<std::string> links_outside(const PodLease& lease) const;
};

/// What this node's pod addresses are used for, by the files that the CNI plugin keeps of them
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

  /// With no folder yet no address is in use. Errors: errno of a read, kResourceExhausted beyond a limit.
  Result<KeptAddresses> read();

 private:
  Files& files_;
  Places places_;
};

/// Whether a pod's link of that name is there.
using IsPodLink = std::function<bool(const std::string& name)>;

/// Shows in the metrics how the pod CIDRs are used, and how many pods have addresses outside of them; -1 of
/// what cannot be read, and of a family without pod CIDR.
void show_pod_addresses(PodAddresses& addresses, const PodLease& lease, const IsPodLink& is_pod_link,
                        DaemonMetrics& metrics);

}  // namespace holdfast::flannel
