#include "csi-lvm/volumes/clean_growth.h"

#include "common/base/sha.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

constexpr std::size_t kHashDigits = 32;

std::string part_name(const std::string& volume) {
  return "csi-grow-" + sha512_hex(volume).substr(0, kHashDigits);
}

}  // namespace

CleanGrowth::CleanGrowth(Lvm& lvm, CapacityBook& book, ExtentCleaner& cleaner, const ClusterUid& cluster)
    : lvm_(lvm), book_(book), cleaner_(cleaner), cluster_(cluster) {}

Status CleanGrowth::grow(const FoundVolume& found, std::uint64_t size_bytes, Patience patience) {
  const std::string& volume = found.name.volume;
  const VolumeName part{found.name.group, part_name(volume)};
  const std::uint64_t more = size_bytes - found.volume.size_bytes;
  if (found.volume.active && thick_snapshot_of(found.group, volume) != nullptr) {
    Inventory alone;
    alone.groups.push_back(found.group);
    return why_not_extended(alone, found.name, size_bytes, {});
  }
  const LogicalVolume* there = found.group.volume(part.volume);
  if (there != nullptr && there->tag_value(kForTag) != volume) {
    return fail(Code::kFailedPrecondition, "there is a volume " + part.text() +
                                               " that was not made for the growth of " + volume +
                                               ": rename it");
  }
  // It may have been asked for another size before.
  if (there != nullptr && there->size_bytes != more) {
    HOLDFAST_CHECK(lvm_.remove(part, patience));
    there = nullptr;
  }
  if (there == nullptr) {
    HOLDFAST_CHECK(make(part, found, more, patience));
  } else if (!there->active) {
    HOLDFAST_CHECK(lvm_.activate(part, patience));
  }
  HOLDFAST_CHECK(cleaner_.wipe(part, patience));
  return lvm_.join(found.name, part.volume, patience);
}

Status CleanGrowth::make(const VolumeName& part, const FoundVolume& found, std::uint64_t size_bytes,
                         Patience patience) {
  NewVolume wanted{.name = part,
                   .size_bytes = size_bytes,
                   .stripes = found.volume.stripes,
                   .pool = {},
                   .tags = {tag(kStateTag, kCreating), tag(kForTag, found.name.volume)}};
  const std::string cluster = cluster_.get();
  if (!cluster.empty()) wanted.tags.push_back(tag(kClusterTag, cluster));
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise({.group = part.group,
                                                                   .size_bytes = size_bytes,
                                                                   .stripes = wanted.stripes,
                                                                   .pool = {},
                                                                   .of_spare = false}));
  cleaner_.forget(part);  // also where the answer is lost
  HOLDFAST_CHECK(lvm_.create(wanted, patience));
  book_.add(wanted);
  return {};
}

Status CleanGrowth::drop_temporary(const Inventory& inventory, const std::string& volume, Patience patience) {
  const std::string name = part_name(volume);
  for (const VolumeGroup& group : inventory.groups) {
    const LogicalVolume* found = group.volume(name);
    if (found == nullptr || found->tag_value(kForTag) != volume) continue;
    HOLDFAST_CHECK(lvm_.remove({group.name, name}, patience));
  }
  return {};
}

}  // namespace holdfast::lvm
