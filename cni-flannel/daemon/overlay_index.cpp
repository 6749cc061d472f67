#include "cni-flannel/daemon/overlay_index.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace holdfast::flannel {

OverlayIndex::OverlayIndex(OverlayLink link, std::vector<WantedPeer> wanted)
    : link_(std::move(link)), peers_(std::move(wanted)), by_mac_(peers_.size()) {
  std::ranges::sort(peers_, {}, [](const WantedPeer& peer) { return peer.end.subnet; });
  std::iota(by_mac_.begin(), by_mac_.end(), 0U);
  std::ranges::sort(by_mac_, {}, [this](std::uint32_t i) { return peers_[i].end.vtep_mac; });
}

const WantedPeer* OverlayIndex::by_subnet(const Cidr& subnet) const {
  const auto found = std::ranges::lower_bound(peers_, subnet, {}, [](const auto& p) { return p.end.subnet; });
  return found != peers_.end() && found->end.subnet == subnet ? &*found : nullptr;
}

const WantedPeer* OverlayIndex::by_base(const IpAddress& base) const {
  const auto found =
      std::ranges::lower_bound(peers_, base, {}, [](const auto& p) { return p.end.subnet.address(); });
  return found != peers_.end() && found->end.subnet.address() == base ? &*found : nullptr;
}

const WantedPeer* OverlayIndex::by_mac(const MacAddress& mac) const {
  const auto mac_of = [this](std::uint32_t i) { return peers_[i].end.vtep_mac; };
  const auto found = std::ranges::lower_bound(by_mac_, mac, {}, mac_of);
  return found != by_mac_.end() && mac_of(*found) == mac ? &peers_[*found] : nullptr;
}

bool OverlayIndex::contradicted_by(const nl::RouteEvent& event) const {
  const nl::Route& route = event.route;
  if (route.table != nl::kMainTable) return false;
  const WantedPeer* peer = by_subnet(route.dst);
  if (peer == nullptr) return false;
  const nl::Route wanted = entries_of(link_, *peer).routes.front();
  const bool is_it = route.gateway == wanted.gateway && route.ifindex == wanted.ifindex;
  return event.gone == is_it;
}

bool OverlayIndex::contradicted_by(const nl::NeighbourEvent& event) const {
  if (event.neighbour.ifindex != link_.ifindex) return false;
  const WantedPeer* peer = by_base(event.neighbour.address);
  if (peer == nullptr || peer->direct_link != 0) return false;
  return event.gone || event.neighbour.mac != peer->end.vtep_mac ||
         event.neighbour.state != nl::NeighbourState::kPermanent;
}

bool OverlayIndex::contradicted_by(const nl::FdbEvent& event) const {
  if (event.entry.ifindex != link_.ifindex || event.entry.master) return false;
  const WantedPeer* peer = by_mac(event.entry.mac);
  if (peer == nullptr || peer->direct_link != 0) return false;
  const bool is_it = event.entry.dst == peer->end.public_address;
  return event.gone == is_it;
}

std::vector<PeerDifference> differences(const std::vector<WantedPeer>& before,
                                        const std::vector<WantedPeer>& after) {
  std::vector<PeerDifference> gone;
  std::vector<PeerDifference> changed;
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    const bool old_first = now == after.end() || (old != before.end() && old->end.subnet < now->end.subnet);
    if (old_first) {
      gone.push_back({&*old++, nullptr});
    } else if (old == before.end() || now->end.subnet < old->end.subnet) {
      changed.push_back({nullptr, &*now++});
    } else {
      if (old->end != now->end || old->direct_link != now->direct_link) changed.push_back({&*old, &*now});
      ++old;
      ++now;
    }
  }
  gone.insert(gone.end(), changed.begin(), changed.end());
  return gone;
}

}  // namespace holdfast::flannel
