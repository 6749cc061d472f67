#include "cni-flannel/daemon/pod_addresses.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "cni-flannel/ipam/address_files.h"
#include "cni-flannel/ipam/binding_log_format.h"
#include "cni-flannel/ipam/pool_usage.h"
#include "cni-flannel/ipam/range_set.h"
#include "common/base/machine_ids.h"

namespace holdfast::flannel {

/// Of all networks.
struct PodAddresses::Kept {
  std::vector<IpAddress> in_use;  // sorted, each once
  std::vector<Binding> bindings;
};

Result<PodAddresses::Kept> PodAddresses::read() {
  HOLDFAST_TRY(std::vector<std::string> networks, files_.list(places_.data_dir));
  std::erase_if(networks, [this](const std::string& name) {
    std::error_code failed;
    return !std::filesystem::is_directory(std::filesystem::symlink_status(places_.data_dir / name, failed));
  });
  if (networks.size() > kMaxNetworks) {
    return fail(Code::kResourceExhausted,
                places_.data_dir.native() + " has more than " + std::to_string(kMaxNetworks) + " networks");
  }
  Kept out;
  std::size_t bytes_left = kMaxLogBytes;
  for (const std::string& network : networks) {
    HOLDFAST_TRY(const AddressFiles::Listing listing,
                 AddressFiles(files_, places_.data_dir / network).list());
    out.in_use.insert(out.in_use.end(), listing.in_use.begin(), listing.in_use.end());
    HOLDFAST_TRY(const auto log, files_.read(places_.state_dir / (network + ".bindings"), bytes_left));
    if (!log) continue;
    bytes_left -= log->size();
    std::vector<Binding> bindings = parse_binding_log(*log).bindings;
    std::ranges::move(bindings, std::back_inserter(out.bindings));
  }
  std::ranges::sort(out.in_use);
  out.in_use.erase(std::unique(out.in_use.begin(), out.in_use.end()), out.in_use.end());
  return out;
}

Result<std::vector<PoolUsage>> PodAddresses::usage(const std::vector<Cidr>& pod_cidrs) {
  HOLDFAST_TRY(const std::string boot_id, read_boot_id(files_, places_.boot_id));
  HOLDFAST_TRY(const Kept kept, read());
  std::vector<PoolUsage> out;
  for (const Cidr& cidr : pod_cidrs) {
    IpamConfig config;
    if (const auto range = whole_range(cidr)) config.range_sets = {{*range}};
    out.push_back(usage_of(config, kept.in_use, kept.bindings, boot_id));
  }
  return out;
}

void show_pod_addresses(PodAddresses& addresses, const std::vector<Cidr>& pod_cidrs, DaemonMetrics& metrics) {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) metrics.addresses(family).unknown();
  const Result<std::vector<PoolUsage>> usage = addresses.usage(pod_cidrs);
  for (std::size_t i = 0; usage && i < pod_cidrs.size(); ++i) {
    const PoolUsage& pool = (*usage)[i];
    DaemonMetrics::Addresses& shown = metrics.addresses(pod_cidrs[i].family());
    shown.used.set(static_cast<double>(pool.used));
    shown.bound.set(static_cast<double>(pool.bound));
    shown.free.set(static_cast<double>(pool.size - std::min(pool.size, pool.used + pool.bound)));
  }
}

}  // namespace holdfast::flannel
