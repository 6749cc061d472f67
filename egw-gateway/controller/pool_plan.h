#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "egw-gateway/controller/connections.h"
#include "egw-gateway/controller/gateway_keys.h"
#include "egw-gateway/controller/pool_objects.h"
#include "egw-gateway/controller/pool_request.h"
#include "egw-gateway/controller/pool_tunnels.h"
#include "egw-gateway/controller/seen_objects.h"

/// What is to be written for a pool, one step after the other:
///
///     nothing --enhanced--> EdgeGateway --two amd64 nodes, no fault--> Secrets --> budget, egw-core twice
///     --> egw-helper
///     --annotations or NodePool gone for `removal_grace`--> EdgeGateway away --kHelpersTime--> all else away
///
/// No step is planned before what it stands on has been seen, so a death between any two of them is one more
/// look. Once there is an egw-core nothing is taken away on account of a fault: what stands is kept up with
/// what was last right.
///
/// A new template goes to the gateway that is not active first, and to one that works, or may as its node is
/// not heard, only while the other does: a site that is cut off keeps both as they are. The helpers follow
/// when both gateways run with theirs.
namespace holdfast::gateway {

/// All of the cluster that matters, by name. Complete: what is not there does not exist.
struct ClusterSight {
  const std::map<std::string, NodePool>& pools;
  const std::map<std::string, PoolNode>& nodes;
  const std::map<std::string, SeenGateway>& gateways;
  const std::map<std::string, SeenDeployment>& deployments;
  const std::map<std::string, OwnedObject>& helpers;
  const std::map<std::string, OwnedObject>& budgets;
  const std::map<std::string, SeenSecret>& secrets;
  const std::map<std::string, CorePod>& pods;
  /// Of the controller's configuration, or what is wrong with it.
  const Result<std::vector<Connection>>& connections;
  /// What this process has given to pools, written or not.
  const std::map<std::string, PoolTunnels>& given;
};

enum class Kind : std::uint8_t { kEdgeGateway, kSecret, kBudget, kDeployment, kDaemonSet };
[[nodiscard]] const char* to_string(Kind kind);

using ObjectKey = std::pair<Kind, std::string>;  ///< and its name

/// What was done before, by this process.
struct PoolMemory {
  std::map<ObjectKey, std::int64_t> applied{};  ///< their generations then: another is somebody's change
  std::chrono::nanoseconds gone_for{};          ///< the pool is not enhanced any more
  std::chrono::nanoseconds gateway_absent_for{};
  std::optional<EdgeGateway> spec{};  ///< of the EdgeGateway, when it could last be read
};

/// Within it every node that runs has the new key of its pool's liveness: a kubelet that the cloud hears
/// takes a minute or two, one at a site that is cut off has until the site is back.
inline constexpr std::chrono::seconds kKeyOverlap = std::chrono::hours(24);

/// How old keys of tunnels become: then new ones are made.
inline constexpr std::chrono::seconds kKeyLifetime = std::chrono::hours(90 * 24);
/// Within it access points that run take keys that are offered.
inline constexpr std::chrono::seconds kOfferTime = std::chrono::minutes(10);

struct PlanOptions {
  ObjectOptions objects{};
  /// Of addresses inside tunnels: one a family at most. A family without has no edge nodes in the VPC.
  std::vector<Cidr> tunnel_ranges{};
  std::chrono::nanoseconds removal_grace = std::chrono::hours(1);
  std::chrono::seconds key_overlap = kKeyOverlap;  ///< liveness_keys.h
  /// Of a Service of the cluster, by which it is seen whether Services are among what is reached in the
  /// cloud.
  std::optional<IpAddress> service{};
  std::chrono::seconds key_lifetime = kKeyLifetime;  ///< 0: for ever
};

/// From the end of the EdgeGateway to that of the helpers, which take their routes away meanwhile (egw-helper
/// --removal-delay, and a watch that comes late).
inline constexpr std::chrono::seconds kHelpersTime{120};

enum class Verb : std::uint8_t {
  kApply,  ///< makes it or changes it
  kApplyStatus,
  kCreate,   ///< never changes one that is there
  kReplace,  ///< that of its resourceVersion
  kRemove,
};

struct Step {
  Verb verb{};
  Kind kind{};
  std::string name{};
  nlohmann::json object{};  ///< kRemove: null
  std::string uid{};        ///< of the life that was seen; empty: there was none

  [[nodiscard]] ObjectKey key() const { return {kind, name}; }
};

struct PoolPlan {
  std::vector<Step> steps{};        ///< none stands on another
  std::vector<PoolFinding> news{};  ///< that the EdgeGateway's conditions do not have: for Events
  std::vector<PoolFinding> findings{};
  std::optional<PoolTunnels> tunnels{};  ///< that the pool has, or is given
  bool gone = false;                     ///< PoolMemory::gone_for is to be counted
  std::optional<std::chrono::nanoseconds> again_in{};
};

/// Those that have a NodePool, or anything of ours.
[[nodiscard]] std::vector<std::string> pools_of(const ClusterSight& cluster);

/// `fresh`: used where keys are to be made. `now`: RFC 3339, for conditions. Pure.
[[nodiscard]] PoolPlan plan_pool(const ClusterSight& cluster, const std::string& pool,
                                 const PoolMemory& memory, const PlanOptions& options, const FreshKeys& fresh,
                                 const std::string& now);

}  // namespace holdfast::gateway
