#include "test/csi-lvm/lvm/real_group.h"

#include <cstdlib>
#include <stdexcept>

#include "common/base/text.h"
#include "test/csi-lvm/lvm/lvm_contract.h"

namespace holdfast::lvm::test {
namespace {

constexpr Lvm::Patience kAmple{60000};
constexpr int kRounds = 4;

}  // namespace

LvmSettings guest_settings() {
  LvmSettings settings;
  settings.udev = false;
  return settings;
}

std::string lvmcmd_path() {
  const char* folder = std::getenv("HOLDFAST_BIN");
  if (folder == nullptr) throw std::runtime_error("HOLDFAST_BIN does not tell where lvmcmd is");
  return std::string(folder) + "/lvmcmd";
}

std::vector<std::string> spare_disks() {
  const char* names = std::getenv("HOLDFAST_SPARE_DISKS");
  if (names == nullptr) throw std::runtime_error("HOLDFAST_SPARE_DISKS does not name two blank disks");
  std::vector<std::string> disks;
  for (std::string_view rest = names; !rest.empty();) disks.emplace_back(take_until(rest, ' '));
  return disks;
}

// Snapshots go before their origins and thin volumes before their pool, so that some rounds may be needed.
void empty_group(Lvm& lvm) {
  for (int round = 0; round < kRounds; ++round) {
    const Inventory inventory = lvm.look(kAmple).value();
    const VolumeGroup* group = inventory.group(kContractGroup);
    if (group == nullptr) throw std::runtime_error("there is no group for the contract");
    if (group->volumes.empty()) return;
    for (const LogicalVolume& volume : group->volumes) {
      const Status removed = lvm.remove({kContractGroup, volume.name}, kAmple);
      if (!removed && removed.error().code != Code::kFailedPrecondition) {
        throw std::runtime_error(removed.error().message);
      }
    }
  }
  throw std::runtime_error("the group of the contract cannot be emptied");
}

}  // namespace holdfast::lvm::test
