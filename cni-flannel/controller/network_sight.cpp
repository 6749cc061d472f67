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

std::vector<Cidr> allotment(const NetworkSight& sight, const std::string& name) {
  const auto node = sight.nodes.find(name);
  const bool known = node != sight.nodes.end() && node->second.fault.empty() &&
                     sight.moment_of(name).contested_for == std::chrono::seconds::zero() &&
                     !node->second.pod_cidrs.empty();
  if (known) return node->second.pod_cidrs;
  const SeenObject* object = sight.object_of(name);
  return object == nullptr ? std::vector<Cidr>{} : object->allotted;
}

bool is_astray(const SeenNode& node, const SeenObject& object) {
  if (object.mirrored || !object.fault.empty() || !node.told) return false;
  return std::ranges::any_of(std::array{IpFamily::kV4, IpFamily::kV6}, [&](IpFamily family) {
    const std::optional<BackendData>& now = node.told->backend(family);
    const std::optional<BackendData>& before = object.network.backend(family);
    return node.told->public_address(family) != object.network.public_address(family) ||
           now.has_value() != before.has_value() || (now && now->vtep_mac != before->vtep_mac);
  });
}

}  // namespace holdfast::flannel
