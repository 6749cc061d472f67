#include "cni-flannel/controller/allotment.h"

#include <algorithm>

namespace holdfast::flannel {
namespace {

using std::chrono::seconds;

bool overlaps(const std::vector<Cidr>& cidrs, const Cidr& cidr) {
  return std::ranges::any_of(cidrs, [&](const Cidr& each) { return each.overlaps(cidr); });
}

// Nullptr while it is not known what the Node has.
const SeenNode* known_node(const NetworkSight& sight, const std::string& name) {
  const auto node = sight.nodes.find(name);
  const bool known = node != sight.nodes.end() && node->second.fault.empty() &&
                     sight.moment_of(name).contested_for == seconds::zero() &&
                     !node->second.pod_cidrs.empty();
  return known ? &node->second : nullptr;
}

}  // namespace

std::vector<Cidr> former_cidrs(const SeenObject& object) {
  return object.allotted.empty() ? object.network.pod_cidrs : object.allotted;
}

Allotment allotment(const NetworkSight& sight, const std::string& name, seconds quarantine,
                    std::chrono::sys_seconds now) {
  const SeenObject* object = sight.object_of(name);
  const SeenNode* node = known_node(sight, name);
  if (object == nullptr) return {.cidrs = node == nullptr ? std::vector<Cidr>{} : node->pod_cidrs};
  // what a living node claims is no proof that it had it
  const bool gone = !object->removed_at.empty() || !sight.nodes.contains(name);
  const std::vector<Cidr> former = gone ? former_cidrs(*object) : object->allotted;
  Allotment out{.cidrs = node == nullptr ? former : node->pod_cidrs, .freed = object->freed};
  for (const Cidr& cidr : former) {
    if (std::ranges::find(out.freed, cidr, &FreedCidr::cidr) != out.freed.end()) continue;
    out.freed.push_back({.cidr = cidr, .since = now});
  }
  std::erase_if(out.freed, [&](const FreedCidr& each) {
    return each.since + quarantine <= now || overlaps(out.cidrs, each.cidr);
  });
  if (out.freed.size() > Allotment::kMostFreed) {
    out.freed.erase(out.freed.begin(), out.freed.end() - Allotment::kMostFreed);
  }
  return out;
}

}  // namespace holdfast::flannel
