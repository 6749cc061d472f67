#include "cni-flannel/daemon/wanted_peers.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "cni-flannel/daemon/route_lookup.h"

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
    return "it claims our public address " + end.public_address.to_string();
  }
  if (data && data->vni && *data->vni != own.vni) {
    return "it has VNI " + std::to_string(*data->vni) + ", we have " + std::to_string(own.vni);
  }
  return {};
}

/// Who claims what, the latest claim counting.
class Claims {
 public:
  explicit Claims(const std::vector<WantedPeer>& peers) {
    for (std::size_t i = 0; i < peers.size(); ++i) {
      claim(subnets_, peers, peers[i].end.subnet, i, "subnet");
      claim(macs_, peers, peers[i].end.vtep_mac, i, "VTEP MAC");
      claim(addresses_, peers, peers[i].end.public_address, i, "public address");
    }
  }

  /// Empty for a peer that nobody displaced.
  [[nodiscard]] std::string displaced(std::size_t peer) const {
    const auto found = displaced_.find(peer);
    return found == displaced_.end() ? std::string{} : found->second;
  }

 private:
  template <class Key>
  void claim(std::map<Key, std::size_t>& claims, const std::vector<WantedPeer>& peers, const Key& key,
             std::size_t peer, const char* what) {
    const auto [at, fresh] = claims.try_emplace(key, peer);
    if (fresh) return;
    displaced_.try_emplace(
        at->second, "node " + peers[peer].node + " claims its " + what + " " + key.to_string() + " now");
    at->second = peer;
  }

  std::map<Cidr, std::size_t> subnets_;
  std::map<MacAddress, std::size_t> macs_;
  std::map<IpAddress, std::size_t> addresses_;
  std::map<std::size_t, std::string> displaced_;
};

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
  const Claims claims(candidates);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    std::string displaced = claims.displaced(i);
    if (displaced.empty()) {
      out.peers.push_back(std::move(candidates[i]));
    } else {
      out.rejected.push_back({candidates[i].node, std::move(displaced)});
    }
  }
  return out;
}

int direct_link(std::span<const nl::Route> routes, const IpAddress& address, int overlay_link) {
  const nl::Route* best = best_route(routes, address, overlay_link);
  if (best == nullptr || best->type != nl::RouteType::kUnicast || best->gateway || best->multipath) return 0;
  return best->ifindex;
}

void route_directly(WantedPeers& wanted, std::span<const nl::Route> routes, int overlay_link) {
  for (WantedPeer& peer : wanted.peers) {
    peer.direct_link = direct_link(routes, peer.end.public_address, overlay_link);
  }
}

}  // namespace holdfast::flannel
