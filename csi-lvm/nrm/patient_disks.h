#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "csi-lvm/nrm/node_disks.h"

namespace holdfast::nrm {

/// Disks that are looked at for so long at most: one that dies must not hold up what concerns the others.
/// Each look is made by a thread of its own; the thread of one that does not end stays until the kernel gives
/// the disk up, and as long as it does the disk is not looked at again. Not thread-safe.
class PatientDisks final : public NodeDisks {
 public:
  /// `disks` is asked by several threads. Those that do not end share it.
  PatientDisks(std::shared_ptr<NodeDisks> disks, std::chrono::milliseconds patience)
      : disks_(std::move(disks)), patience_(patience) {}

  Result<std::vector<block::DeviceIdentity>> list() override { return disks_->list(); }
  Result<block::DeviceIdentity> identify(const std::string& path) override { return disks_->identify(path); }
  /// Of a disk that does not answer the content is kDeadlineExceeded, naming it.
  Probe probe(const block::DeviceIdentity& device) override;

 private:
  struct Look;

  std::shared_ptr<NodeDisks> disks_;
  std::chrono::milliseconds patience_;
  std::map<std::string, std::shared_ptr<Look>> hanging_;  // by kernel name
};

}  // namespace holdfast::nrm
