#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "egw-gateway/controller/pool_names.h"
#include "egw-gateway/controller/pool_plan.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway::test {

inline constexpr const char* kConnections = R"(
- cenId: cen-1
  ccnId: ccn-1
  ccnRegion: cn-shanghai
  vpcCIDRs: [172.16.0.0/12]
  cloudPodCIDRs: [10.100.0.0/16]
  accessPoints:
    - {name: one, address: 203.0.113.9, port: 51820, publicKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}
)";

/// The annotations of an enhanced pool.
Text enhanced(const std::string& pod_cidrs = "10.244.0.0/16");

/// A cluster that does what a plan says, with two nodes in the pool "site".
class PlanScene {
 public:
  PlanScene();

  void put_pool(const std::string& name, const Text& annotations, const std::string& type = "Edge");
  void put_node(const std::string& name, const std::string& pool, const std::string& arch = "amd64");
  /// Makes gateway a or b of the pool run on the node, or not.
  void run(const std::string& gateway, const std::string& node, const std::string& address);
  void stop(const std::string& gateway);

  [[nodiscard]] PoolPlan plan(const std::string& pool = "site") const;
  /// Does the first step; false: there is none.
  bool step(const std::string& pool = "site");
  /// Until there is none, and tells what was done: "apply Deployment site-a".
  std::vector<std::string> settle(const std::string& pool = "site");

  [[nodiscard]] const GatewayCondition& condition(const std::string& type) const;
  /// All objects of ours, by kind and name.
  [[nodiscard]] std::vector<std::string> objects() const;

  std::map<std::string, NodePool> pools;
  std::map<std::string, PoolNode> nodes;
  std::map<std::string, SeenGateway> gateways;
  std::map<std::string, SeenDeployment> deployments;
  std::map<std::string, OwnedObject> helpers;
  std::map<std::string, OwnedObject> budgets;
  std::map<std::string, SeenSecret> secrets;
  std::map<std::string, CorePod> pods;
  Result<std::vector<Connection>> connections = parse_connections(kConnections);
  std::map<std::string, PoolTunnels> given;
  PoolMemory memory;
  PlanOptions options{.objects = {.name_space = "egw-gateway", .image = "holdfast"},
                      .tunnel_ranges = {Cidr::parse("198.19.0.0/29").value()}};
  std::string now = "2026-01-01T00:00:00Z";
  std::map<ObjectKey, nlohmann::json> written;  ///< what each object was made of last

 private:
  void apply(const Step& step);
  void remove(const Step& step);

  int lives_ = 0;
};

}  // namespace holdfast::gateway::test
