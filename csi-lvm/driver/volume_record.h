#pragma once

#include "common/block/preparer.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace holdfast::lvm {

/// What is known of a volume's content, in its tag.
class VolumeRecord final : public block::ProvenanceRecord {
 public:
  /// `lvm` outlives it. `volume` is as it was found a moment ago.
  VolumeRecord(Lvm& lvm, const LocalVolume& volume, Lvm::Patience patience);
  Status write(const block::Provenance& provenance) override;

 private:
  Lvm& lvm_;
  VolumeName name_;
  std::string content_;  // as the tag says it now
  Lvm::Patience patience_;
};

}  // namespace holdfast::lvm
