#include "cni-flannel/daemon/overlay_plan.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

namespace holdfast::flannel {
namespace {

using Act = ForwardingChange::Act;
using PeerChange = OverlayPlan::PeerChange;

/// bridge(8) sets a second bit beside it.
bool is_permanent(nl::NeighbourState state) {
  return (static_cast<unsigned>(state) & static_cast<unsigned>(nl::NeighbourState::kPermanent)) != 0;
}

/// The default metric, which a list spells out in IPv6.
std::uint32_t metric_of(const nl::Route& route) {
  const bool is_default = !route.dst.is_v4() && route.priority == 1024;
  return is_default ? 0 : route.priority;
}

bool has_overlay_form(const OverlayLink& link, const nl::Route& route) {
  return route.ifindex == link.ifindex && route.onlink && route.gateway == route.dst.address() &&
         (route.protocol == kOverlayRouteProtocol || route.protocol == nl::kBootProtocol);
}

bool is_ours(const OverlayLink& link, const nl::Route& route) {
  if (!link.network.contains(route.dst) || metric_of(route) != 0) return false;
  return route.protocol == kOverlayRouteProtocol || has_overlay_form(link, route);
}

/// Whether `actual` does what `wanted` is to do.
bool serves(const OverlayLink& link, const nl::Route& actual, const nl::Route& wanted) {
  const bool same_way = actual.type == wanted.type && actual.gateway == wanted.gateway &&
                        actual.ifindex == wanted.ifindex && !actual.multipath && actual.mtu == 0;
  if (!same_way) return false;
  // a direct route that we did not make could not be told from others later
  return wanted.onlink ? has_overlay_form(link, actual) : actual.protocol == kOverlayRouteProtocol;
}

/// IPv6 takes no gateway, onlink or not, to which a route by another link leads.
bool hides_gateway(const nl::Route& old, const nl::Route& wanted) {
  return !wanted.dst.is_v4() && old.ifindex != wanted.ifindex;
}

/// Compares one peer after the other with what is there, and keeps what no peer wanted.
class Planner {
 public:
  Planner(const OverlayLink& link, const ForwardingTables& actual) : link_(link) {
    for (const nl::Neighbour& entry : actual.neighbours) {
      if (is_permanent(entry.state)) neighbours_[entry.address] = &entry;
    }
    for (const nl::FdbEntry& entry : actual.fdb) {
      if (is_permanent(entry.state) && entry.dst && !entry.master) fdb_.emplace(entry.mac, &entry);
    }
    for (const nl::Route& route : actual.routes) {
      if (metric_of(route) == 0) routes_[route.dst] = &route;
    }
  }

  void add(std::size_t peer, const ForwardingTables& wanted) {
    for (const nl::Neighbour& entry : wanted.neighbours) {
      const auto there = neighbours_.find(entry.address);
      const bool same = there != neighbours_.end() && there->second->mac == entry.mac;
      if (there != neighbours_.end()) neighbours_.erase(there);
      if (!same) plan_.neighbours.push_back({peer, {Act::kPut, entry}});
    }
    for (const nl::FdbEntry& entry : wanted.fdb) {
      const auto there = fdb_.find(entry.mac);
      const bool same = there != fdb_.end() && there->second->dst == entry.dst;
      if (there != fdb_.end()) fdb_.erase(there);
      if (!same) plan_.fdb.push_back({peer, {Act::kPut, entry}});
    }
    for (const nl::Route& route : wanted.routes) {
      const auto there = routes_.find(route.dst);
      const nl::Route* old = there != routes_.end() ? there->second : nullptr;
      if (there != routes_.end()) routes_.erase(there);
      if (old != nullptr && serves(link_, *old, route)) continue;
      if (old != nullptr && hides_gateway(*old, route)) plan_.routes.push_back({peer, {Act::kDrop, *old}});
      plan_.routes.push_back({peer, {Act::kPut, route}});
    }
  }

  OverlayPlan finish() && {
    for (const auto& [dst, route] : routes_) {
      if (is_ours(link_, *route)) plan_.stale_routes.push_back({Act::kDrop, *route});
    }
    for (const auto& [mac, entry] : fdb_) plan_.stale_entries.push_back({Act::kDrop, *entry});
    for (const auto& [address, entry] : neighbours_) plan_.stale_entries.push_back({Act::kDrop, *entry});
    return std::move(plan_);
  }

