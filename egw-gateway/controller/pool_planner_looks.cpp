#include <algorithm>

#include "egw-gateway/controller/gateway_status.h"
#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/controller/pool_planner.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t kFewestNodes = 2;

}  // namespace

PoolPlanner::Tunnels PoolPlanner::look_for_tunnels() {
  if (Tunnels kept = kept_tunnels()) return kept;
  if (const PoolTunnels* given = find_in(cluster_.given, pool_)) return *given;
  Result<PoolTunnels> given = give_tunnels(options_.tunnel_ranges, taken_tunnels());
  if (given) return *std::move(given);
  find(kTunnelsGiven, "TunnelsExhausted", given.error().message);
  return std::nullopt;
}

PoolPlanner::Tunnels PoolPlanner::kept_tunnels() const {
  for (const Text* kept : {seen_.gateway == nullptr ? nullptr : &seen_.gateway->annotations,
                           seen_.keys == nullptr ? nullptr : &seen_.keys->annotations}) {
    if (kept == nullptr) continue;
    if (Result<PoolTunnels> read = decode_tunnels(value_in(*kept, kTunnelsAnnotation)))
      return *std::move(read);
  }
  return std::nullopt;
}

void PoolPlanner::look_at_services(const Connection& connection) {
  if (!options_.service) return;
  const std::optional<Cidr> range = range_that_takes(connection, *options_.service);
  if (!range) return;
  find(kServicesReachable, "ServicesInCloud",
       "the cloud's range " + range->to_string() + " holds Services of this cluster, as " +
           options_.service->to_string() +
           ": a node's own processes reach them only while a gateway is alive; tell the Services' range in "
           "the "
           "ConfigMap egw-controller, member serviceCIDRs");
}

bool PoolPlanner::look_at_tunnels(const PoolTunnels& tunnels, const PoolRequest& request) {
  bool disjoint = true;
  for (const auto& [gateway, addresses] : tunnels.addresses) {
    for (const IpAddress& address : addresses) {
      const auto pods =
          std::ranges::find_if(request.pod_cidrs, [&](const Cidr& range) { return range.contains(address); });
      if (pods == request.pod_cidrs.end()) continue;
      disjoint = false;
      find(kRangesDisjoint, "RangesOverlap",
           "the pool's range " + pods->to_string() + " holds " + address.to_string() +
               ", the address of its gateway " + gateway +
               " inside tunnels: give the pool another range, or tell another --tunnel-range");
    }
  }
  return disjoint;
}

bool PoolPlanner::look_at_ports(const PoolTunnels& tunnels, const Connection& connection) {
  bool enough = true;
  const std::uint16_t last = tunnels.number_of(kGateways.back());
  for (const AccessPoint& point : connection.gateway.access_points) {
    if (port_of(point, last)) continue;
    enough = false;
    find(kConnectionKnown, "PortsExhausted",
         "ConfigMap egw-controller: access point " + point.name + " counts from port " +
             std::to_string(point.port) + ", and has none for tunnel " + std::to_string(last) +
             ": tell a lower port");
  }
  return enough;
}

TakenTunnels PoolPlanner::taken_tunnels() const {
  TakenTunnels out;
  const auto add = [&](const Text& annotations) {
    const Result<PoolTunnels> read = decode_tunnels(value_in(annotations, kTunnelsAnnotation));
    if (read) out.add(*read);
  };
  for (const auto& [name, given] : cluster_.given) out.add(given);
  for (const auto& [name, secret] : cluster_.secrets) add(secret.annotations);
  for (const auto& [name, other] : cluster_.gateways) {
    add(other.annotations);
    for (const Gateway& each : other.spec.gateways) {
      if (each.tunnel) out.numbers.insert(*each.tunnel);
      out.addresses.insert(each.tunnel_addresses.begin(), each.tunnel_addresses.end());
    }
    for (const AccessPoint& point : other.spec.access_points) {
      out.addresses.insert(point.tunnel_addresses.begin(), point.tunnel_addresses.end());
    }
  }
  if (!cluster_.connections) return out;
  for (const Connection& each : *cluster_.connections) {
    for (const AccessPoint& point : each.gateway.access_points) {
      out.addresses.insert(point.tunnel_addresses.begin(), point.tunnel_addresses.end());
    }
  }
  return out;
}

const Connection* PoolPlanner::look_for_connection(const PoolRequest& request) {
  if (!cluster_.connections) {
    find(kConnectionKnown, "ConfigurationInvalid",
         "ConfigMap egw-controller: " + cluster_.connections.error().message);
    return nullptr;
  }
  if (!request.usable) return nullptr;
  const Connection* found =
      find_connection(*cluster_.connections, request.cen_id, request.ccn_id, request.ccn_region);
  if (found == nullptr) {
    find(kConnectionKnown, "ConnectionUnknown",
         "ConfigMap egw-controller has no connection with cenId " + request.cen_id + ", ccnId " +
             request.ccn_id + " and ccnRegion " + request.ccn_region +
             ": add it, with its VPC's ranges and access points");
  }
  return found;
}

/// Of one whose spec cannot be read its annotations tell.
std::vector<OtherRange> PoolPlanner::ranges_of_others() const {
  std::vector<OtherRange> out;
  for (const auto& [name, other] : cluster_.gateways) {
    if (name == pool_ || yields_to_us(name)) continue;
    std::vector<Cidr> ranges = other.spec.pod_cidrs;
    if (!other.trouble.empty()) {
      ranges = kube::parse_pod_cidrs(value_in(other.annotations, kPodCidrsAnnotation))
                   .value_or(std::vector<Cidr>{});
    }
    for (const Cidr& range : ranges) out.push_back({name, range});
  }
  return out;
}

