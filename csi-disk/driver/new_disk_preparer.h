#pragma once

#include "common/block/preparer.h"

namespace holdfast::disk {

/// Prepares disks that were handed out as new. That word travels with the attachment, which outlives a boot
/// of the node, and even the node's own records: by then the disk may have been formatted and written. So
/// when a new disk is not blank, it is taken for one of which nothing is known, which is never formatted
/// unless it reads zero throughout.
class NewDiskPreparer final : public block::VolumePreparer {
 public:
  /// `inner` outlives it.
  explicit NewDiskPreparer(block::VolumePreparer& inner) : inner_(inner) {}

  Result<std::string> prepare(const block::PrepareRequest& request, block::ProvenanceRecord& record,
                              std::chrono::milliseconds deadline,
                              const std::function<bool()>& cancelled) override;

 private:
  block::VolumePreparer& inner_;
};

}  // namespace holdfast::disk