 private:
  const OverlayLink& link_;
  OverlayPlan plan_;
  std::map<IpAddress, const nl::Neighbour*> neighbours_;
  std::multimap<MacAddress, const nl::FdbEntry*> fdb_;  // the all-zero MAC may have many
  std::map<Cidr, const nl::Route*> routes_;
};

/// Tries a change that failed in its batch once more.
Status try_alone(Forwarding& kernel, const ForwardingChange& change, int failed_errno) {
  std::vector<ForwardingChange> again;
  if (failed_errno == EEXIST) again.push_back({Act::kDrop, change.entry});
  again.push_back(change);
  return kernel.apply(again).back();
}

/// Makes `changes`, each failure once more. One Status each.
std::vector<Status> apply_with_retry(Forwarding& kernel, const std::vector<ForwardingChange>& changes) {
  if (changes.empty()) return {};
  std::vector<Status> done = kernel.apply(changes);
  for (std::size_t i = 0; i < done.size(); ++i) {
    if (!done[i]) done[i] = try_alone(kernel, changes[i], done[i].error().sys_errno);
  }
  return done;
}

class Applier {
 public:
  explicit Applier(Forwarding& kernel) : kernel_(kernel) {}

  /// Leaves out the peers that have failed before.
  void put(const std::vector<PeerChange>& puts) {
    std::vector<ForwardingChange> changes;
    std::vector<std::size_t> peers;
    for (const PeerChange& put : puts) {
      if (broken_.contains(put.peer)) continue;
      changes.push_back(put.change);
      peers.push_back(put.peer);
    }
    std::vector<Status> done = apply_with_retry(kernel_, changes);
    for (std::size_t i = 0; i < done.size(); ++i) {
      if (done[i]) {
        ++report_.changed;
      } else if (broken_.insert(peers[i]).second) {
        report_.failed.push_back({peers[i], std::move(done[i]).error()});
      }
    }
  }

  void drop(const std::vector<ForwardingChange>& changes) {
    for (Status& done : apply_with_retry(kernel_, changes)) {
      if (done) {
        ++report_.changed;
      } else {
        report_.leftovers.push_back(std::move(done).error());
      }
    }
  }

  ApplyReport finish() && { return std::move(report_); }

 private:
  Forwarding& kernel_;
  ApplyReport report_;
  std::set<std::size_t> broken_;
};

Result<ForwardingTables> read_tables(Forwarding& kernel, const OverlayLink& link) {
  ForwardingTables out;
  HOLDFAST_TRY(out.neighbours, kernel.neighbours(link.ifindex, link.network.family()));
  HOLDFAST_TRY(out.fdb, kernel.fdb(link.ifindex));
  HOLDFAST_TRY(out.routes, kernel.routes(link.network.family()));
  return out;
}

}  // namespace

ForwardingTables entries_of(const OverlayLink& link, const WantedPeer& peer) {
  const IpAddress base = peer.end.subnet.first();
  nl::Route route;
  route.dst = peer.end.subnet;
  route.protocol = kOverlayRouteProtocol;
  if (peer.direct_link != 0) {
    route.gateway = peer.end.public_address;
    route.ifindex = peer.direct_link;
    return {{}, {}, {route}};
  }
  route.gateway = base;
  route.ifindex = link.ifindex;
  route.onlink = true;
  route.scope = nl::Scope::kUniverse;
  const nl::Neighbour neighbour{link.ifindex, base, peer.end.vtep_mac, nl::NeighbourState::kPermanent};
  nl::FdbEntry fdb;
  fdb.ifindex = link.ifindex;
  fdb.mac = peer.end.vtep_mac;
  fdb.dst = peer.end.public_address;
  return {{neighbour}, {fdb}, {route}};
}

OverlayPlan plan_overlay(const OverlayLink& link, std::span<const WantedPeer> wanted,
                         const ForwardingTables& actual) {
  Planner planner(link, actual);
  for (std::size_t i = 0; i < wanted.size(); ++i) planner.add(i, entries_of(link, wanted[i]));
  return std::move(planner).finish();
}

ApplyReport apply_overlay(Forwarding& kernel, const OverlayPlan& plan) {
  Applier applier(kernel);
  applier.drop(plan.stale_routes);
  applier.put(plan.neighbours);
  applier.put(plan.fdb);
  applier.put(plan.routes);
  applier.drop(plan.stale_entries);
  return std::move(applier).finish();
}

ReconcileReport reconcile_overlay(Forwarding& kernel, const OverlayLink& link,
                                  std::span<const WantedPeer> wanted, Strangers strangers) {
  ReconcileReport out;
  const Result<ForwardingTables> actual = read_tables(kernel, link);
  if (!actual) out.unread = actual.error();
  OverlayPlan plan = plan_overlay(link, wanted, actual ? *actual : ForwardingTables{});
  if (strangers == Strangers::kKeep) {
    plan.stale_routes.clear();
    plan.stale_entries.clear();
  }
  out.applied = apply_overlay(kernel, plan);
  return out;
}

ApplyReport change_peer(Forwarding& kernel, const OverlayLink& link, const WantedPeer* before,
                        const WantedPeer* after) {
  const ForwardingTables there = before != nullptr ? entries_of(link, *before) : ForwardingTables{};
  const std::span<const WantedPeer> wanted =
      after != nullptr ? std::span(after, 1) : std::span<const WantedPeer>{};
  return apply_overlay(kernel, plan_overlay(link, wanted, there));
}

}  // namespace holdfast::flannel