/// Of two that are to have one range, as they came at the same time, the one that has gateways keeps it, else
/// the first by name has it.
bool PoolPlanner::yields_to_us(const std::string& other) const {
  const bool theirs = std::ranges::any_of(
      cluster_.deployments, [&](const auto& deployment) { return deployment.second.pool == other; });
  return !theirs && (seen_.started() || pool_ < other);
}

bool PoolPlanner::look_for_overlaps(const PoolRequest& request, const Connection* connection) {
  std::vector<const PoolNode*> nodes;
  for (const auto& [name, node] : cluster_.nodes) {
    if (node.pool == pool_) nodes.push_back(&node);
  }
  const EdgeGateway cloud = connection == nullptr ? EdgeGateway{} : connection->gateway;
  const std::vector<PoolFinding> found = find_overlaps(request.pod_cidrs, cloud, ranges_of_others());
  const std::vector<PoolFinding> misplaced = find_misplaced_nodes(request.pod_cidrs, cloud, nodes);
  out_.findings.insert(out_.findings.end(), found.begin(), found.end());
  out_.findings.insert(out_.findings.end(), misplaced.begin(), misplaced.end());
  // one node is no reason to keep a pool that works from the next word about its access points
  return found.empty() && (misplaced.empty() || seen_.started());
}

bool PoolPlanner::look_at_nodes(const PoolRequest& request) {
  std::size_t all = 0;
  std::size_t fit = 0;
  for (const auto& [name, node] : cluster_.nodes) {
    const bool wanted_here = std::ranges::find(node.desired, pool_) != node.desired.end();
    if (node.pool != pool_ && !wanted_here) continue;
    const bool in_place = look_at_labels(node);
    if (node.pool != pool_) continue;
    ++all;
    if (in_place && node.arch == kGatewayArch && !node.leaving) ++fit;
  }
  look_for_moved_gateways();
  if (request.max_nodes != 0 && all > request.max_nodes) {
    find(kNodesSuffice, "TooManyNodes",
         "the pool has " + std::to_string(all) + " nodes, and " + kMaxNodesAnnotation + " is " +
             std::to_string(request.max_nodes) + ": take nodes out of it");
  } else if (all > kMostNodes) {
    find(kNodesSuffice, "TooManyNodes",
         "the pool has " + std::to_string(all) + " nodes, and gateways serve " + std::to_string(kMostNodes) +
             ": those that came last reach nothing by them; make a second pool of them");
  }
  if (fit < kFewestNodes) {
    find(kNodesSuffice, "TooFewNodes",
         "the pool has " + std::to_string(fit) + " fit nodes of architecture " + kGatewayArch +
             " and needs 2: add nodes");
  }
  return fit >= kFewestNodes;
}

bool PoolPlanner::look_at_labels(const PoolNode& node) {
  std::set<std::string> pools(node.desired.begin(), node.desired.end());
  if (!node.pool.empty()) pools.insert(node.pool);
  if (pools.size() < 2) return true;
  std::string names;
  for (const std::string& each : pools) names += (names.empty() ? "" : ", ") + each;
  find(kNodesInPlace, "NodeMoved",
       "the labels of node " + node.id.name + " name several pools (" + names +
           "): take it out of the cluster, and join it anew to one of them");
  return false;
}

void PoolPlanner::look_for_moved_gateways() {
  for (const Gateway& each : last_spec().value_or(EdgeGateway{}).gateways) {
    const PoolNode* node = find_in(cluster_.nodes, each.node);
    if (node != nullptr && node->pool == pool_) continue;
    find(kNodesInPlace, "NodeMoved",
         "gateway " + each.name + " is on node " + each.node +
             ", which is not in the pool any more: delete its pod when the other gateway works");
  }
}

void PoolPlanner::look_at_objects() {
  for (const auto& [kind, name] : seen_.foreign) {
    find(kObjectsOwned, "ForeignObject",
         std::string(to_string(kind)) + " " + name + " is not ours, and is left alone: rename or delete it");
  }
  if (seen_.gateway == nullptr || seen_.gateway->trouble.empty()) return;
  find(kObjectUsable, "SpecUnreadable",
       "the EdgeGateway cannot be read (" + seen_.gateway->trouble +
           "), and others go on with what they know: what of it is ours is put back; take out what is not, "
           "or delete it, and it is made anew");
}

std::vector<std::string> PoolPlanner::look_at_gateways() {
  std::vector<std::string> ready = ready_gateways(pool_, cluster_.pods);
  if (ready.size() == kGateways.size()) return ready;
  if (!seen_.started()) {
    find(kGatewaysReady, "NotStarted", "the pool has no gateways until the other conditions are True");
    return ready;
  }
  std::string down;
  for (const char* name : kGateways) {
    if (std::ranges::find(ready, name) == ready.end())
      down += (down.empty() ? "" : ", ") + deployment_name(pool_, name);
  }
  find(kGatewaysReady, ready.empty() ? "GatewaysDown" : "GatewayDown",
       "not ready: Deployment " + down + "; its pod's events and log tell why");
  return ready;
}

}  // namespace holdfast::gateway
