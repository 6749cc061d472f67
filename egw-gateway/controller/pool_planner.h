#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "egw-gateway/controller/pool_keys.h"
#include "egw-gateway/controller/pool_plan.h"

namespace holdfast::gateway {

template <class Map>
const typename Map::mapped_type* find_in(const Map& map, const typename Map::key_type& name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : &found->second;
}

/// Empty: there is none.
[[nodiscard]] std::string value_in(const Text& text, const char* key);

/// Plans for one pool: what plan_pool() does, in its parts.
///
///     pool_planner.cpp            the order of it all, the status, and the end of a pool
///     pool_planner_looks.cpp      what is found wrong with the pool
///     pool_planner_objects.cpp    what its objects are to be
class PoolPlanner {
 public:
  PoolPlanner(const ClusterSight& cluster, const std::string& pool, const PoolMemory& memory,
              const PlanOptions& options, const FreshKeys& fresh, const std::string& now);

  PoolPlan plan();

 private:
  // Null, and told, when it is somebody else's.
  template <class Map>
  const typename Map::mapped_type* ours(const Map& map, const std::string& name, Kind kind) {
    const auto* found = find_in(map, name);
    if (found == nullptr || found->pool == pool_) return found;
    foreign_.insert({kind, name});
    return nullptr;
  }

  [[nodiscard]] bool has_anything() const;
  /// Packets may go by what stands.
  [[nodiscard]] bool started() const;
  /// Nobody goes by what stands: it may become another, or be another pool's.
  [[nodiscard]] bool is_bare() const;
  [[nodiscard]] Text kept_annotations() const;
  /// Of the EdgeGateway as it is, or as it was while it was there and could be read; nullopt: that is not
  /// known.
  [[nodiscard]] std::optional<EdgeGateway> last_spec() const;
  void find(const char* type, const char* reason, std::string message) {
    out_.findings.push_back({type, reason, std::move(message)});
  }
  void keep_up();

  // As kept with the EdgeGateway, else with the keys, else given now.
  void look_for_tunnels();
  [[nodiscard]] TakenTunnels taken_tunnels() const;
  const Connection* look_for_connection();
  void look_for_overlaps(const Connection* connection);
  [[nodiscard]] std::vector<OtherRange> ranges_of_others() const;
  [[nodiscard]] bool yields_to_us(const std::string& other) const;
  void look_at_services(const Connection& connection);
  // That the gateways to come can have what they are given.
  void look_at_tunnels(const Connection* connection);
  bool look_at_nodes();
  bool look_at_labels(const PoolNode& node);
  void look_for_moved_gateways();
  void look_at_gateways();
  [[nodiscard]] std::vector<Gateway> gateways() const;

  /// `connection`: none while something is wrong; then ranges stay as they are.
  void keep_up_gateway(const Connection* connection);
  // What access points need of a gateway. Lost keys stay published until gateways have others.
  void complete(Gateway& gateway) const;
  [[nodiscard]] std::vector<std::string> public_keys_of(const std::string& gateway) const;
  // By which gateways tell nodes' packets from pods'.
  [[nodiscard]] std::vector<PoolMember> members() const;
  // What is known of lost keys is what tells their successors' number.
  void tell_key_number(Text& annotations) const;
  void keep_up_objects();
  void keep_up_keys();
  void look_at_age(const std::string& word);
  void look_at_offer();
  // At the earliest of all that ask for it.
  void look_again_in(std::optional<std::chrono::nanoseconds> time);
  [[nodiscard]] std::chrono::sys_seconds clock() const;
  /// Access points that do not say that they take what is offered.
  [[nodiscard]] std::vector<std::string> slow_access_points() const;
  void keep_up_liveness();
  void make_keys(const std::string& name);
  void create_secret(const std::string& name, const Text& annotations, const Text& data);
  [[nodiscard]] Text with_tunnels(Text annotations) const;
  void replace_keys(const PoolKeys& keys);
  void replace_secret(const SeenSecret& seen, const Text& annotations, const Text& data);
  [[nodiscard]] bool takes_offer() const;
  [[nodiscard]] nlohmann::json core_of(const std::string& gateway, std::uint64_t number) const;
  [[nodiscard]] bool both_run_with(std::uint64_t number) const;
  /// It is available, or the cloud knows nothing of it: its node is not heard.
  [[nodiscard]] bool may_work(const std::string& gateway, const SeenDeployment* core) const;
  void keep_up_cores();
  void keep_up_one(Kind kind, const std::string& name, const OwnedObject* seen, nlohmann::json wanted);
  [[nodiscard]] bool is_foreign(Kind kind, const std::string& name) const;
  [[nodiscard]] bool is_applied(Kind kind, const OwnedObject& seen, const nlohmann::json& wanted) const;
  void add_apply(Kind kind, const std::string& name, const OwnedObject* seen, nlohmann::json object);

  // Conditions, and what of them is new.
  void tell(const std::vector<Gateway>& gateways);
  void let_go(bool pool_there);
  void tell_as_it_is();
  void add_remove(Kind kind, const OwnedObject* seen);

  const ClusterSight& cluster_;
  const std::string& pool_;
  const PoolMemory& memory_;
  const PlanOptions& options_;
  const FreshKeys& fresh_;
  const std::string& now_;
  std::set<ObjectKey> foreign_;
  const SeenGateway* gateway_ = nullptr;
  const SeenSecret* keys_secret_ = nullptr;
  const SeenSecret* liveness_secret_ = nullptr;
  const OwnedObject* budget_ = nullptr;
  const OwnedObject* helper_ = nullptr;
  std::map<std::string, const SeenDeployment*> cores_;
  PoolRequest request_;
  bool disjoint_ = false;
  bool unusable_ = false;  // the connection, for this pool
  std::optional<PoolKeys> keys_;
  std::vector<std::string> ready_;
  PoolPlan out_;
};

}  // namespace holdfast::gateway
