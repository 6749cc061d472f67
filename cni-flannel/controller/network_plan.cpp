#include "cni-flannel/controller/network_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "cni-flannel/controller/cidr_holders.h"
#include "cni-flannel/controller/pool_blocks.h"
#include "common/base/clock.h"

namespace holdfast::flannel {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::array kFamilies{IpFamily::kV4, IpFamily::kV6};

std::string names_of(const std::vector<Cidr>& cidrs) {
  std::string out;
  for (const Cidr& cidr : cidrs) out += (out.empty() ? "" : ", ") + cidr.to_string();
  return out;
}

std::optional<Cidr> of_family(const std::vector<Cidr>& cidrs, IpFamily family) {
  const auto found = std::ranges::find(cidrs, family, &Cidr::family);
  return found == cidrs.end() ? std::nullopt : std::optional(*found);
}

class Planner {
 public:
  Planner(const NetworkSight& sight, const NetworkPlanOptions& options, sys_seconds now)
      : sight_(sight), options_(options), now_(now), blocks_(sight.pools, options) {}

  NetworkPlan plan() {
    hold_cidrs();
    hold_macs();
    for (const auto& [address, holder] : holders_.all()) blocks_.take(holder.cidr);
    for (const auto& [name, object] : sight_.objects) {
      if (!sight_.nodes.contains(name)) plan_grave(name, object);
    }
    for (const auto& [name, node] : sight_.nodes) plan_node(name, node);
    return std::move(out_);
  }

 private:
  [[nodiscard]] const SeenObject* object_of(const std::string& name) const { return sight_.object_of(name); }
  void find(const std::string& node, std::string type, std::string reason, std::string message) {
    out_.findings[node].push_back({std::move(type), std::move(reason), std::move(message)});
  }
  void again_in(seconds time) {
    out_.again_in = std::min(out_.again_in.value_or(time), std::max(time, seconds(1)));
  }

  // Nodes in the order in which they have what they have: those that have an object of this life of theirs
  // first, since their peers know them.
  [[nodiscard]] std::vector<const SeenNode*> elders() const {
    std::vector<const SeenNode*> out;
    for (const auto& [name, node] : sight_.nodes) out.push_back(&node);
    std::stable_partition(out.begin(), out.end(), [&](const SeenNode* node) {
      const SeenObject* object = object_of(node->id.name);
      return object != nullptr && object->network.pod_cidrs == node->pod_cidrs;
    });
    return out;
  }

  void hold_cidrs() {
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
    for (const auto& [name, object] : sight_.objects) {
      for (const Cidr& cidr : object.network.pod_cidrs) holders_.add(cidr, name);
    }
  }

  static bool was_refused(const SeenObject& object) {
    const auto told = std::ranges::find(object.told, std::string(kMacUnique), &Condition::type);
    return told != object.told.end() && told->status == "False";
  }

  // Of two that have the same, who was refused it stays so; else who was there first has it.
  void hold_macs() {
    std::vector<const std::string*> first;
    for (const auto& [name, object] : sight_.objects) {
      if (object.removed_at.empty()) first.push_back(&name);
    }
    std::ranges::stable_sort(first, {}, [&](const std::string* name) {
      const SeenObject& object = sight_.objects.at(*name);
      return std::pair<bool, const std::string&>(was_refused(object), object.created);
    });
    for (const std::string* name : first) {
      for (const MacAddress& mac : macs_of(sight_.objects.at(*name).network)) {
        macs_.try_emplace(mac, *name);
      }
    }
  }

  static std::vector<MacAddress> macs_of(const NodeNetwork& network) {
    std::vector<MacAddress> out;
    for (const IpFamily family : kFamilies) {
      const std::optional<BackendData>& backend = network.backend(family);
      if (backend) out.push_back(backend->vtep_mac);
    }
    return out;
  }

  // Whether another node has a MAC of `network`, which is told; if not, it is this node's now.
  bool take_macs(const std::string& name, const NodeNetwork& network) {
    for (const MacAddress& mac : macs_of(network)) {
      const auto [holder, is_new] = macs_.try_emplace(mac, name);
      if (is_new || holder->second == name) continue;
      find(
          name, kMacUnique, "Duplicate",
          mac.to_string() + " is the VTEP MAC of " + std::string(holder->second) +
              ": delete flannel.1 on the newer of the two, whose disk was copied, and restart flannel there");
      return false;
    }
    return true;
  }

