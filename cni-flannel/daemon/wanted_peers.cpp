#include "cni-flannel/daemon/wanted_peers.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "common/netlink/route_lookup.h"

namespace holdfast::flannel {
namespace {

/// Why a peer that is whole must not be programmed; empty when it may.
std::string conflict_with_us(const OwnEnd& own, const PeerEnd& end, const std::optional<BackendData>& data) {
  if (!own.network.contains(end.subnet)) {
    return "its subnet " + end.subnet.to_string() + " is not in the cluster's network " +
           own.network.to_string();
  }
  if (own.end.subnet.overlaps(end.subnet)) {
    return "its subnet " + end.subnet.to_string() + " overlaps ours, " + own.end.subnet.to_string();
  }
  if (end.vtep_mac == own.end.vtep_mac) return "it claims our VTEP MAC " + end.vtep_mac.to_string();
  if (end.public_address == own.end.public_address) {
    return "it claims our public address " + end.public_address.to_string() + ": " + kSharedAddressCure;
  }
  if (data && data->vni && *data->vni != own.vni) {
    return "it has VNI " + std::to_string(*data->vni) + ", we have " + std::to_string(own.vni);
  }
  return {};
}

/// What the peers claim that are kept. Asked about the latest claim first, as that one counts.
class Claims {
 public:
  /// Empty for a peer that takes nothing from a kept one: it is kept. Else who displaces it.
  std::string displaced_or_keep(const WantedPeer& peer) {
    const PeerEnd& end = peer.end;
    if (const Subnet* later = overlapping(end.subnet)) {
      const bool same = later->cidr == end.subnet;
      return "node " + later->node + " claims its subnet " + end.subnet.to_string() + " now" +
             (same ? "" : " with " + later->cidr.to_string());
    }
    if (const auto later = macs_.find(end.vtep_mac); later != macs_.end()) {
      return "node " + later->second + " has its VTEP MAC " + end.vtep_mac.to_string();
    }
    subnets_.emplace(end.subnet.first(), Subnet{end.subnet, peer.node});
    macs_.emplace(end.vtep_mac, peer.node);
    return {};
  }

 private:
  struct Subnet {
    Cidr cidr;
    std::string node;
  };

  /// Of subnets that do not overlap each other only the last one that begins before our end can overlap.
  [[nodiscard]] const Subnet* overlapping(const Cidr& subnet) const {
    auto after = subnets_.upper_bound(subnet.last());
    if (after == subnets_.begin()) return nullptr;
    const Subnet& before = std::prev(after)->second;
    return before.cidr.overlaps(subnet) ? &before : nullptr;
  }

  std::map<IpAddress, Subnet> subnets_;  // by their first addresses
  std::map<MacAddress, std::string> macs_;
};

std::vector<SharedAddress> shared_addresses(const std::vector<WantedPeer>& peers) {
  std::vector<const WantedPeer*> sorted;
  sorted.reserve(peers.size());
  for (const WantedPeer& peer : peers) sorted.push_back(&peer);
  const auto place = [](const WantedPeer* peer) { return std::tie(peer->end.public_address, peer->node); };
  std::ranges::sort(sorted, {}, place);
  std::vector<SharedAddress> out;
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const IpAddress& address = sorted[i]->end.public_address;
    if (sorted[i - 1]->end.public_address != address) continue;
    if (out.empty() || out.back().address != address) out.push_back({address, {sorted[i - 1]->node}});
    out.back().nodes.push_back(sorted[i]->node);
  }
  return out;
}

}  // namespace

WantedPeers wanted_peers(const OwnEnd& own, std::span<const NodeNetwork* const> published) {
  WantedPeers out;
  std::vector<WantedPeer> candidates;
  for (const NodeNetwork* const told : published) {
    const NodeNetwork& node = *told;
    if (node.node == own.node || !node.managed || node.backend_type != kVxlanBackend) continue;
    const Result<std::optional<PeerEnd>> end = peer_end(node, own.family());
    if (!end) {
      out.rejected.push_back({node.node, end.error().message});
      continue;
    }
    if (!*end) continue;
    std::string conflict = conflict_with_us(own, **end, node.backend(own.family()));
    if (conflict.empty()) {
      candidates.push_back({node.node, **end});
    } else {
      out.rejected.push_back({node.node, std::move(conflict)});
    }
  }
  Claims claims;
  std::vector<std::string> displaced(candidates.size());
  for (std::size_t i = candidates.size(); i-- > 0;) displaced[i] = claims.displaced_or_keep(candidates[i]);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (displaced[i].empty()) {
      out.peers.push_back(std::move(candidates[i]));
    } else {
      out.rejected.push_back({candidates[i].node, std::move(displaced[i])});
    }
  }
  out.shared = shared_addresses(out.peers);
  return out;
}

int direct_link(std::span<const nl::Route> routes, const IpAddress& address, int overlay_link) {
  const nl::Route* best = nl::best_route(routes, address, overlay_link);
  if (best == nullptr || best->type != nl::RouteType::kUnicast || best->gateway || best->multipath) return 0;
  return best->ifindex;
}

void route_directly(WantedPeers& wanted, std::span<const nl::Route> routes, int overlay_link) {
  for (WantedPeer& peer : wanted.peers) {
    peer.direct_link = direct_link(routes, peer.end.public_address, overlay_link);
  }
}

}  // namespace holdfast::flannel
