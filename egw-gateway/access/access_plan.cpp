#include "egw-gateway/access/access_plan.h"

#include <algorithm>
#include <utility>

#include "egw-gateway/model/routed_ranges.h"

namespace holdfast::gateway {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDedicatedInterval{100};
constexpr milliseconds kMeteredInterval{1000};

/// What pools that are served have taken.
class Taken {
 public:
  /// Why the pool cannot have what it asks for; empty: it can, and has it from now on.
  std::string take(const ServedPool& pool) {
    if (std::string why = trouble(pool); !why.empty()) return why;
    for (const Cidr& range : pool.pods) pods_[range] = pool.name;
    for (const Cidr& range : pool.cloud) cloud_[range] = pool.name;
    for (const GatewayWay& way : pool.ways) {
      ports_[way.port] = pool.name;
      links_[way.link] = pool.name;
      for (const IpAddress& address : way.addresses) addresses_[address] = pool.name;
    }
    return {};
  }

 private:
  [[nodiscard]] std::string trouble(const ServedPool& pool) const {
    for (const Cidr& range : pool.pods) {
      if (std::string why = overlap(range, pods_, "pods of pool "); !why.empty()) return why;
      if (std::string why = overlap(range, cloud_, "what is reached in the cloud by pool "); !why.empty())
        return why;
    }
    for (const Cidr& range : pool.cloud) {
      if (std::string why = overlap(range, pods_, "pods of pool "); !why.empty()) return why;
    }
    std::set<std::uint16_t> ports;
    for (const GatewayWay& way : pool.ways) {
      const auto port = ports_.find(way.port);
      if (port != ports_.end())
        return "its gateway " + way.name.gateway + " has the tunnel number of a gateway of pool " +
               port->second;
      if (!ports.insert(way.port).second) return "two of its gateways have one tunnel number";
      const auto link = links_.find(way.link);
      if (link != links_.end())
        return "the name of its link " + way.link + " is that of pool " + link->second;
      for (const IpAddress& address : way.addresses) {
        const auto there = addresses_.find(address);
        if (there != addresses_.end())
          return "tunnel address " + address.to_string() + " is that of a gateway of pool " + there->second;
      }
    }
    return {};
  }
  static std::string overlap(const Cidr& range, const std::map<Cidr, std::string>& taken,
                             const std::string& what) {
    for (const auto& [there, owner] : taken) {
      if (!there.overlaps(range)) continue;
      return range.to_string()
          .append(" overlaps ")
          .append(there.to_string())
          .append(", ")
          .append(what)
          .append(owner);
    }
    return {};
  }

  std::map<Cidr, std::string> pods_;
  std::map<Cidr, std::string> cloud_;
  std::map<std::uint16_t, std::string> ports_;
  std::map<std::string, std::string> links_;
  std::map<IpAddress, std::string> addresses_;
};

/// Both ends of the family that both have, IPv4 first.
std::optional<std::pair<IpAddress, IpAddress>> ends_of(const AccessPoint& point, const Gateway& gateway) {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const auto local = address_of(point.tunnel_addresses, family);
    const auto peer = address_of(gateway.tunnel_addresses, family);
    if (local && peer) return std::pair(*local, *peer);
  }
  return std::nullopt;
}

/// nullopt with a trouble: it cannot be; without: it is not there so far.
std::optional<GatewayWay> way_of(const std::string& pool, const AccessPoint& point, const Gateway& gateway,
                                 std::string& trouble) {
  const auto ends = ends_of(point, gateway);
  if (!gateway.tunnel || gateway.public_keys.empty() || !ends) return std::nullopt;
  GatewayWay out{.name = {pool, gateway.name}, .priority = gateway.priority};
  out.link = tunnel_link(kAccessLinkPrefix, pool + "-" + gateway.name);
  const auto port = port_of(point, *gateway.tunnel);
  if (!port) {
    trouble = "gateway " + gateway.name + ": there is no port of tunnel " + std::to_string(*gateway.tunnel);
    return std::nullopt;
  }
  out.port = *port;
  for (const std::string& text : gateway.public_keys) {
    const auto key = wireguard::PublicKey::parse(text);
    if (!key) {
      trouble = "gateway " + gateway.name + ": " + key.error().message;
      return std::nullopt;
    }
    out.keys.push_back(*key);
  }
  out.addresses = gateway.tunnel_addresses;
  out.local = ends->first;
  out.peer = ends->second;
  out.interval = point.link == LinkKind::kMetered ? kMeteredInterval : kDedicatedInterval;
  return out;
}

ServedPool pool_of(const EdgeGateway& object, const AccessPoint& point, std::string& trouble) {
  ServedPool out{.name = object.pool, .pods = object.pod_cidrs, .addresses = point.tunnel_addresses};
  out.cloud = routed_ranges(object, exemptions(object)).ranges;
  out.preferred = std::ranges::none_of(object.access_points, [&](const AccessPoint& other) {
    return other.priority > point.priority || (other.priority == point.priority && other.name < point.name);
  });
  out.sole = object.access_points.size() == 1;
  out.mtu = point.mtu;
  for (const Gateway& gateway : object.gateways) {
    if (auto way = way_of(object.pool, point, gateway, trouble)) out.ways.push_back(*std::move(way));
  }
  return out;
}

