#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cni-flannel/controller/network_controller.h"
#include "test/fakes/log_lines.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::flannel::test {

inline constexpr const char* kNodes = "/api/v1/nodes/";
inline constexpr const char* kObjects = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/";
inline constexpr const char* kPools = "/apis/apps.openyurt.io/v1beta1/nodepools/";

/// An API server with NodeNetworkConfigurations, and a controller that gives parts of 10.244.0.0/16.
struct ControllerScene : holdfast::test::HttpScene {
  ControllerScene();

  /// Another life of the controller; the one before ends as by kill -9.
  void start(const std::string& identity = "one");
  void die() { controller.reset(); }
  /// A second one beside it.
  void start_rival(const std::string& identity);
  /// From then on the server has NodePools.
  void serve_pools();
  void put_pool(const std::string& pool, const std::string& pod_cidrs, const std::string& most = "");
  void put_node(const std::string& node, const std::string& pool = "default");
  /// What an upstream flannel writes there; an empty address is the node's alone.
  void run_upstream(const std::string& node, const std::string& mac, const std::string& public_ip = "");

  /// null: there is none.
  [[nodiscard]] nlohmann::json at(const std::string& path);
  /// "": none.
  [[nodiscard]] std::string cidr_of(const std::string& node);
  /// "TYPE/REASON" of the condition in its object's status that is False; "": none.
  [[nodiscard]] std::string told_of(const std::string& node);
  [[nodiscard]] std::size_t count_requests(const std::string& begin);
  /// That change what others see: all but Events and the Lease.
  [[nodiscard]] std::size_t count_writes();

  holdfast::test::ApiServer server{*loop};
  holdfast::test::LogLines log;
  NetworkController::Options options;
  std::unique_ptr<kube::CurlHttp> watches;
  std::unique_ptr<kube::ObjectClient> client;
  std::unique_ptr<NetworkController> controller;
  std::unique_ptr<kube::CurlHttp> rival_watches;
  std::unique_ptr<kube::ObjectClient> rival_client;
  std::unique_ptr<NetworkController> rival;

 private:
  [[nodiscard]] IpAddress own_address(const std::string& node);
  [[nodiscard]] std::unique_ptr<kube::CurlHttp> new_watches();
  [[nodiscard]] std::unique_ptr<kube::ObjectClient> new_client();
  [[nodiscard]] std::unique_ptr<NetworkController> new_controller(const std::string& identity,
                                                                  kube::CurlHttp& of_watches,
                                                                  kube::ObjectClient& of_calls);

  std::map<std::string, IpAddress> addresses_;  // by node
};

}  // namespace holdfast::flannel::test
