#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "cni-flannel/controller/network_sight.h"

namespace holdfast::flannel {

/// Tells Nodes whose name two machines have, by the boot ids that their kubelets write in turns: a machine
/// never has a boot id again that it had before another, so that one that is back is another machine's.
/// Copies of one disk, which have one machine id, are told apart as well. A machine that takes the place of
/// another is seen once, and counts for nothing; so does a server that was set back to an older state.
/// Source: status.nodeInfo.bootID of a Node, random(4) on boot_id.
class MachineSights {
 public:
  using Time = std::chrono::nanoseconds;  ///< since boot

  /// So often a boot id is back before the name counts as contested. A server's being set back makes two.
  static constexpr unsigned kReturns = 3;
  /// The name is one machine's again when no boot id was back for so long. A kubelet that is alone writes
  /// every five minutes at the longest, one that sees another's data within seconds.
  static constexpr std::chrono::minutes kSettles{30};
  /// Boot ids that are remembered of a Node.
  static constexpr std::size_t kBoots = 4;

  /// Takes in what all Nodes there are tell now. For how long each name that two machines have goes on to
  /// count as contested.
  [[nodiscard]] std::map<std::string, std::chrono::seconds> look_at(
      const std::map<std::string, SeenNode>& nodes, Time now);

 private:
  struct Sight {
    std::string uid;                 // of the Node
    std::vector<std::string> boots;  // the one told last is the last
    unsigned returns = 0;
    Time last_return{};
  };
  static void take_in(const std::string& boot, Time now, Sight& sight);

  std::map<std::string, Sight> seen_;  // by the Node's name
};

}  // namespace holdfast::flannel
