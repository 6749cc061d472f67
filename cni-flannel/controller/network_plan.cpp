#include "cni-flannel/controller/network_plan.h"

#include <algorithm>
#include <utility>

#include "cni-flannel/controller/address_holders.h"
#include "cni-flannel/controller/cidr_giver.h"
#include "cni-flannel/controller/mac_holders.h"
#include "cni-flannel/daemon/controller_conditions.h"
#include "cni-flannel/daemon/name_list.h"
#include "common/base/clock.h"

namespace holdfast::flannel {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

std::string names_of(const std::vector<Cidr>& cidrs) {
  std::string out;
  for (const Cidr& cidr : cidrs) out += (out.empty() ? "" : ", ") + cidr.to_string();
  return out;
}

class Planner {
 public:
  Planner(const NetworkSight& sight, const NetworkPlanOptions& options, sys_seconds now)
      : sight_(sight),
        options_(options),
        now_(now),
        giver_(sight, options, now),
        macs_(sight.objects),
        addresses_(sight) {}

  NetworkPlan plan() {
    if (giver_.again_in()) look_again_in(*giver_.again_in());
    for (const auto& [name, object] : sight_.objects) {
      if (!sight_.nodes.contains(name)) plan_grave(name, object);
    }
    for (const auto& [name, node] : sight_.nodes) plan_node(name, node);
    return std::move(out_);
  }

 private:
  [[nodiscard]] const SeenObject* object_of(const std::string& name) const { return sight_.object_of(name); }
  void add_finding(const std::string& node, std::string type, std::string reason, std::string message) {
    out_.findings[node].push_back({std::move(type), std::move(reason), std::move(message)});
  }
  void look_again_in(seconds time) {
    out_.again_in = std::min(out_.again_in.value_or(time), std::max(time, seconds(1)));
  }

  // False, and told, when another node has a MAC of `network`; else all of them are this node's now.
  bool take_macs(const std::string& name, const NodeNetwork& network) {
    const std::optional<MacHolders::Held> other = macs_.take(name, network);
    if (!other) return true;
    add_finding(
        name, kMacUnique, "Duplicate",
        other->mac.to_string() + " is the VTEP MAC of " + std::string(other->node) +
            ": delete flannel.1 on the newer of the two, whose disk was copied, and restart flannel there");
    return false;
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
    sys_seconds last = *removed;
    for (const FreedCidr& each : object.freed) last = std::max(last, each.since);
    const seconds left = last + options_.cidr_quarantine - now_;
    if (left > seconds::zero()) return look_again_in(left);
    step.verb = NetworkVerb::kForget;
    out_.steps.push_back(std::move(step));
  }

  void plan_node(const std::string& name, const SeenNode& node) {
    if (!node.fault.empty()) return add_finding(name, kReadable, "NodeUnreadable", "the Node: " + node.fault);
    if (sight_.moment_of(name).contested_for > seconds::zero()) return plan_contested(name);
    if (node.contradicts) {
      add_finding(name, kPoolClear, "LabelsContradict",
                  "the labels of the Node name more than one pool: leave that which it is in");
    }
    if (node.pod_cidrs.empty()) return plan_cidrs(name, node);
    check_cidrs(name, node);
    check_address(name);
    plan_object(name, node);
  }

  // Whatever is written for one of the two would be the other's as well: peers keep what they know.
  void plan_contested(const std::string& name) {
    add_finding(
        name, kNameUnique, "TwoMachines",
        "two machines run as this node, and each overwrites what the other tells: stop kubelet on one, give "
        "it another name (--hostname-override), delete its flannel.1 and let it join again");
    look_again_in(sight_.moment_of(name).contested_for);
  }

