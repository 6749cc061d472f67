#pragma once

#include "common/base/result.h"
#include "csi-lvm/lvm/lvm.h"

namespace holdfast::lvm {

/// Makes what an earlier tenant left on a volume's extents unreadable. common/block does it on the device;
/// the tests' one remembers.
class ExtentCleaner {
 public:
  ExtentCleaner() = default;
  ExtentCleaner(const ExtentCleaner&) = delete;
  ExtentCleaner& operator=(const ExtentCleaner&) = delete;
  virtual ~ExtentCleaner() = default;

  /// Zeroes every place where a file system could be found by its superblocks, and makes that durable.
  virtual Status zero_superblocks(const VolumeName& name) = 0;
  /// Makes all of it read as zeros. Errors: kAborted when `patience` ended before: call again, and it goes on
  /// from there.
  virtual Status wipe(const VolumeName& name, Lvm::Patience patience) = 0;
  /// What has this name now is another volume: its wipe begins at the beginning.
  virtual void forget(const VolumeName& name) = 0;
};

}  // namespace holdfast::lvm