  void plan_grave(const std::string& name, const SeenObject& object) {
    NetworkStep step{.node = name, .uid = object.id.uid, .resource_version = object.id.resource_version};
    if (object.removed_at.empty()) {
      step.verb = NetworkVerb::kBury;
      out_.steps.push_back(std::move(step));
      return;
    }
    const std::optional<sys_seconds> removed = parse_utc(object.removed_at);
    // what cannot be read was not written by us: it counts from now, for ever, until somebody writes it anew
    if (!removed) return;
    const seconds left = *removed + options_.cidr_quarantine - now_;
    if (left > seconds::zero()) return again_in(left);
    step.verb = NetworkVerb::kForget;
    out_.steps.push_back(std::move(step));
  }

  void plan_node(const std::string& name, const SeenNode& node) {
    if (!node.fault.empty()) return find(name, kReadable, "NodeUnreadable", "the Node: " + node.fault);
    if (sight_.moment_of(name).contested_for > seconds::zero()) return plan_contested(name);
    if (node.contradicts) {
      find(name, kPoolClear, "LabelsContradict",
           "the labels of the Node name more than one pool: leave that which it is in");
    }
    if (node.pod_cidrs.empty()) return plan_cidrs(name, node);
    check_cidrs(name, node);
    plan_object(name, node);
  }

  // Whatever is written for one of the two would be the other's as well: peers keep what they know.
  void plan_contested(const std::string& name) {
    find(name, kNameUnique, "TwoMachines",
         "two machines run as this node, and each overwrites what the other tells: stop kubelet on one, give "
         "it another name (--hostname-override), delete its flannel.1 and let it join again");
    again_in(sight_.moment_of(name).contested_for);
  }

  void check_cidrs(const std::string& name, const SeenNode& node) {
    for (const Cidr& cidr : node.pod_cidrs) {
      if (const CidrHolders::Holder* other = holders_.other(cidr, name)) {
        find(name, kCidrsUnique, "Overlap",
             cidr.to_string() + " overlaps with " + other->cidr.to_string() + " of " + other->node +
                 ": drain and delete the Node, and let it register again");
      }
    }
    const auto pool = sight_.pools.find(node.pool);
    if (pool == sight_.pools.end() || pool->second.cidrs.empty()) return;
    for (const Cidr& cidr : node.pod_cidrs) {
      const bool in_pool =
          std::ranges::any_of(pool->second.cidrs, [&](const Cidr& range) { return range.contains(cidr); });
      if (!in_pool) {
        find(name, kCidrsOfPool, "OutsideOfPool",
             cidr.to_string() + " is in none of the ranges of pool " + node.pool + " (" +
                 names_of(pool->second.cidrs) + "): its gateways do not route it");
      }
    }
  }

  // What it was allotted last is the Node's of an earlier life: flanneld has not told the new one.
  void check_claim(const std::string& name, const SeenNode& node, const SeenObject& object) {
    const std::vector<Cidr>& claimed = object.network.pod_cidrs;
    if (object.mirrored || claimed.empty() || claimed == node.pod_cidrs || claimed == object.allotted) return;
    find(name, kCidrsOfNode, "NotOfNode",
         "its NodeNetworkConfiguration claims " + names_of(claimed) + ", its Node has " +
             names_of(node.pod_cidrs) + ": find out who wrote it, and restart flanneld there");
  }

  void plan_cidrs(const std::string& name, const SeenNode& node) {
    if (node.leaving || node.contradicts) return;
    const NodeMoment& moment = sight_.moment_of(name);
    if (!moment.promised.empty()) return give(name, node, moment.promised);
    const auto pool = sight_.pools.find(node.pool);
    const bool own =
        pool != sight_.pools.end() && (!pool->second.cidrs.empty() || !pool->second.fault.empty());
    if (!own && options_.cluster_cidrs.empty()) return;
    if (!own && node.pool.empty() && moment.known_for < options_.pool_wait) {
      return again_in(options_.pool_wait - moment.known_for);
    }
    PoolBlocks& blocks = blocks_.of(own ? node.pool : "");
    const std::string whose = own ? "pool " + node.pool : "the cluster";
    if (!blocks.fault.empty()) {
      return find(name, kCidrsGiven, "RangesUnusable", "the ranges of " + whose + ": " + blocks.fault);
    }
    if (own && pool->second.most_nodes && members_[node.pool] >= *pool->second.most_nodes) {
      return find(name, kCidrsGiven, "PoolFull",
                  "pool " + node.pool + " has its " + std::to_string(*pool->second.most_nodes) +
                      " nodes: remove one, or let this one join another pool");
    }
    std::vector<Cidr> cidrs = former(name, blocks);
    if (cidrs.empty()) cidrs = take_fresh(blocks);
    if (cidrs.empty()) {
      return find(name, kCidrsGiven, "NoFreeCIDR",
                  "all blocks of " + whose + " are taken, or in quarantine: give it another range");
    }
    for (const Cidr& cidr : cidrs) {
      holders_.add(cidr, name);
      blocks_.take(cidr);
    }
    ++members_[node.pool];
    give(name, node, std::move(cidrs));
  }

