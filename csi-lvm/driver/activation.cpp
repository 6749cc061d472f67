#include "csi-lvm/driver/activation.h"

#include "common/base/first_error.h"

namespace holdfast::lvm {

Result<std::size_t> activate_volumes(LocalVolumes& volumes, Lvm& lvm, Lvm::Patience patience) {
  HOLDFAST_TRY(const std::vector<LocalVolume> all, volumes.list(patience));
  std::size_t activated = 0;
  FirstError first;
  for (const LocalVolume& volume : all) {
    if (volume.active || volume.taken != 0) continue;
    const Status done = lvm.activate(volume.name, patience);
    if (done) ++activated;
    first.add(done);
  }
  HOLDFAST_CHECK(first.result());
  return activated;
}

}  // namespace holdfast::lvm
