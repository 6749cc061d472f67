#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "egw-gateway/controller/pool_keys.h"
#include "egw-gateway/controller/pool_plan.h"
#include "egw-gateway/controller/seen_pool.h"

namespace holdfast::gateway {

/// Plans for one pool: what plan_pool() does, in its parts. What one part finds the next is handed; what is
/// kept are the facts that all begin with, and the plan, which is added to and read by the status alone.
///
///     pool_planner.cpp            the order of it all, the status, and the end of a pool
///     pool_planner_looks.cpp      what is found wrong with the pool
///     pool_planner_keys.cpp       what its Secrets are to be
///     pool_planner_objects.cpp    what its other objects are to be
class PoolPlanner {
 public:
  PoolPlanner(const ClusterSight& cluster, const std::string& pool, const PoolMemory& memory,
              const PlanOptions& options, const FreshKeys& fresh, const std::string& now);

  /// Once.
  PoolPlan plan();

 private:
  using Tunnels = std::optional<PoolTunnels>;  // nullopt: none could be given
  using Keys = std::optional<PoolKeys>;        // as the Secret holds them; nullopt: they cannot be read

  /// What the EdgeGateway is written from.
  struct GatewayInputs {
    const PoolRequest& request;
    const Connection* connection = nullptr;  // null while something is wrong: ranges stay as they are
    const Tunnels& tunnels;
    const Keys& keys;
  };

  void keep_up(const PoolRequest& request);
  void let_go(bool pool_there);
  void tell_as_it_is();
  // Conditions, and what of them is new.
  void tell(const std::vector<Gateway>& gateways, const std::vector<std::string>& ready);
  void find(const char* type, const char* reason, std::string message) {
    out_.findings.push_back({type, reason, std::move(message)});
  }
  // At the earliest of all that ask for it.
  void look_again_in(std::optional<std::chrono::nanoseconds> time);

  [[nodiscard]] Text kept_annotations() const;
  // Of the EdgeGateway as it is, or as it was while it was there and could be read; nullopt: that is not
  // known.
  [[nodiscard]] std::optional<EdgeGateway> last_spec() const;
  [[nodiscard]] std::vector<Gateway> gateways() const;
  [[nodiscard]] std::chrono::sys_seconds clock() const;

  // Each tells what it finds wrong. Null: there is none to be used.
  const Connection* look_for_connection(const PoolRequest& request);
  // Whether the pool's ranges are nobody else's.
  bool look_for_overlaps(const PoolRequest& request, const Connection* connection);
  void look_at_services(const Connection& connection);
  // Whether gateways have nodes enough to run on.
  bool look_at_nodes(const PoolRequest& request);
  // Whether the node's labels name one pool.
  bool look_at_labels(const PoolNode& node);
  void look_for_moved_gateways();
  void look_at_objects();
  // As kept with the EdgeGateway, else with the keys, else given now.
  Tunnels look_for_tunnels();
  // Whether no pod has an address of a tunnel's.
  bool look_at_tunnels(const PoolTunnels& tunnels, const PoolRequest& request);
  // Whether all access points have a port for each tunnel.
  bool look_at_ports(const PoolTunnels& tunnels, const Connection& connection);
  // Which gateways are ready.
  std::vector<std::string> look_at_gateways();
  [[nodiscard]] Tunnels kept_tunnels() const;
  [[nodiscard]] TakenTunnels taken_tunnels() const;
  [[nodiscard]] std::vector<OtherRange> ranges_of_others() const;
  [[nodiscard]] bool yields_to_us(const std::string& other) const;

  Keys keep_up_keys(const Tunnels& tunnels);
  void look_at_age(const PoolKeys& keys, const Tunnels& tunnels);
  void look_at_offer(const PoolKeys& keys, const Tunnels& tunnels);
  // Access points that do not say that they take what is offered.
  [[nodiscard]] std::vector<std::string> slow_access_points(const PoolKeys& keys) const;
  void make_keys(const std::string& name, const Tunnels& tunnels);
  void replace_keys(const PoolKeys& keys, const Tunnels& tunnels);
  void keep_up_liveness();
  void create_secret(const std::string& name, const Text& annotations, const Text& data);
  void replace_secret(const SeenSecret& seen, const Text& annotations, const Text& data);

  Keys keep_up_objects(const Tunnels& tunnels);
  void keep_up_cores(std::uint64_t key_number);
  // Whether it has to be written.
  bool keep_up_one(Kind kind, const std::string& name, const OwnedObject* seen, nlohmann::json wanted);
  void keep_up_gateway(const GatewayInputs& inputs);
  // nullopt: nothing is known that could be written.
  [[nodiscard]] std::optional<EdgeGateway> wanted_spec(const GatewayInputs& inputs) const;
  [[nodiscard]] Text wanted_annotations(const GatewayInputs& inputs) const;
  // What access points need of a gateway. Lost keys stay published until gateways have others.
  void complete(Gateway& gateway, const GatewayInputs& inputs) const;
  [[nodiscard]] std::vector<std::string> public_keys_of(const std::string& gateway, const Keys& keys) const;
  // By which gateways tell nodes' packets from pods'.
  [[nodiscard]] std::vector<PoolMember> members() const;
  // What is known of lost keys is what tells their successors' number. Empty: there were none.
  [[nodiscard]] std::string key_number(const Keys& keys) const;
  [[nodiscard]] nlohmann::json core_of(const std::string& gateway, std::uint64_t key_number) const;
  [[nodiscard]] bool both_run_with(std::uint64_t key_number) const;
  // It is available, or the cloud knows nothing of it: its node is not heard.
  [[nodiscard]] bool may_work(const std::string& gateway, const SeenDeployment* core) const;
  [[nodiscard]] bool is_applied(Kind kind, const OwnedObject& seen, const nlohmann::json& wanted) const;
  void add_apply(Kind kind, const std::string& name, const OwnedObject* seen, nlohmann::json object);
  void add_remove(Kind kind, const OwnedObject* seen);

  const ClusterSight& cluster_;
  const std::string& pool_;
  const PoolMemory& memory_;
  const PlanOptions& options_;
  const FreshKeys& fresh_;
  const std::string& now_;
  const SeenPool seen_;
  PoolPlan out_;
};

}  // namespace holdfast::gateway
