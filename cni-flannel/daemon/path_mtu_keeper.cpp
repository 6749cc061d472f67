#include "cni-flannel/daemon/path_mtu_keeper.h"

#include <algorithm>
#include <set>
#include <utility>

namespace holdfast::flannel {
namespace {

// Source: RFC 791 (what every host takes), RFC 8200 (what every link carries).
constexpr std::uint32_t kSmallest4 = 576;
constexpr std::uint32_t kSmallest6 = 1280;

std::uint32_t smallest(IpFamily family) { return family == IpFamily::kV4 ? kSmallest4 : kSmallest6; }

}  // namespace

void PathMtuKeeper::follow(Ways ways) {
  Family& family = families_[ways.from.family()];
  if (family.ways.from != ways.from || family.ways.needed != ways.needed) {
    for (const auto& [address, known] : family.peers) running_ -= known.search ? 1U : 0U;
    family.peers.clear();
    family.fresh.clear();
    family.asked.clear();
    family.prober.reset();  // and with it what is on its way
  }
  std::set<IpAddress> there;
  for (const Peer& peer : ways.peers) {
    there.insert(peer.address);
    const auto [at, fresh] = family.peers.try_emplace(peer.address, Known{peer.node, std::nullopt, {}});
    at->second.node = peer.node;
    if (fresh) family.fresh.push_back(peer.address);
  }
  std::erase_if(family.peers, [&](const auto& entry) {
    const bool gone = !there.contains(entry.first);
    if (gone && entry.second.search) --running_;
    return gone;
  });
  for (std::deque<IpAddress>* queue : {&family.fresh, &family.asked}) {
    std::erase_if(*queue, [&](const IpAddress& address) { return !there.contains(address); });
  }
  family.ways = std::move(ways);
  begin(family);
  tell();
}

void PathMtuKeeper::begin(Family& family) {
  if (!family.prober && !family.broken) {
    Result<std::unique_ptr<EchoProber>> made = EchoProber::create(tools_.loop, family.ways.from.family());
    family.broken = !made;
    if (made) {
      family.prober = *std::move(made);
    } else {
      tools_.log.warning("the ways to the peers are not looked at", {{"error", made.error().message}});
    }
  }
  if (family.prober) begin_fresh(family);
}

void PathMtuKeeper::begin_fresh(Family& family) {
  while (running_ < kAtOnce && budget_ > 0 && !family.fresh.empty()) {
    const IpAddress peer = family.fresh.front();
    family.fresh.pop_front();
    --budget_;
    begin_search(family, peer);
  }
  set_timer();
}

void PathMtuKeeper::begin_search(Family& family, const IpAddress& peer) {
  ++running_;
  family.peers.at(peer).search.emplace(family.ways.needed, smallest(peer.family()));
  ask(family, peer);
}

void PathMtuKeeper::set_timer() {
  if (!turn_.pending()) turn_ = tools_.loop.after(kOneEvery, [this] { take_turn(); });
}

/// One that is new, if there was no room for it before, or else the one that was asked longest ago.
void PathMtuKeeper::take_turn() {
  budget_ = std::min(budget_ + 1, kBurst);
  for (auto& [kind, family] : families_) {
    if (!family.prober) continue;
    if (family.fresh.empty() && !family.asked.empty()) {
      const IpAddress peer = family.asked.front();
      family.asked.pop_front();
      begin_search(family, peer);
    } else {
      begin_fresh(family);
    }
  }
  set_timer();
}

void PathMtuKeeper::ask(Family& family, const IpAddress& peer) {
  const std::uint32_t size = family.peers.at(peer).search->next().value_or(family.ways.needed);
  family.prober->ask({family.ways.from, peer, size}, kPatience,
                     [this, &family, peer](const EchoAnswer& answer) {
                       const auto found = family.peers.find(peer);
                       if (found == family.peers.end() || !found->second.search) return;  // gone meanwhile
                       found->second.search->take(answer);
                       if (const auto& result = found->second.search->found())
                         return ended(family, peer, *result);
                       ask(family, peer);
                     });
}

void PathMtuKeeper::ended(Family& family, const IpAddress& peer, const PathMtu& found) {
  Known& known = family.peers.at(peer);
  known.search.reset();
  known.found = found;
  family.asked.push_back(peer);
  --running_;
  tools_.searches.add();
  tell();
  for (auto& [kind, each] : families_) begin(each);
}

void PathMtuKeeper::tell() {
  std::size_t count = 0;
  std::uint32_t least = 0;
  std::string first;
  for (const auto& [kind, family] : families_) {
    for (const auto& [address, known] : family.peers) {
      if (known.found.kind != PathMtu::Kind::kTooSmall) continue;
      const std::uint32_t bytes = known.found.bytes;
      if (count++ == 0) {
        first = "packets of at most " + std::to_string(bytes) + " bytes get to " + known.node + " (" +
                address.to_string() + "), the tunnel sends up to " + std::to_string(family.ways.needed);
      }
      least = least == 0 ? bytes : std::min(least, bytes);
    }
  }
  tools_.too_small.set(static_cast<double>(count));
  const std::string more = count > 1 ? " (and to " + std::to_string(count - 1) + " more peers)" : "";
  tools_.conditions.set(kPathMtuTooSmall, "LargePacketsLost",
                        count == 0
                            ? ""
                            : first + more + ": large packets are lost or cut up; set Backend.MTU to " +
                                  std::to_string(least) + " in net-conf.json of all nodes");
}

std::optional<PathMtuKeeper::Ways> tunnel_ways(const OverlayKeeper& overlay, IpFamily family,
                                               std::uint32_t mtu) {
  constexpr std::uint32_t kIpv6Extra = 20;  // its header is so much longer
  const Underlay* underlay = overlay.underlay();
  if (underlay == nullptr || mtu == 0) return std::nullopt;
  const std::optional<IpAddress>& local = family == IpFamily::kV4 ? underlay->local : underlay->local6;
  if (!local) return std::nullopt;
  const std::uint32_t most = mtu + kVxlanOverhead + (family == IpFamily::kV4 ? 0 : kIpv6Extra);
  PathMtuKeeper::Ways out{*local, std::min(most, underlay->link.mtu), {}};
  for (const WantedPeer& peer : overlay.peers(family)) {
    if (peer.direct_link == 0) out.peers.push_back({peer.node, peer.end.public_address});
  }
  return out;
}

}  // namespace holdfast::flannel
