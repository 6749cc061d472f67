#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "test/cni-flannel/daemon/flanneld_node.h"
#include "test/egw-gateway/program.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::test {

/// Another network namespace that shell commands are run in.
struct Machine {
  Fd netns;
  Machine();
  std::string run(const std::string& command) const;
  [[nodiscard]] bool can(const std::string& command) const;
};

/// A pool of three nodes with flanneld (as an operator would run it: --ip-masq, kube-proxy's rule against
/// invalid connections, rp_filter=1 everywhere), a VPC, and two gateways between them:
///
///     node1  eth0 192.168.77.1  cni0 10.244.1.1   core a  10.244.1.7   172.16.0.11 ---+
///     node2       192.168.77.2       10.244.2.1   core b  10.244.2.7   172.16.0.12 ---+--- vpc 172.16.0.1
///     node3       192.168.77.3       10.244.3.1   pod     10.244.3.9
///
/// and the same with fd00:0:0:N:: and fd00:20::. The VPC answers by `return_by`. A core forwards as it is;
/// only its liveness is spoken by a program, bfd_peer.
class GatewayScene {
 public:
  GatewayScene();

  /// Starts egw-helper on node `number`, 1..3.
  void start_helper(int number, const std::vector<std::string>& more = {});
  void start_all();
  /// The same with liveness that is signed with `text`, as key 1 of the file `home`/keys.
  void start_with_key(const std::string& text);
  void publish(const std::string& more = "") const;
  void unpublish() const;

  /// Makes `machine` a pod of node `number`: 10.244.NUMBER.HOST.
  void plug(const Machine& machine, int number, int host);
  void start_core(char name);
  /// Where the VPC sends what is for pods.
  void return_by(char name) const;

  [[nodiscard]] FlanneldNode& node(int number) { return *nodes[static_cast<std::size_t>(number - 1)]; }
  [[nodiscard]] Program& core(char name) { return cores[name == 'a' ? 0 : 1]; }
  [[nodiscard]] Program& helper(int number) { return helpers[static_cast<std::size_t>(number - 1)]; }
  [[nodiscard]] std::string helper_log(int number);
  /// A page of egw-helper on that node.
  [[nodiscard]] std::string page(int number, const std::string& path);
  [[nodiscard]] double metric(int number, const std::string& name);
  [[nodiscard]] bool routes_to(int number, char gateway);
  /// Packets for the VPC that left node `number` by its uplink outside of a tunnel.
  [[nodiscard]] int leaked(int number);
  /// Whether the pod on node 3 gets an answer from the VPC.
  [[nodiscard]] bool reaches() { return pod.can("ping -c 1 -W 0.3 -q 172.16.0.1"); }

  TemporaryFolder folder;
  std::filesystem::path home = folder.path();
  Lan lan;
  std::vector<std::unique_ptr<FlanneldNode>> nodes;
  Machine vpc;
  Machine core_a;
  Machine core_b;
  Machine pod;
  std::string secret = "-";               ///< of the cores' liveness from their next start on; "-": none
  std::vector<std::string> helper_flags;  ///< of all helpers from their next start on
  std::array<Program, 2> cores;
  std::array<Program, 3> helpers;
};

}  // namespace holdfast::test
