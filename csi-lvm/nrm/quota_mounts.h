#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/exec.h"
#include "common/base/result.h"
#include "common/block/format_decision.h"
#include "common/block/preparer.h"

namespace holdfast::nrm {

/// A folder with project quotas that is to be there.
struct QuotaMount {
  std::string path;
  std::string device;   ///< "/dev/vdb"
  std::string fs_type;  ///< "ext4" or "xfs"
  block::Provenance provenance;
};

/// What is at the path of a folder with project quotas.
struct FolderFacts {
  std::string
      mounted;  ///< the device's kernel name, or the source's name of one without a device; "": nothing
  std::string in_the_way;  ///< what a mount would cover, with the cure; "": nothing
};

/// Where file systems with project quotas are mounted. The tests' one is test/csi-lvm/nrm/fake_disks.h.
class QuotaMounts {
 public:
  QuotaMounts() = default;
  QuotaMounts(const QuotaMounts&) = delete;
  QuotaMounts& operator=(const QuotaMounts&) = delete;
  virtual ~QuotaMounts() = default;

  /// A folder that is not there is made by mount(), and nothing is in the way of that.
  virtual Result<FolderFacts> look_at(const std::string& path) = 0;
  /// Makes the file system when the device is proved empty, and mounts it with prjquota. `record` keeps the
  /// provenance. Errors: kAborted while the whole device is read: ask again, it goes on; those of
  /// block::Preparer and mount(2); kFailedPrecondition when the folder holds files.
  virtual Status mount(const QuotaMount& wanted, block::ProvenanceRecord& record) = 0;
};

/// The real one.
class SystemQuotaMounts final : public QuotaMounts {
 public:
  SystemQuotaMounts()
      : file_systems_(executor_), encryption_(executor_), preparer_(file_systems_, encryption_) {}

  Result<FolderFacts> look_at(const std::string& path) override;
  Status mount(const QuotaMount& wanted, block::ProvenanceRecord& record) override;

 private:
  SystemExecutor executor_;
  block::FileSystems file_systems_;
  block::LuksEncryption encryption_;  // of no quota path
  block::Preparer preparer_;
};

}  // namespace holdfast::nrm
