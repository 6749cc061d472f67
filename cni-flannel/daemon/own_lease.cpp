#include "cni-flannel/daemon/own_lease.h"

#include <algorithm>
#include <utility>

#include "cni-flannel/daemon/subnet_file.h"
#include "cni-flannel/daemon/vtep_mac.h"

namespace holdfast::flannel {
namespace {

std::optional<MacAddress> mac_of(const NodeNetwork* network, IpFamily family) {
  if (network == nullptr || !network->backend(family)) return std::nullopt;
  return network->backend(family)->vtep_mac;
}

BackendData backend_of(const NetConf& conf, const LeaseParts& parts, IpFamily family) {
  if (parts.mac_is_anothers) return {conf.vxlan.vni, derived_vtep_mac(parts.node, family)};
  const VtepMacSources sources{mac_of(parts.stored, family), mac_of(parts.told, family),
                               family == IpFamily::kV4 ? parts.device_mac : parts.device_mac6};
  return {conf.vxlan.vni, choose_vtep_mac(sources, parts.node, family)};
}

/// The first that is known.
std::optional<IpAddress> first_of(std::initializer_list<std::optional<IpAddress>> addresses) {
  const auto found = std::ranges::find_if(addresses, [](const auto& address) { return address.has_value(); });
  return found == addresses.end() ? std::nullopt : *found;
}

std::optional<IpAddress> public_address(const LeaseParts& parts, IpFamily family) {
  const bool v4 = family == IpFamily::kV4;
  std::optional<IpAddress> overwrite;
  std::optional<IpAddress> current;
  std::optional<IpAddress> stored;
  if (parts.told != nullptr) {
    overwrite = v4 ? parts.told->public_ip_overwrite : parts.told->public_ipv6_overwrite;
  }
  if (parts.underlay != nullptr) current = v4 ? parts.underlay->public_ip : parts.underlay->public_ipv6;
  if (parts.stored != nullptr) stored = parts.stored->public_address(family);
  return first_of({overwrite, current, stored});
}

}  // namespace

NodeNetwork own_lease(const NetConf& conf, const LeaseParts& parts) {
  NodeNetwork out;
  out.node = parts.node;
  out.backend_type = kVxlanBackend;
  if (parts.stored != nullptr) {
    out.pod_cidrs = parts.stored->pod_cidrs;
    out.lease_epoch = parts.stored->lease_epoch;
  }
  if (parts.told != nullptr) {
    out.public_ip_overwrite = parts.told->public_ip_overwrite;
    out.public_ipv6_overwrite = parts.told->public_ipv6_overwrite;
    out.lease_epoch = std::max(out.lease_epoch, parts.told->lease_epoch);
    if (!parts.told->pod_cidrs.empty() && parts.told->pod_cidrs != out.pod_cidrs) {
      out.pod_cidrs = parts.told->pod_cidrs;
      ++out.lease_epoch;
    }
  }
  if (conf.ipv4 && out.pod_cidr(IpFamily::kV4) != nullptr) {
    out.backend_data = backend_of(conf, parts, IpFamily::kV4);
    out.public_ip = public_address(parts, IpFamily::kV4);
  }
  if (conf.ipv6 && out.pod_cidr(IpFamily::kV6) != nullptr) {
    out.backend_v6_data = backend_of(conf, parts, IpFamily::kV6);
    out.public_ipv6 = public_address(parts, IpFamily::kV6);
  }
  return out;
}

std::string address_fault(const NodeNetwork& told, const NodeNetwork& own) {
  std::string out;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const std::optional<IpAddress>& theirs = told.public_address(family);
    const std::optional<IpAddress>& ours = own.public_address(family);
    if (own.pod_cidr(family) == nullptr || !ours || theirs == ours) continue;
    out += (out.empty() ? "" : "; ") +
           (theirs ? "peers send to " + theirs->to_string() : std::string("peers are told no address")) +
           ", and this node receives at " + ours->to_string();
  }
  if (out.empty()) return "";
  return out + ": correct what is told of node " + own.node +
         " (its document), or tell --public-ip where another address leads here";
}

UsableLease usable_lease(const NetConf& conf, const LeaseParts& parts) {
  const auto fault_of = [&conf](const NodeNetwork& lease) {
    const Result<SubnetFile> file = subnet_file_of(conf, lease, 0, false);
    return file ? std::string() : file.error().message;
  };
  NodeNetwork lease = own_lease(conf, parts);
  std::string fault = fault_of(lease);
  if (fault.empty()) return {std::move(lease), {}};
  if (parts.stored == nullptr || parts.told == nullptr) return {std::nullopt, std::move(fault)};
  NodeNetwork told = *parts.told;
  told.pod_cidrs.clear();
  LeaseParts without = parts;
  without.told = &told;
  NodeNetwork kept = own_lease(conf, without);
  if (!fault_of(kept).empty()) return {std::nullopt, std::move(fault)};
  fault += "; the lease that is stored stays in use";
  return {std::move(kept), std::move(fault)};
}

}  // namespace holdfast::flannel