  void give(const std::string& name, const SeenNode& node, std::vector<Cidr> cidrs) {
    out_.steps.push_back({.verb = NetworkVerb::kGiveCidrs,
                          .node = name,
                          .uid = node.id.uid,
                          .resource_version = node.id.resource_version,
                          .cidrs = std::move(cidrs)});
  }

  // What a node of this name had, where that still is a block of its ranges, and nobody else's.
  std::vector<Cidr> former(const std::string& name, const PoolBlocks& blocks) const {
    const SeenObject* object = object_of(name);
    if (object == nullptr) return {};
    std::vector<Cidr> out;
    for (const auto& [family, of_one] : blocks.families) {
      const std::optional<Cidr> had = of_family(object->network.pod_cidrs, family);
      if (!had || !of_one.holds(*had) || holders_.other(*had, name) != nullptr) return {};
      out.push_back(*had);
    }
    return out;
  }

  void plan_object(const std::string& name, const SeenNode& node) {
    const SeenObject* object = object_of(name);
    if (object != nullptr && !object->fault.empty()) {
      return find(name, kReadable, "ObjectUnreadable", "the NodeNetworkConfiguration: " + object->fault);
    }
    if (!node.untold.empty()) return find(name, kAnnotationsUsable, "Unreadable", node.untold);
    if (object != nullptr && !object->removed_at.empty()) {
      out_.steps.push_back({.verb = NetworkVerb::kRevive,
                            .node = name,
                            .uid = object->id.uid,
                            .resource_version = object->id.resource_version});
      return;
    }
    if (object != nullptr) check_claim(name, node, *object);
    if (object != nullptr && !object->mirrored) take_macs(name, object->network);
    if (node.told) return mirror(name, node, object);
    if (object != nullptr) annotate(name, node, *object);
  }

  // An upstream node's data become its object. An object that flanneld keeps is left to it.
  void mirror(const std::string& name, const SeenNode& node, const SeenObject* object) {
    if (object != nullptr && !object->mirrored) return adopt(name, node, *object);
    if (refused_.contains(name)) return;
    if (!take_macs(name, *node.told)) return;
    NodeNetwork wanted = *node.told;
    if (object != nullptr) wanted.lease_epoch = object->network.lease_epoch;
    if (object != nullptr && object->node_uid == node.id.uid && object->network == wanted) return;
    out_.steps.push_back({.verb = NetworkVerb::kMirror,
                          .node = name,
                          .uid = object == nullptr ? "" : object->id.uid,
                          .resource_version = object == nullptr ? "" : object->id.resource_version,
                          .network = std::move(wanted)});
  }

  // The node went back to upstream's flannel, which knows no object.
  void adopt(const std::string& name, const SeenNode& node, const SeenObject& object) {
    if (object.node_uid != node.id.uid || !is_astray(node, object)) return;
    const seconds astray = sight_.moment_of(name).astray_for;
    if (astray < options_.adopt_after) return again_in(options_.adopt_after - astray);
    out_.steps.push_back({.verb = NetworkVerb::kAdopt,
                          .node = name,
                          .uid = object.id.uid,
                          .resource_version = object.id.resource_version});
  }

  // What flanneld told by its object alone becomes its Node's annotations, which do not say that it runs.
  void annotate(const std::string& name, const SeenNode& node, const SeenObject& object) {
    if (object.mirrored || object.node_uid != node.id.uid || !object.network.managed) return;
    out_.steps.push_back({.verb = NetworkVerb::kAnnotate,
                          .node = name,
                          .uid = node.id.uid,
                          .resource_version = node.id.resource_version,
                          .annotations = encode_annotations(object.network, options_.keys)});
  }

  const NetworkSight& sight_;
  const NetworkPlanOptions& options_;
  const sys_seconds now_;
  NetworkPlan out_;
  CidrHolders holders_;
  std::set<std::string> refused_;                // nodes that have what another has
  std::map<MacAddress, std::string_view> macs_;  // the node that has it
  AllBlocks blocks_;
  std::map<std::string, std::size_t> members_;  // by pool: nodes that have pod CIDRs
};

}  // namespace

NetworkPlan plan_networks(const NetworkSight& sight, const NetworkPlanOptions& options, sys_seconds now) {
  return Planner(sight, options, now).plan();
}

}  // namespace holdfast::flannel
