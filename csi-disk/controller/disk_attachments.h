#pragma once

#include <map>
#include <string>

#include "common/base/result.h"
#include "csi-disk/controller/disk_looks.h"

namespace holdfast::disk {

/// Attaches disks to nodes, and detaches them. Nothing is ever forced: a disk that another node has is not
/// attached, unless it was made for several nodes and is asked for so. Thread-safe, but for one disk at a
/// time.
class DiskAttachments {
 public:
  /// `looks` outlives it.
  explicit DiskAttachments(const DiskLooks& looks) : looks_(looks) {}

  /// Waits until it is attached; what the node has to know (publish_context.h). `shared`: other nodes may
  /// have it too. Errors: kNotFound for the disk or the node; kFailedPrecondition, naming both nodes, when
  /// another one has it; kResourceExhausted when the node has no room for one more; kUnavailable while the
  /// account is in arrears; kAborted while it is on its way, or the cloud refuses it for something else that
  /// it does, which is told.
  Result<std::map<std::string, std::string>> attach(const std::string& disk, const std::string& node,
                                                    bool shared, Patience patience) const;
  /// Waits until it is detached, from all nodes when `node` is empty. One that is gone is detached. Errors:
  /// kAborted while it is on its way.
  Status detach(const std::string& disk, const std::string& node, Patience patience) const;

 private:
  Result<Disk> attached(const std::string& id, const std::string& node, bool shared,
                        const Budget& budget) const;
  Status call_off_deletion(const Disk& disk, const Budget& budget) const;

  const DiskLooks& looks_;
};

}  // namespace holdfast::disk
