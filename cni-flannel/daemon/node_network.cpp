#include "cni-flannel/daemon/node_network.h"

#include <algorithm>

namespace holdfast::flannel {
namespace {

tl::unexpected<Error> unusable(const NodeNetwork& peer, const std::string& why) {
  return fail(Code::kFailedPrecondition, "node " + peer.node + " " + why);
}

}  // namespace

bool is_host_address(const IpAddress& address) {
  static const std::vector<Cidr> blocks = [] {
    std::vector<Cidr> out;
    for (const char* block :
         {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/127", "ff00::/8"}) {
      out.push_back(*Cidr::parse(block));
    }
    return out;
  }();
  return std::ranges::none_of(blocks, [&](const Cidr& block) { return block.contains(address); });
}

const Cidr* NodeNetwork::pod_cidr(IpFamily family) const {
  const auto found =
      std::ranges::find_if(pod_cidrs, [family](const Cidr& cidr) { return cidr.family() == family; });
  return found == pod_cidrs.end() ? nullptr : &*found;
}

const std::optional<BackendData>& NodeNetwork::backend(IpFamily family) const {
  return family == IpFamily::kV4 ? backend_data : backend_v6_data;
}

const std::optional<IpAddress>& NodeNetwork::public_address(IpFamily family) const {
  return family == IpFamily::kV4 ? public_ip : public_ipv6;
}

Result<std::vector<Cidr>> checked_pod_cidrs(const std::vector<Cidr>& cidrs) {
  std::vector<Cidr> out;
  for (const Cidr& cidr : cidrs) {
    const auto same_family = [&](const Cidr& other) { return other.family() == cidr.family(); };
    if (std::ranges::any_of(out, same_family)) {
      return fail(Code::kInvalidArgument,
                  "'" + cidr.to_string() + "' is a second pod CIDR of its family; one is allowed");
    }
    out.push_back(cidr.network());
  }
  return out;
}

Result<std::optional<PeerEnd>> peer_end(const NodeNetwork& peer, IpFamily family) {
  const Cidr* subnet = peer.pod_cidr(family);
  if (subnet == nullptr) return std::nullopt;
  const std::string kind = family == IpFamily::kV4 ? "IPv4" : "IPv6";
  const std::optional<BackendData>& backend = peer.backend(family);
  if (!backend) return unusable(peer, "has published no VTEP MAC for " + kind);
  if (backend->vtep_mac.is_zero() || backend->vtep_mac.is_group()) {
    return unusable(peer, "has published '" + backend->vtep_mac.to_string() +
                              "' as its VTEP MAC, which no device can have");
  }
  const std::optional<IpAddress>& address = peer.public_address(family);
  if (!address) return unusable(peer, "has published no public " + kind + " address");
  if (address->family() != family || !is_host_address(*address)) {
    return unusable(peer, "has published '" + address->to_string() + "' as its public " + kind +
                              " address, which no host can have");
  }
  return PeerEnd{*subnet, backend->vtep_mac, *address};
}

}  // namespace holdfast::flannel
