#pragma once

#include <filesystem>
#include <string>

#include "common/base/files.h"
#include "csi-lvm/nrm/node_facts.h"
#include "csi-lvm/nrm/pins.h"
#include "csi-lvm/nrm/plan.h"
#include "csi-lvm/nrm/quota_mounts.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {

/// What is to be done for one folder. Pure.
struct QuotaPlan {
  PlanRow row;                   ///< kKept, kMount, or what stands in its way
  std::string kernel_name;       ///< of kMount
  block::Provenance provenance;  ///< of kMount, as the pins tell it
};

/// The first of the entry's devices that is there counts; another one is never taken in its place once it
/// was mounted. Nothing is planned for a disk that could not be mounted: making its file system is for good.
[[nodiscard]] QuotaPlan plan_quota_path(const QuotaPathEntry& entry, const NodeFacts& facts, const Pins& pins,
                                        const FolderFacts& folder);

/// Does it.
class QuotaPathKeeper {
 public:
  /// All outlive it; `pins` are those in the folder, and are kept up with it.
  QuotaPathKeeper(QuotaMounts& mounts, Files& files, std::filesystem::path state_dir, Pins& pins)
      : mounts_(mounts), files_(files), state_dir_(std::move(state_dir)), pins_(pins) {}

  /// The row with what came of it: kMount when it was mounted now, kWait while the device is being read.
  PlanRow settle(const QuotaPathEntry& entry, const NodeFacts& facts, bool dry_run);

 private:
  QuotaMounts& mounts_;
  Files& files_;
  std::filesystem::path state_dir_;
  Pins& pins_;
};

}  // namespace holdfast::nrm
