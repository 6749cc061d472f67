#include "egw-gateway/controller/seen_pool.h"

#include <algorithm>

#include "egw-gateway/controller/pool_names.h"

namespace holdfast::gateway {

std::string value_in(const Text& text, const char* key) {
  const std::string* found = find_in(text, std::string(key));
  return found == nullptr ? "" : *found;
}

bool SeenPool::has_anything() const {
  return gateway != nullptr || keys != nullptr || liveness != nullptr || budget != nullptr ||
         helper != nullptr || started();
}

bool SeenPool::started() const {
  return std::ranges::any_of(cores, [](const auto& core) { return core.second != nullptr; });
}

bool SeenPool::is_bare() const {
  if (started() || helper != nullptr) return false;
  return gateway == nullptr || (gateway->trouble.empty() && gateway->spec.gateways.empty());
}

SeenPool see_pool(const ClusterSight& cluster, const std::string& pool) {
  SeenPool out;
  const auto ours = [&](const auto& objects, const std::string& name, Kind kind) {
    const auto* found = find_in(objects, name);
    if (found == nullptr || found->pool == pool) return found;
    out.foreign.insert({kind, name});
    return decltype(found){nullptr};
  };
  out.gateway = ours(cluster.gateways, pool, Kind::kEdgeGateway);
  out.keys = ours(cluster.secrets, keys_name(pool), Kind::kSecret);
  out.liveness = ours(cluster.secrets, liveness_name(pool), Kind::kSecret);
  out.budget = ours(cluster.budgets, pool, Kind::kBudget);
  out.helper = ours(cluster.helpers, helper_name(pool), Kind::kDaemonSet);
  for (const char* name : kGateways) {
    out.cores[name] = ours(cluster.deployments, deployment_name(pool, name), Kind::kDeployment);
  }
  return out;
}

}  // namespace holdfast::gateway
