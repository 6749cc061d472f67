#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/result.h"
#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/nrm/node_disks.h"
#include "csi-lvm/nrm/plan.h"
#include "csi-lvm/nrm/quota_mounts.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {

/// What one pass found and did.
struct PassResult {
  std::vector<PlanRow> rows;      ///< as things are now, or would be (dry run)
  std::vector<std::string> done;  ///< a line for each change that was made
  std::string trouble;  ///< why nothing could be planned: LVM, sysfs or the state cannot be read; else empty
  bool again_soon = false;  ///< something goes on step by step: the reading of a whole disk
};

/// Brings the node's groups and folders to where the configuration wants them, once:
///
///     look at the disks, LVM and the pins  ->  plan  ->  pins durable  ->  changes  ->  look again
///
/// Blocks as long as disks and LVM do. Not thread-safe.
class ResourcePass {
 public:
  struct Ports {
    lvm::Lvm& lvm;
    NodeDisks& disks;
    QuotaMounts& quota_mounts;
    Files& files;
  };
  /// All outlive it. Pins are kept in `state_dir`.
  ResourcePass(Ports ports, std::filesystem::path state_dir)
      : ports_(ports), state_dir_(std::move(state_dir)) {}

  /// `own`: what is for this node. A dry run changes nothing, not even the pins.
  PassResult run(const Topology& own, bool dry_run);

 private:
  Result<NodeFacts> look(const Topology& own, const Pins& pins) const;
  void add_inventory(const lvm::Inventory& inventory, bool ours, NodeFacts& facts) const;
  Status run_groups(const Topology& own, bool dry_run, PassResult& result);
  Status run_quota_paths(const Topology& own, bool dry_run, PassResult& result);
  void change(const GroupChange& change, Plan& plan, const NodeFacts& facts, PassResult& result) const;
  [[nodiscard]] Status check_unchanged(const GroupChange& change, const NodeFacts& facts) const;

  Ports ports_;
  std::filesystem::path state_dir_;
};

}  // namespace holdfast::nrm
