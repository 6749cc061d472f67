#include "csi-lvm/lvm/inventory.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace lvm = holdfast::lvm;
using holdfast::fuzz::require;

void use_group(const lvm::Inventory& inventory, const lvm::VolumeGroup& group) {
  std::uint64_t stripes = 1;
  for (const lvm::PhysicalVolume& disk : group.disks) {
    require(disk.free_extents <= disk.extents);
    ++stripes;
  }
  require(lvm::most_extents(group, static_cast<std::uint32_t>(stripes)) == 0);
  for (const lvm::LogicalVolume& volume : group.volumes) {
    const lvm::VolumeName name{group.name, volume.name};
    const auto found = lvm::find_volume(inventory, name);
    require(!found || (*found)->name == volume.name);
    const auto removable = lvm::may_remove(inventory, name);
    require(removable || removable.error().code == holdfast::Code::kFailedPrecondition);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = holdfast::fuzz::text_of(data, size);
  if (const auto inventory = lvm::parse_inventory(text)) {
    for (const lvm::VolumeGroup& group : inventory->groups) use_group(*inventory, group);
  }
  const lvm::LvmCommand command{lvm::Effect::kReports,
                                {"lvs", "--config", std::string(text), std::string(text)}};
  if (lvm::check_command(command)) require(lvm::to_line(command).find_first_of("\\'\n") == std::string::npos);
  return 0;
}
