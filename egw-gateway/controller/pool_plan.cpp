#include "egw-gateway/controller/pool_plan.h"

#include <set>

#include "egw-gateway/controller/pool_planner.h"

namespace holdfast::gateway {

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::kEdgeGateway:
      return "EdgeGateway";
    case Kind::kSecret:
      return "Secret";
    case Kind::kBudget:
      return "PodDisruptionBudget";
    case Kind::kDeployment:
      return "Deployment";
    case Kind::kDaemonSet:
      return "DaemonSet";
  }
  return "";
}

std::vector<std::string> pools_of(const ClusterSight& cluster) {
  std::set<std::string> names;
  for (const auto& [name, pool] : cluster.pools) names.insert(name);
  const auto add_owned = [&](const auto& objects) {
    for (const auto& [name, object] : objects) {
      if (!object.pool.empty()) names.insert(object.pool);
    }
  };
  add_owned(cluster.gateways);
  add_owned(cluster.deployments);
  add_owned(cluster.helpers);
  add_owned(cluster.budgets);
  add_owned(cluster.secrets);
  return {names.begin(), names.end()};
}

PoolPlan plan_pool(const ClusterSight& cluster, const std::string& pool, const PoolMemory& memory,
                   const PlanOptions& options, const FreshKeys& fresh, const std::string& now) {
  return PoolPlanner(cluster, pool, memory, options, fresh, now).plan();
}

}  // namespace holdfast::gateway
