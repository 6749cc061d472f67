#include "csi-lvm/lvm/inventory.h"

#include <algorithm>

// What stands in an inventory; inventory_commands.cpp and inventory_report.cpp have how LVM is asked for it.
namespace holdfast::lvm {

std::string plain_id(std::string uuid) {
  std::erase(uuid, '-');
  return uuid;
}

bool LogicalVolume::has_tag(std::string_view tag) const { return std::ranges::find(tags, tag) != tags.end(); }

std::string_view LogicalVolume::tag_value(std::string_view key) const {
  for (const std::string_view tag : tags) {
    if (tag.size() > key.size() && tag.starts_with(key) && tag[key.size()] == '=') {
      return tag.substr(key.size() + 1);
    }
  }
  return {};
}

const LogicalVolume* VolumeGroup::volume(std::string_view volume_name) const {
  const auto found = std::ranges::find(volumes, volume_name, &LogicalVolume::name);
  return found == volumes.end() ? nullptr : &*found;
}

const VolumeGroup* Inventory::group(std::string_view name) const {
  const auto found = std::ranges::find(groups, name, &VolumeGroup::name);
  return found == groups.end() ? nullptr : &*found;
}

bool is_plain(const Inventory& inventory) {
  const auto plain = [](const LogicalVolume& volume) {
    const bool simple = volume.layout == Layout::kLinear || volume.layout == Layout::kStriped;
    return simple && volume.origin.empty();
  };
  return std::ranges::all_of(inventory.groups, [&plain](const VolumeGroup& group) {
    return std::ranges::all_of(group.volumes, plain);
  });
}

}  // namespace holdfast::lvm
