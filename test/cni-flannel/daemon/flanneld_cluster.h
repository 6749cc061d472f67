#pragma once

#include <array>
#include <string>
#include <vector>

#include "test/cni-flannel/daemon/flanneld_node.h"

namespace holdfast::test {

/// Three nodes on one LAN, each with its file in the folder that all watch; none runs yet.
struct Cluster {
  Cluster() {
    for (const FlanneldNode* node : nodes) node->publish();
  }
  void start_all(const std::vector<std::string>& more = {}) {
    for (FlanneldNode* node : nodes) node->start(more);
    for (const FlanneldNode* node : nodes) until([&] { return has_peers(*node, 2) && node->ready(); });
  }
  /// Routes, neighbours and FDB entries for so many peers.
  static bool has_peers(const FlanneldNode& node, int count) {
    const std::string n = std::to_string(count) + "\n";
    return node.run(
               "ip route show dev flannel.1 proto 102 2>/dev/null | wc -l; ip neigh show dev flannel.1 "
               "nud permanent 2>/dev/null | wc -l; bridge fdb show dev flannel.1 2>/dev/null | wc -l") ==
           n + n + n;
  }
  static bool pings(const FlanneldNode& from, int to) {
    const std::string address = "10.244." + std::to_string(to) + ".1";
    return from.can("ping -c 1 -W 0.1 -q " + address);
  }
  /// All of the IPv4 overlay that somebody could change.
  static std::string picture(const FlanneldNode& node) {
    return node.run(
        "ip -d link show flannel.1 | grep -v '^[0-9]*:'; ip link show flannel.1 | grep -o 'mtu [0-9]*'; "
        "ip -4 -o addr show dev flannel.1 | cut -d' ' -f2-; ip route; "
        "ip neigh show dev flannel.1 nud permanent | sort; bridge fdb show dev flannel.1 | sort");
  }

  TemporaryFolder home;
  Lan lan;
  FlanneldNode one{lan, home.path(), 1};
  FlanneldNode two{lan, home.path(), 2};
  FlanneldNode three{lan, home.path(), 3};
  std::array<FlanneldNode*, 3> nodes{&one, &two, &three};
};

}  // namespace holdfast::test
