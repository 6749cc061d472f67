#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cni-flannel/controller/cidr_holders.h"
#include "cni-flannel/controller/network_plan.h"
#include "cni-flannel/controller/pool_blocks.h"
#include "common/base/cidr.h"

namespace holdfast::flannel {

/// What pod CIDRs all nodes have, had and are promised, and what a node without is given of the rest. Refers
/// to the sight and the options.
class CidrGiver {
 public:
  CidrGiver(const NetworkSight& sight, const NetworkPlanOptions& options, std::chrono::sys_seconds now);

  /// One that has part of `cidr`, or had it not long ago, and is not `node`; nullptr: none.
  [[nodiscard]] const CidrHolders::Holder* other(const Cidr& cidr, const std::string& node) const {
    return holders_.other(cidr, node);
  }
  /// Its Node has what another had first.
  [[nodiscard]] bool is_refused(const std::string& node) const { return refused_.contains(node); }
  /// When the next quarantine of a freed range ends; nullopt: there is none.
  [[nodiscard]] std::optional<std::chrono::seconds> again_in() const { return again_in_; }

  /// None of them: there is nothing to be given.
  struct Given {
    std::vector<Cidr> cidrs{};
    std::optional<NodeFinding> finding{};            ///< why it gets none
    std::optional<std::chrono::seconds> again_in{};  ///< not before that
  };
  /// To a Node without pod CIDRs; they are its from now on.
  [[nodiscard]] Given give(const std::string& name, const SeenNode& node);

 private:
  [[nodiscard]] std::vector<const SeenNode*> elders() const;
  void hold_of_nodes();
  void hold_of_objects(std::chrono::sys_seconds now);
  [[nodiscard]] std::vector<Cidr> former(const std::string& name, const PoolBlocks& blocks) const;
  [[nodiscard]] Given give_of(const std::string& pool, const std::string& name, const SeenNode& node);

  const NetworkSight& sight_;
  const NetworkPlanOptions& options_;
  CidrHolders holders_;
  std::set<std::string> refused_;
  AllBlocks blocks_;
  std::map<std::string, std::size_t> members_;  // by pool: nodes that have pod CIDRs
  std::optional<std::chrono::seconds> again_in_;
};

}  // namespace holdfast::flannel
