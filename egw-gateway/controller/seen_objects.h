#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/node_pools.h"
#include "common/kube/object.h"
#include "egw-gateway/model/edge_gateway.h"

/// Objects of the cluster, as far as egw-controller looks at them. What cannot be used in one is told by the
/// plan, not by these.
namespace holdfast::gateway {

using Text = std::map<std::string, std::string>;

using kube::NodePool;

struct PoolNode {
  kube::ObjectId id{};
  std::string pool{};                  ///< that it is in; empty: none
  std::vector<std::string> desired{};  ///< pools that labels want it in, each once
  std::string arch{};
  bool leaving = false;                ///< it is being deleted
  bool heard = true;                   ///< of its kubelet, by the cloud
  std::vector<IpAddress> addresses{};  ///< its own
  std::vector<Cidr> pod_cidrs{};
};

/// What all objects of ours have.
struct OwnedObject {
  kube::ObjectId id{};
  std::string pool{};  ///< empty: it is not ours
  std::string wanted{};
  std::int64_t generation = 0;
  bool leaving = false;
};

struct SeenDeployment : OwnedObject {
  bool available = false;  ///< a pod of its present template is
};

struct SeenSecret : OwnedObject {
  Text annotations{};
  Text data{};  ///< as it is in the object: base64
};

struct SeenGateway : OwnedObject {
  Text annotations{};
  EdgeGateway spec{};     ///< empty when it cannot be read
  std::string trouble{};  ///< why it cannot; empty: it can
  EdgeGatewayStatus status{};
  /// Public keys of the pool's gateways that each access point says it takes, by its name.
  std::map<std::string, std::set<std::string>> taken_keys{};
};

/// Of egw-core.
struct CorePod {
  kube::ObjectId id{};
  std::string pool{};
  std::string gateway{};
  std::string node{};
  bool placed = false;                 ///< it has a node and an address, and is not being deleted
  bool ready = false;                  ///< besides
  std::vector<IpAddress> addresses{};  ///< one of a family
};

/// What a watch is to keep of each.
[[nodiscard]] kube::KeptFields node_fields();
[[nodiscard]] kube::KeptFields gateway_fields();
[[nodiscard]] kube::KeptFields deployment_fields();
[[nodiscard]] kube::KeptFields owned_fields();
[[nodiscard]] kube::KeptFields secret_fields();
[[nodiscard]] kube::KeptFields pod_fields();

/// Errors: kInvalidArgument or kDataLoss, for members of another type than the API's. An EdgeGateway whose
/// spec cannot be read is there all the same.
[[nodiscard]] Result<PoolNode> decode_pool_node(const JsonObject& object);
[[nodiscard]] Result<OwnedObject> decode_owned(const JsonObject& object);
[[nodiscard]] Result<SeenDeployment> decode_deployment(const JsonObject& object);
[[nodiscard]] Result<SeenSecret> decode_secret(const JsonObject& object);
[[nodiscard]] Result<SeenGateway> decode_seen_gateway(const JsonObject& object);
[[nodiscard]] Result<CorePod> decode_core_pod(const JsonObject& object);

}  // namespace holdfast::gateway