  void check_cidrs(const std::string& name, const SeenNode& node) {
    for (const Cidr& cidr : node.pod_cidrs) {
      if (const CidrHolders::Holder* other = giver_.other(cidr, name)) {
        add_finding(name, kCidrsUnique, "Overlap",
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
        add_finding(name, kCidrsOfPool, "OutsideOfPool",
                    cidr.to_string() + " is in none of the ranges of pool " + node.pool + " (" +
                        names_of(pool->second.cidrs) + "): its gateways do not route it");
      }
    }
  }

  void check_address(const std::string& name) {
    const SeenObject* object = object_of(name);
    if (object == nullptr || !object->removed_at.empty()) return;
    const std::optional<AddressHolders::Shared> shared = addresses_.shared(name, object->network);
    if (!shared) return;
    add_finding(name, kAddressUnique, "Duplicate",
                shared->address.to_string() + " is the public address of " + name_list(shared->others) +
                    ", too, and what peers send to it arrives at one machine: " + kSharedAddressCure);
  }

  // What it was allotted last is the Node's of an earlier life: flanneld has not told the new one.
  void check_claim(const std::string& name, const SeenNode& node, const SeenObject& object) {
    const std::vector<Cidr>& claimed = object.network.pod_cidrs;
    if (object.mirrored || claimed.empty() || claimed == node.pod_cidrs || claimed == object.allotted) return;
    add_finding(name, kCidrsOfNode, "NotOfNode",
                "its NodeNetworkConfiguration claims " + names_of(claimed) + ", its Node has " +
                    names_of(node.pod_cidrs) + ": find out who wrote it, and restart flanneld there");
  }

  bool claims_of_another(const std::string& name, const SeenNode& node, const SeenObject& object) {
    return !object.mirrored && std::ranges::any_of(object.network.pod_cidrs, [&](const Cidr& claimed) {
      const bool is_its_own = std::ranges::find(node.pod_cidrs, claimed) != node.pod_cidrs.end();
      return !is_its_own && giver_.other(claimed, name) != nullptr;
    });
  }

  // Peers would send there what is the other's. A node can claim what it likes before its object was seen
  // here for the first time; from then on it is refused (admission policy).
  void correct(const std::string& name, const SeenNode& node, const SeenObject& object) {
    out_.steps.push_back({.verb = NetworkVerb::kCorrect,
                          .node = name,
                          .uid = object.id.uid,
                          .resource_version = object.id.resource_version,
                          .cidrs = node.pod_cidrs});
  }

  void plan_cidrs(const std::string& name, const SeenNode& node) {
    if (node.leaving || node.contradicts) return;
    CidrGiver::Given given = giver_.give(name, node);
    if (given.again_in) look_again_in(*given.again_in);
    if (given.finding) out_.findings[name].push_back(*std::move(given.finding));
    if (given.cidrs.empty()) return;
    out_.steps.push_back({.verb = NetworkVerb::kGiveCidrs,
                          .node = name,
                          .uid = node.id.uid,
                          .resource_version = node.id.resource_version,
                          .cidrs = std::move(given.cidrs)});
  }

  void plan_object(const std::string& name, const SeenNode& node) {
    const SeenObject* object = object_of(name);
    if (object != nullptr && !object->fault.empty()) {
      return add_finding(name, kReadable, "ObjectUnreadable",
                         "the NodeNetworkConfiguration: " + object->fault);
    }
    if (!node.untold.empty()) return add_finding(name, kAnnotationsUsable, "Unreadable", node.untold);
    if (object != nullptr && !object->removed_at.empty()) return plan_return(name, node, *object);
    if (object != nullptr) check_claim(name, node, *object);
    if (object != nullptr && claims_of_another(name, node, *object)) return correct(name, node, *object);
    if (object != nullptr && !object->mirrored) take_macs(name, object->network);
    if (node.told) return mirror(name, node, object);
    if (object != nullptr) annotate(name, node, *object);
  }

  // A tombstone whose Node is back. Peers hear of it again when it says what is true of the node now, and
  // what it said before is kept from others.
  void plan_return(const std::string& name, const SeenNode& node, const SeenObject& object) {
    if (object.allotted != node.pod_cidrs) return;
    const std::optional<IpAddress>& address = object.network.public_ip;
    const bool is_there = address && std::ranges::find(node.addresses, *address) != node.addresses.end();
    const bool is_true =
        object.network.pod_cidrs == node.pod_cidrs && (object.node_uid == node.id.uid || is_there);
    if (!is_true) return node.told ? mirror(name, node, &object) : void();
    out_.steps.push_back({.verb = NetworkVerb::kRevive,
                          .node = name,
                          .uid = object.id.uid,
                          .resource_version = object.id.resource_version});
  }

  // An upstream node's data become its object. An object that flanneld keeps is left to it.
  void mirror(const std::string& name, const SeenNode& node, const SeenObject* object) {
    if (object != nullptr && !object->mirrored) return adopt(name, node, *object);
    if (giver_.is_refused(name)) return;
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
    if (!is_astray(node, object)) return;
    const seconds astray = sight_.moment_of(name).astray_for;
    if (astray < options_.adopt_after) return look_again_in(options_.adopt_after - astray);
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
  CidrGiver giver_;
  MacHolders macs_;
  const AddressHolders addresses_;
};

}  // namespace

NetworkPlan plan_networks(const NetworkSight& sight, const NetworkPlanOptions& options, sys_seconds now) {
  return Planner(sight, options, now).plan();
}

}  // namespace holdfast::flannel
