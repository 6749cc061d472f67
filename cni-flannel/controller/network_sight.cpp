#include "cni-flannel/controller/network_sight.h"

#include <algorithm>
#include <array>

namespace holdfast::flannel {

const SeenObject* NetworkSight::object_of(const std::string& node) const {
  const auto found = objects.find(node);
  return found == objects.end() ? nullptr : &found->second;
}

const NodeMoment& NetworkSight::moment_of(const std::string& node) const {
  static const NodeMoment nothing;
  const auto found = moments.find(node);
  return found == moments.end() ? nothing : found->second;
}

bool NetworkSight::has_part_of(const Cidr& cidr, const std::string& node) const {
  const auto overlaps = [&cidr](const Cidr& each) { return each.overlaps(cidr); };
  const auto found = nodes.find(node);
  if (found != nodes.end() && std::ranges::any_of(found->second.pod_cidrs, overlaps)) return true;
  const SeenObject* object = object_of(node);
  return object != nullptr && (std::ranges::any_of(object->network.pod_cidrs, overlaps) ||
                               std::ranges::any_of(object->allotted, overlaps) ||
                               std::ranges::any_of(object->freed, overlaps, &FreedCidr::cidr));
}

bool is_astray(const SeenNode& node, const SeenObject& object) {
  if (object.mirrored || object.node_uid.empty() || !object.fault.empty() || !node.told) return false;
  if (object.node_uid != node.id.uid) return true;
  return std::ranges::any_of(std::array{IpFamily::kV4, IpFamily::kV6}, [&](IpFamily family) {
    const std::optional<BackendData>& now = node.told->backend(family);
    const std::optional<BackendData>& before = object.network.backend(family);
    return node.told->public_address(family) != object.network.public_address(family) ||
           now.has_value() != before.has_value() || (now && now->vtep_mac != before->vtep_mac);
  });
}

}  // namespace holdfast::flannel
