#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/daemon/node_network.h"
#include "common/base/json.h"
#include "common/base/result.h"

/// A node's network data as an object of its own, cluster-scoped and named after the node:
///
///     apiVersion: net.holdfast.dev/v1alpha1
///     kind: NodeNetworkConfiguration
///     metadata: {name, uid, resourceVersion, generation}
///     spec:
///       flannel:
///         subnetKubeManaged   bool, absent means true
///         backendType         "vxlan"
///         backendData         {VNI, VtepMAC}
///         publicIP            publicIPOverwrite
///         podCidr             the first of podCIDRs, for readers that know one only
///         podCIDRs            publicIPv6  publicIPv6Overwrite  backendV6Data      (dual-stack)
///         leaseEpoch          grows with each new lease of the node
///       removedAt             set: the node is gone for good, its peers may forget it
///     status: {observedGeneration, conditions: [{type, status, reason, message, lastTransitionTime}],
///              cluster: {observedGeneration, podCIDRs, freed, conditions}}       by flannel-controller
namespace holdfast::flannel {

/// By what the API server tells one object, and one state of it, from another.
struct ObjectIdentity {
  std::string name;
  std::string uid;               ///< empty in a file
  std::string resource_version;  ///< empty in a file
  std::int64_t generation = 0;   ///< 0 where there is none

  bool operator==(const ObjectIdentity&) const = default;
};

struct NodeNetworkObject {
  ObjectIdentity identity;
  NodeNetwork network;
  std::string removed_at;  ///< RFC 3339; empty: the node is there

  bool operator==(const NodeNetworkObject&) const = default;
};

/// Source: Kubernetes API conventions, "Typical status properties".
struct Condition {
  std::string type;
  std::string status;  ///< "True", "False" or "Unknown"
  std::string reason;
  std::string message;
  std::string last_transition_time;  ///< RFC 3339

  bool operator==(const Condition&) const = default;
};

struct NodeNetworkStatus {
  std::int64_t observed_generation = 0;
  std::vector<Condition> conditions;

  bool operator==(const NodeNetworkStatus&) const = default;
};

/// metadata of any Kubernetes object. Errors: kInvalidArgument, also for no name.
[[nodiscard]] Result<ObjectIdentity> decode_identity(const JsonObject& object);

/// The same of what is named after a Node. Errors: also for what is no name of one (node_name.h).
[[nodiscard]] Result<ObjectIdentity> decode_node_identity(const JsonObject& object);

/// podCIDRs of `object`, or where there are none the one under `single_key`. Errors: kInvalidArgument, as
/// checked_pod_cidrs too.
[[nodiscard]] Result<std::vector<Cidr>> decode_pod_cidrs(const JsonObject& object,
                                                         std::string_view single_key);

/// Errors: kInvalidArgument, naming the member and the value; for another kind or group. Another version of
/// the group is read as this one.
[[nodiscard]] Result<NodeNetworkObject> decode_node_network(const JsonObject& object);
[[nodiscard]] Result<NodeNetworkStatus> decode_node_network_status(const JsonObject& object);
/// One of a status. Errors: kInvalidArgument.
[[nodiscard]] Result<Condition> decode_condition(const JsonField& field);

/// What is unset is left out; status is not part of it.
[[nodiscard]] nlohmann::json encode_node_network(const NodeNetworkObject& object);
[[nodiscard]] nlohmann::json encode_node_network_status(const NodeNetworkStatus& status);

/// What one document of a text held: the object, or why it cannot be used.
using DecodedDocument = Result<NodeNetworkObject>;
/// The objects of a file in YAML or JSON, as `kubectl get -o yaml` or an editor leaves them: documents
/// separated by ---, each an object or a List of them. One that cannot be used does not hide the others.
/// Errors: kInvalidArgument when the text is neither YAML nor JSON.
[[nodiscard]] Result<std::vector<DecodedDocument>> decode_node_network_documents(std::string_view text);

}  // namespace holdfast::flannel
