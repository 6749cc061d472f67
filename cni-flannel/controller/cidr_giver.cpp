#include "cni-flannel/controller/cidr_giver.h"

#include <algorithm>
#include <utility>

#include "cni-flannel/controller/allotment.h"
#include "cni-flannel/daemon/controller_conditions.h"

namespace holdfast::flannel {
namespace {

using std::chrono::seconds;

std::optional<Cidr> of_family(const std::vector<Cidr>& cidrs, IpFamily family) {
  const auto found = std::ranges::find(cidrs, family, &Cidr::family);
  return found == cidrs.end() ? std::nullopt : std::optional(*found);
}

CidrGiver::Given refused(std::string reason, std::string message) {
  return {.finding = NodeFinding{kCidrsGiven, std::move(reason), std::move(message)}};
}

}  // namespace

CidrGiver::CidrGiver(const NetworkSight& sight, const NetworkPlanOptions& options,
                     std::chrono::sys_seconds now)
    : sight_(sight), options_(options), blocks_(sight.pools, options) {
  hold_of_nodes();
  hold_of_objects(now);
  for (const auto& [address, holder] : holders_.all()) blocks_.take(holder.cidr);
}

// Nodes in the order in which they have what they have: those that have an object of this life of theirs
// first, since their peers know them.
std::vector<const SeenNode*> CidrGiver::elders() const {
  std::vector<const SeenNode*> out;
  for (const auto& [name, node] : sight_.nodes) out.push_back(&node);
  std::stable_partition(out.begin(), out.end(), [&](const SeenNode* node) {
    const SeenObject* object = sight_.object_of(node->id.name);
    return object != nullptr && object->network.pod_cidrs == node->pod_cidrs;
  });
  return out;
}

void CidrGiver::hold_of_nodes() {
  for (const SeenNode* node : elders()) {
    const std::string& name = node->id.name;
    if (!node->pod_cidrs.empty() || !sight_.moment_of(name).promised.empty()) ++members_[node->pool];
    for (const Cidr& cidr : node->pod_cidrs) {
      if (!holders_.add(cidr, name)) refused_.insert(name);
    }
  }
  for (const auto& [name, moment] : sight_.moments) {
    for (const Cidr& cidr : moment.promised) holders_.add(cidr, name);
  }
}

void CidrGiver::hold_of_objects(std::chrono::sys_seconds now) {
  for (const auto& [name, object] : sight_.objects) {
    const Allotment held = allotment(sight_, name, options_.cidr_quarantine, now);
    for (const Cidr& cidr : held.cidrs) holders_.add(cidr, name);
    for (const FreedCidr& each : held.freed) {
      holders_.add(each.cidr, name);
      const seconds left = each.since + options_.cidr_quarantine - now;
      again_in_ = std::min(again_in_.value_or(left), left);
    }
    // of a Node that registered again; what it claims itself counts as far as it could have been given it
    if (!held.cidrs.empty()) continue;
    for (const Cidr& cidr : object.network.pod_cidrs) {
      const bool is_part =
          cidr.prefix() >= (cidr.is_v4() ? options_.node_prefix_v4 : options_.node_prefix_v6);
      if (is_part) holders_.add(cidr, name);
    }
  }
}

CidrGiver::Given CidrGiver::give(const std::string& name, const SeenNode& node) {
  const NodeMoment& moment = sight_.moment_of(name);
  if (!moment.promised.empty()) return {.cidrs = moment.promised};
  const auto pool = sight_.pools.find(node.pool);
  const bool own = pool != sight_.pools.end() && (!pool->second.cidrs.empty() || !pool->second.fault.empty());
  if (!own && options_.cluster_cidrs.empty()) return {};
  const bool is_missing = !node.pool.empty() && sight_.has_pools && pool == sight_.pools.end();
  if (!own && (node.pool.empty() || is_missing) && moment.known_for < options_.pool_wait) {
    return {.again_in = options_.pool_wait - moment.known_for};
  }
  if (is_missing) {
    return refused("PoolUnknown", "its labels name pool " + node.pool +
                                      ", and there is no such NodePool: create it, or correct the label; the "
                                      "Node keeps for ever what it is given");
  }
  return give_of(own ? node.pool : "", name, node);
}

// Of the cluster's for "".
CidrGiver::Given CidrGiver::give_of(const std::string& pool, const std::string& name, const SeenNode& node) {
  PoolBlocks& blocks = blocks_.of(pool);
  const std::string whose = pool.empty() ? "the cluster" : "pool " + pool;
  if (!blocks.fault.empty()) {
    return refused("RangesUnusable", "the ranges of " + whose + ": " + blocks.fault);
  }
  const std::optional<std::uint32_t> most = pool.empty() ? std::nullopt : sight_.pools.at(pool).most_nodes;
  if (most && members_[pool] >= *most) {
    return refused("PoolFull", whose + " has its " + std::to_string(*most) +
                                   " nodes: remove one, or let this one join another pool");
  }
  std::vector<Cidr> cidrs = former(name, blocks);
  if (cidrs.empty()) cidrs = take_fresh(blocks);
  if (cidrs.empty()) {
    return refused("NoFreeCIDR",
                   "all blocks of " + whose + " are taken, or in quarantine: give it another range");
  }
  for (const Cidr& cidr : cidrs) {
    holders_.add(cidr, name);
    blocks_.take(cidr);
  }
  ++members_[node.pool];
  return {.cidrs = std::move(cidrs)};
}

// What a node of this name had, where that still is a block of its ranges, and nobody else's.
std::vector<Cidr> CidrGiver::former(const std::string& name, const PoolBlocks& blocks) const {
  const SeenObject* object = sight_.object_of(name);
  if (object == nullptr) return {};
  const std::vector<Cidr> had_all = former_cidrs(*object);
  std::vector<Cidr> out;
  for (const auto& [family, of_one] : blocks.families) {
    const std::optional<Cidr> had = of_family(had_all, family);
    if (!had || !of_one.holds(*had) || holders_.other(*had, name) != nullptr) return {};
    out.push_back(*had);
  }
  return out;
}

}  // namespace holdfast::flannel
