#include "csi-lvm/driver/activation.h"

namespace holdfast::lvm {

Result<std::size_t> activate_volumes(const std::vector<LocalVolume>& volumes, Lvm& lvm,
                                     Lvm::Patience patience) {
  std::vector<VolumeName> inactive;
  for (const LocalVolume& volume : volumes) {
    if (!volume.active && !volume.is_snapshot()) inactive.push_back(volume.name);
  }
  HOLDFAST_CHECK(lvm.activate_all(inactive, patience));
  return inactive.size();
}

}  // namespace holdfast::lvm
