#include "csi-disk/driver/disk_use.h"

#include "common/base/text.h"
#include "common/staging/device_stager.h"

namespace holdfast::disk {
namespace {

tl::unexpected<Error> not_taken(const HeldDisk& disk, const std::string& why) {
  return fail(Code::kFailedPrecondition, "the disk " + disk.name + " with the " + describe(disk.identity) +
                                             " is not taken for a volume: " + why);
}

}  // namespace

Status check_may_use(const HeldDisk& disk, mount::Mounter& mounter,
                     const std::function<Result<bool>(const std::string& device)>& in_use) {
  std::vector<std::string> devices = disk.partitions;
  devices.push_back(disk.disk);
  for (const std::string& device : devices) {
    HOLDFAST_TRY(const mount::Mounts own, staging::own_mounts(mounter, device));
    if (!own.empty()) return {};
  }
  if (!disk.holders.empty()) {
    return not_taken(disk, disk.holders.front() +
                               " on this node stands on it (LVM, md, multipath): take that down "
                               "(vgchange -an, mdadm --stop), or name the right disk");
  }
  // Also what other mount namespaces have mounted, and swap; of a partition too.
  HOLDFAST_TRY(const bool used, in_use(disk.disk));
  if (!used) return {};
  return not_taken(disk,
                   "this node uses it, or a partition of it, as swap, in another mount namespace, or "
                   "by a program: end that (fuser -v " +
                       disk.disk + "), or name the right disk");
}

}  // namespace holdfast::disk
