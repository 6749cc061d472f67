#pragma once

#include <map>
#include <set>
#include <string>

#include "egw-gateway/controller/pool_plan.h"

namespace holdfast::gateway {

template <class Map>
const typename Map::mapped_type* find_in(const Map& map, const typename Map::key_type& name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : &found->second;
}

/// Empty: there is none.
[[nodiscard]] std::string value_in(const Text& text, const char* key);

/// A pool's own objects, as they are seen. Null: there is none, or it is somebody else's. They are the
/// ClusterSight's, which outlives it.
struct SeenPool {
  const SeenGateway* gateway = nullptr;
  const SeenSecret* keys = nullptr;
  const SeenSecret* liveness = nullptr;
  const OwnedObject* budget = nullptr;
  const OwnedObject* helper = nullptr;
  std::map<std::string, const SeenDeployment*> cores{};  ///< of every gateway
  std::set<ObjectKey> foreign{};  ///< somebody else's that have the name of one of ours

  [[nodiscard]] bool has_anything() const;
  /// Packets may go by what stands.
  [[nodiscard]] bool started() const;
  /// Nobody goes by what stands: it may become another, or be another pool's.
  [[nodiscard]] bool is_bare() const;
  [[nodiscard]] bool is_foreign(Kind kind, const std::string& name) const {
    return foreign.contains({kind, name});
  }
};

[[nodiscard]] SeenPool see_pool(const ClusterSight& cluster, const std::string& pool);

}  // namespace holdfast::gateway
