#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "test/cni-flannel/daemon/cluster_objects.h"
#include "test/cni-flannel/daemon/flanneld_node.h"
#include "test/kube_server/api_server_thread.h"

namespace holdfast::test {

/// Three nodes on one LAN, node1 to node3, whose flanneld asks an API server at 192.168.77.200, which has a
/// Node with a podCIDR for each. None runs yet.
struct CloudCluster {
  CloudCluster();

  /// Starts them with a source, and waits until each is ready with the two others.
  void start_all(const std::string& source, const std::vector<std::string>& more = {});
  void start(FlanneldNode& node, const std::string& source, const std::vector<std::string>& more = {}) const;
  /// Another server at the same address, which knows no Node yet.
  void replace_server();
  void define_kind();
  /// All nodes join, and end; then there is an API server of another cluster, which has the kind.
  void start_and_stop_beside_another_cluster();
  void put_nodes();

  template <class Work>
  auto with_api(Work work) {
    return api->with(std::move(work));
  }
  [[nodiscard]] std::size_t count_requests(const std::string& begin) const;
  /// Ends all watches and connections, and no watch goes on from before: lists are needed.
  void break_watches() const;
  /// Between a node and the server.
  static void cut(const FlanneldNode& node) {
    static_cast<void>(node.run("ip route add unreachable 192.168.77.200"));
  }
  static void join(const FlanneldNode& node) {
    static_cast<void>(node.run("ip route del unreachable 192.168.77.200"));
  }
  [[nodiscard]] static bool reaches_api(const FlanneldNode& node) {
    return node.metric("flanneld_source_reachable") == 1;
  }

  TemporaryFolder home;
  Lan lan;
  std::unique_ptr<ApiServerThread> api;
  FlanneldNode one{lan, home.path(), 1};
  FlanneldNode two{lan, home.path(), 2};
  FlanneldNode three{lan, home.path(), 3};
  std::array<FlanneldNode*, 3> nodes{&one, &two, &three};
};

}  // namespace holdfast::test