/// Whether two plans' pools of one name claim the same of what can be another's.
bool claims_the_same(const ServedPool& a, const ServedPool& b) {
  const auto same_way = [](const GatewayWay& x, const GatewayWay& y) {
    return x.port == y.port && x.link == y.link && x.addresses == y.addresses;
  };
  return a.name == b.name && a.pods == b.pods && a.cloud == b.cloud &&
         std::ranges::equal(a.ways, b.ways, same_way);
}

/// Where the pool's pods cannot be; empty: nowhere.
std::string misplaced_pods(const EdgeGateway& object, const std::vector<OwnRange>& own) {
  std::vector<OwnRange> others = own;
  for (const Cidr& range : object.vpc_cidrs) others.push_back({range, "what they are to reach in the VPC"});
  for (const Cidr& range : object.cloud_pod_cidrs) others.push_back({range, "pods of the cloud"});
  for (const AccessPoint& point : object.access_points) {
    others.push_back({host_range(point.address), "the address of access point " + point.name});
  }
  for (const Cidr& pods : object.pod_cidrs) {
    const auto there =
        std::ranges::find_if(others, [&](const OwnRange& other) { return other.range.overlaps(pods); });
    if (there == others.end()) continue;
    return "its pods " + pods.to_string() + " overlap " + there->range.to_string() + ", " + there->what;
  }
  return {};
}

/// A pool that asks to be served.
struct Candidacy {
  ServedPool pool;
  std::string trouble;    // that does not refuse it
  std::string misplaced;  // where its pods cannot be
  bool served = false;
  bool unchanged = false;  // it asks for what it had

  [[nodiscard]] int turn() const {
    if (!served) return 2;
    return unchanged ? 0 : 1;
  }
};

}  // namespace

std::vector<const GatewayWay*> AccessPlan::ways() const {
  std::vector<const GatewayWay*> out;
  for (const ServedPool& pool : pools) {
    for (const GatewayWay& way : pool.ways) out.push_back(&way);
  }
  return out;
}

AccessPlan plan_access(const std::map<std::string, EdgeGateway>& objects, const std::string& point,
                       const std::set<std::string>& served, const std::vector<OwnRange>& own,
                       const std::vector<ServedPool>& before) {
  std::vector<Candidacy> candidates;
  for (const auto& [name, object] : objects) {
    const auto ours = std::ranges::find(object.access_points, point, &AccessPoint::name);
    if (ours == object.access_points.end()) continue;
    Candidacy& one = candidates.emplace_back();
    one.pool = pool_of(object, *ours, one.trouble);
    if (ours->tunnel_addresses.empty()) one.trouble = "this access point has no tunnel address in it";
    one.misplaced = misplaced_pods(object, own);
    one.served = served.contains(name);
    one.unchanged =
        std::ranges::any_of(before, [&](const ServedPool& had) { return claims_the_same(had, one.pool); });
  }
  std::ranges::stable_sort(candidates, {}, [](const Candidacy& one) { return one.turn(); });
  AccessPlan out;
  Taken taken;
  for (Candidacy& one : candidates) {
    const std::string name = one.pool.name;
    if (one.served && !one.misplaced.empty())
      one.trouble = one.misplaced + "; it goes on, as it was served before";
    const std::string refused = one.served || one.misplaced.empty() ? taken.take(one.pool) : one.misplaced;
    if (refused.empty()) out.pools.push_back(std::move(one.pool));
    if (!refused.empty()) one.trouble = refused;
    if (!one.trouble.empty()) out.troubles[name] = one.trouble;
  }
  std::ranges::sort(out.pools, {}, &ServedPool::name);
  return out;
}

wireguard::PublicKey key_in_use(const GatewayWay& way, const std::vector<wireguard::PeerState>& peers,
                                const std::optional<wireguard::PublicKey>& before) {
  const wireguard::PeerState* latest = nullptr;
  for (const wireguard::PeerState& each : peers) {
    if (!each.last_handshake || std::ranges::find(way.keys, each.peer.key) == way.keys.end()) continue;
    if (latest == nullptr || *each.last_handshake > *latest->last_handshake) latest = &each;
  }
  if (latest != nullptr) return latest->peer.key;
  const bool still = before && std::ranges::find(way.keys, *before) != way.keys.end();
  return still ? *before : way.keys.front();
}

Tunnel tunnel_of(const ServedPool& pool, const GatewayWay& way, const wireguard::SecretKey& private_key,
                 const wireguard::PublicKey& in_use, std::uint32_t mtu) {
  Tunnel out{.link = way.link,
             .wireguard = {private_key, way.port, 0, {}},
             .addresses = pool.addresses,
             .peers = way.addresses,
             .mtu = pool.mtu != 0 ? pool.mtu : mtu};
  for (const wireguard::PublicKey& key : way.keys) {
    wireguard::PeerSpec& peer = out.wireguard.peers.emplace_back();
    peer.key = key;
    if (key != in_use) continue;
    peer.allowed = pool.pods;
    for (const IpAddress& address : way.addresses) {
      peer.allowed.push_back(Cidr::make(address, address.bits()).value_or(Cidr()));
    }
  }
  return out;
}

}  // namespace holdfast::gateway
