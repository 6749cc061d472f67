#include "cni-flannel/daemon/own_documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cni-flannel/daemon/node_network_names.h"

namespace holdfast::flannel {
namespace {

using nlohmann::json;

constexpr const char* kNetworkCondition = "NetworkUnavailable";

}  // namespace

bool same_conditions(const std::vector<Condition>& a, const std::vector<Condition>& b) {
  return std::ranges::equal(a, b, [](const Condition& one, const Condition& other) {
    return one.type == other.type && one.status == other.status && one.reason == other.reason &&
           one.message == other.message;
  });
}

json applied_object(NodeNetwork own, const std::string& node_uid) {
  own.public_ip_overwrite.reset();
  own.public_ipv6_overwrite.reset();
  NodeNetworkObject object;
  object.identity.name = own.node;
  object.network = std::move(own);
  json out = encode_node_network(object);
  if (!node_uid.empty()) {
    out["metadata"]["annotations"] = {{kNodeUidAnnotation, node_uid}};
  }
  return out;
}

bool holds(const json& object, const json& wanted) {
  if (!wanted.is_object() || !object.is_object()) return object == wanted;
  return std::ranges::all_of(wanted.items(), [&](const auto& member) {
    return object.contains(member.key()) && holds(object[member.key()], member.value());
  });
}

bool network_is_up(const JsonObject& node) {
  const auto status = node["status"].object_or_empty();
  if (!status) return false;
  const auto conditions = (*status)["conditions"].array_or_empty();
  if (!conditions) return false;
  return std::ranges::any_of(*conditions, [](const JsonField& field) {
    const auto condition = field.object();
    return condition && (*condition)["type"].string_or("").value_or("") == kNetworkCondition &&
           (*condition)["status"].string_or("").value_or("") == "False";
  });
}

json network_up_status(const std::string& time) {
  return {{"conditions", json::array({{{"type", kNetworkCondition},
                                       {"status", "False"},
                                       {"reason", "FlannelIsUp"},
                                       {"message", "Flannel is running on this node"},
                                       {"lastHeartbeatTime", time},
                                       {"lastTransitionTime", time}}})}};
}

std::string leased_uid_of(const JsonObject& object) {
  const auto annotations = annotations_of(object);
  if (!annotations) return "";
  const auto found = annotations->find(std::string(kNodeUidAnnotation));
  return found == annotations->end() ? "" : found->second;
}

}  // namespace holdfast::flannel
