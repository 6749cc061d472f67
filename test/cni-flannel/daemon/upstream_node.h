#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "test/cni-flannel/daemon/flanneld_node.h"

namespace holdfast::test {

/// A node as a real flannel left it (test/fixtures/golden-flannel), with one pod: the external interface u0,
/// flannel.1 with the MAC that upstream drew, its routes, neighbours and FDB, the rules, subnet.env.
class UpstreamNode {
 public:
  /// `mode` is "nft" or "ipt", `name` "nodea" or "nodeb".
  UpstreamNode(Lan& lan, const std::filesystem::path& home, std::string mode, const std::string& name);

  /// Starts our program as flannel's DaemonSet starts upstream's, with the API server at `api`.
  void start(const std::string& api, const std::vector<std::string>& more = {});

  /// The Node object that upstream left.
  [[nodiscard]] nlohmann::json object() const;
  /// A file of this node among the fixtures: "subnet.env".
  [[nodiscard]] std::string left(const std::string& what) const;
  [[nodiscard]] std::string left_path(const std::string& what) const;
  /// Of all that upstream left in the kernel and in subnet.env but the rules, what is otherwise now: a
  /// line a field; empty when nothing is. Who made a route (its protocol, 102 for ours) does not count.
  [[nodiscard]] std::string differences() const;
  /// The rules that are there, without those of the peers' guard.
  [[nodiscard]] std::string rules() const;
  /// The rules that upstream left. In nftables mode with the two that we have as in iptables mode.
  [[nodiscard]] std::string upstream_rules() const;
  /// Takes flannel.1 and all rules away, as a reboot does.
  void lose_kernel_state();

  [[nodiscard]] std::string pod_address() const;
  [[nodiscard]] std::filesystem::path pod() const;  ///< its network namespace

  FlanneldNode node;

 private:
  void make_underlay(Lan& lan, int number);
  void make_overlay();
  void make_pod();

  std::string mode_;
  std::string name_;
  Fd pod_;
};

}  // namespace holdfast::test
