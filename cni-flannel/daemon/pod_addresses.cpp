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

namespace {

bool any_contains(const std::vector<Cidr>& ranges, const IpAddress& address) {
  return std::ranges::any_of(ranges, [&](const Cidr& range) { return range.contains(address); });
}

}  // namespace

bool PodLease::is_outside(const IpAddress& address) const {
  return any_contains(networks, address) && !any_contains(pod_cidrs, address);
}

std::vector<PoolUsage> KeptAddresses::usage(const std::vector<Cidr>& pod_cidrs) const {
  std::vector<PoolUsage> out;
  for (const Cidr& cidr : pod_cidrs) {
    IpamConfig config;
    if (const auto range = whole_range(cidr)) config.range_sets = {{*range}};
    out.push_back(usage_of(config, in_use, bindings, boot_id));
  }
  return out;
}

std::vector<std::string> KeptAddresses::links_outside(const PodLease& lease) const {
  const auto is_outside = [&](const IpAddress& address) {
    return std::ranges::binary_search(in_use, address) && lease.is_outside(address);
  };
  std::vector<std::string> out;
  for (const Binding& binding : bindings) {
    if (binding.host_link.empty() || std::ranges::none_of(binding.addresses, is_outside)) continue;
    out.push_back(binding.host_link);
  }
  return out;
}

Result<KeptAddresses> PodAddresses::read() {
  HOLDFAST_TRY(std::vector<std::string> networks, files_.list(places_.data_dir));
  std::erase_if(networks, [this](const std::string& name) {
    std::error_code failed;
    return !std::filesystem::is_directory(std::filesystem::symlink_status(places_.data_dir / name, failed));
  });
  if (networks.size() > kMaxNetworks) {
    return fail(Code::kResourceExhausted,
                places_.data_dir.native() + " has more than " + std::to_string(kMaxNetworks) + " networks");
  }
  KeptAddresses out;
  HOLDFAST_TRY(out.boot_id, read_boot_id(files_, places_.boot_id));
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

void show_pod_addresses(PodAddresses& addresses, const PodLease& lease, const IsPodLink& is_pod_link,
                        DaemonMetrics& metrics) {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) metrics.addresses(family).unknown();
  metrics.pods_outside_lease.set(-1);
  const Result<KeptAddresses> kept = addresses.read();
  if (!kept || lease.pod_cidrs.empty()) return;
  const std::vector<PoolUsage> usage = kept->usage(lease.pod_cidrs);
  for (std::size_t i = 0; i < usage.size(); ++i) {
    const PoolUsage& pool = usage[i];
    DaemonMetrics::Addresses& shown = metrics.addresses(lease.pod_cidrs[i].family());
    shown.used.set(static_cast<double>(pool.used));
    shown.bound.set(static_cast<double>(pool.bound));
    shown.free.set(static_cast<double>(pool.size - std::min(pool.size, pool.used + pool.bound)));
  }
  metrics.pods_outside_lease.set(
      static_cast<double>(std::ranges::count_if(kept->links_outside(lease), is_pod_link)));
}

}  // namespace holdfast::flannel
