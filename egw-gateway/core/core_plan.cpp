#include "egw-gateway/core/core_plan.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "egw-gateway/model/routed_ranges.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

// What is between us and an access point forgets who spoke to whom after half a minute and more.
constexpr std::chrono::seconds kKeepalive{25};
// A site's own network may take more; of the line behind it nobody tells.
constexpr std::uint32_t kInternetMtu = 1500;
constexpr bfd::Timers kDedicated{100ms, 100ms, 3};
constexpr bfd::Timers kMetered{1s, 1s, 3};

std::vector<Cidr> everything() {
  return {Cidr::parse("0.0.0.0/0").value_or(Cidr()), Cidr::parse("::/0").value_or(Cidr())};
}

std::uint32_t mtu_of(const CoreSelf& self, const AccessPoint& point) {
  if (point.mtu != 0) return point.mtu;
  if (self.tunnel_mtu != 0) return self.tunnel_mtu;
  const std::uint32_t overhead = tunnel_overhead(point.address.family());
  const std::uint32_t outer = std::min(self.edge_mtu, kInternetMtu);
  return outer > overhead ? outer - overhead : outer;
}

Result<Tunnel> tunnel_to(const AccessPoint& point, const Gateway& gateway, const CoreSelf& self) {
  const std::optional<std::uint16_t> port = port_of(point, gateway.tunnel.value_or(0));
  if (!port) return fail(Code::kInvalidArgument, "its port is beyond the last one");
  wireguard::PeerSpec peer;
  HOLDFAST_TRY(peer.key, wireguard::PublicKey::parse(point.public_key));
  peer.endpoint = wireguard::Endpoint{point.address, *port};
  peer.allowed = everything();
  peer.keepalive = kKeepalive;
  return Tunnel{.link = tunnel_link(kTunnelPrefix, point.name),
                .wireguard = {.private_key = self.private_key, .peers = {std::move(peer)}},
                .addresses = gateway.tunnel_addresses,
                .peers = point.tunnel_addresses,
                .mtu = mtu_of(self, point)};
}

/// By the first family in which both ends have an address.
std::optional<AccessTarget> target_of(const AccessPoint& point, const Gateway& gateway) {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const auto local = address_of(gateway.tunnel_addresses, family);
    const auto peer = address_of(point.tunnel_addresses, family);
    if (!local || !peer) continue;
    return AccessTarget{.name = point.name,
                        .link = tunnel_link(kTunnelPrefix, point.name),
                        .priority = point.priority,
                        .local = *local,
                        .peer = *peer,
                        .timers = point.link == LinkKind::kMetered ? kMetered : kDedicated};
  }
  return std::nullopt;
}

void add_tunnels(const EdgeGateway& pool, const Gateway& gateway, const CoreSelf& self, CorePlan& out) {
  if (!gateway.tunnel) {
    out.faults.push_back("gateway " + gateway.name + " has no tunnel number; let the controller give it one");
    return;
  }
  for (const AccessPoint& point : pool.access_points) {
    const std::optional<AccessTarget> target = target_of(point, gateway);
    if (!target) {
      out.faults.push_back("access point " + point.name + " and gateway " + gateway.name +
                           " have no tunnel addresses of one family; give both one");
      continue;
    }
    Result<Tunnel> tunnel = tunnel_to(point, gateway, self);
    if (!tunnel) {
      out.faults.push_back("access point " + point.name + ": " + tunnel.error().message);
      continue;
    }
    out.tunnels.push_back(*std::move(tunnel));
    out.access.push_back(*target);
  }
}

void add_subnets(const EdgeGateway& pool, const CoreSelf& self, Reachability& out) {
  for (const PoolMember& node : pool.nodes) {
    out.node_subnets.insert(out.node_subnets.end(), node.pod_cidrs.begin(), node.pod_cidrs.end());
    out.nodes.insert(out.nodes.end(), node.addresses.begin(), node.addresses.end());
  }
  for (const Cidr& pods : pool.pod_cidrs) {
    const auto lies_in = [&](const Cidr& subnet) { return pods.contains(subnet); };
    if (std::ranges::any_of(out.node_subnets, lies_in)) continue;
    std::ranges::copy_if(self.edge_networks, std::back_inserter(out.node_subnets), lies_in);
  }
}

Reachability reachability_of(const EdgeGateway& pool, const Gateway& gateway, const CoreSelf& self) {
  Reachability out;
  out.edge_link = self.edge_link;
  out.tunnels = {kTunnelPrefix, true};
  out.pods = pool.pod_cidrs;
  out.cloud_pods = pool.cloud_pod_cidrs;
  out.vpc = pool.vpc_cidrs;
  out.translations = gateway.tunnel_addresses;
  for (const AccessPoint& point : pool.access_points) {
    out.access_points.insert(out.access_points.end(), point.tunnel_addresses.begin(),
                             point.tunnel_addresses.end());
  }
  add_subnets(pool, self, out);
  return out;
}

const Gateway* find_gateway(const EdgeGateway& pool, const std::string& name) {
  const auto found = std::ranges::find(pool.gateways, name, &Gateway::name);
  return found == pool.gateways.end() ? nullptr : &*found;
}

}  // namespace

CorePlan plan_core(const EdgeGateway& pool, const CoreSelf& self) {
  CorePlan out;
  out.reachability.edge_link = self.edge_link;
  out.reachability.tunnels = {kTunnelPrefix, true};
  RoutedRanges routed = routed_ranges(pool, exemptions(pool));
  out.ranges = std::move(routed.ranges);
  out.faults = std::move(routed.faults);
  const std::chrono::microseconds interval = pool.liveness.interval;
  out.node_timers = {interval, interval, static_cast<std::uint8_t>(pool.liveness.multiplier)};
  out.signs = !pool.liveness.key_secret.empty();
  const Gateway* gateway = find_gateway(pool, self.name);
  if (gateway == nullptr) {
    out.faults.push_back("EdgeGateway " + pool.pool + " has no gateway " + self.name +
                         "; let the controller name it, or end this one");
    return out;
  }
  out.own = gateway->pod_addresses;
  out.reachability = reachability_of(pool, *gateway, self);
  add_tunnels(pool, *gateway, self, out);
  return out;
}

bool is_nodes_own(const Reachability& reachability, const IpAddress& address) {
  if (std::ranges::find(reachability.nodes, address) != reachability.nodes.end()) return true;
  return std::ranges::any_of(reachability.pods, [&](const Cidr& pods) {
    return pods.contains(address) && std::ranges::any_of(reachability.node_subnets, [&](const Cidr& subnet) {
             if (!pods.contains(subnet)) return false;
             const Result<Cidr> around = Cidr::make(address, subnet.prefix());
             return around && address.distance_from(around->first()).value_or(2) < 2;
           });
  });
}

bool is_known_key(const EdgeGateway& pool, const std::string& gateway, const wireguard::PublicKey& key) {
  const Gateway* found = find_gateway(pool, gateway);
  if (found == nullptr || found->public_keys.empty()) return true;
  return std::ranges::find(found->public_keys, key.to_string()) != found->public_keys.end();
}

}  // namespace holdfast::gateway
