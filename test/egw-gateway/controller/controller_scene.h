#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "egw-gateway/controller/pool_controller.h"
#include "test/fakes/log_lines.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::gateway::test {

inline constexpr const char* kOwn = "/api/v1/namespaces/egw-gateway/";
inline constexpr const char* kApps = "/apis/apps/v1/namespaces/egw-gateway/";
inline constexpr const char* kEdgeGateways = "/apis/net.holdfast.dev/v1alpha1/edgegateways/";

/// An API server with the pool "site" of two nodes, a stand-in for what makes pods of Deployments, and a
/// controller.
struct ControllerScene : holdfast::test::HttpScene {
  /// `pool_version`: the newest in which NodePools are served.
  explicit ControllerScene(std::string pool_version = "v1beta1");

  /// Another life of the controller; the one before ends as by kill -9.
  void start(const std::string& identity = "one");
  void die() { controller.reset(); }
  /// Of NodePools, in the version that is served.
  [[nodiscard]] std::string pool_path(const std::string& pool) const;
  void put_pool(const std::string& pool, const std::string& pod_cidrs);
  void put_node(const std::string& node, const std::string& pool);
  /// Pods of the newest templates are ready.
  void run_pods();
  /// All is as it should be, with both gateways ready.
  void turn_until_settled();
  [[nodiscard]] bool is_settled();

  /// null: there is none.
  [[nodiscard]] nlohmann::json at(const std::string& path);
  [[nodiscard]] std::string reason(const std::string& condition);
  [[nodiscard]] std::size_t count_requests(const std::string& begin);
  /// That change what is ours: all but Events and the Lease.
  [[nodiscard]] std::size_t count_writes();

  holdfast::test::ApiServer server{*loop};
  holdfast::test::LogLines log;
  std::string version;
  PoolController::Options options;
  std::unique_ptr<kube::CurlHttp> watches;
  std::unique_ptr<kube::ObjectClient> client;
  std::unique_ptr<PoolController> controller;
};

}  // namespace holdfast::gateway::test
