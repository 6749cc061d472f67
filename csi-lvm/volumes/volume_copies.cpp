#include "csi-lvm/volumes/volume_copies.h"

#include <utility>

#include "common/base/sha.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

constexpr std::size_t kHashDigits = 32;

bool is_thin(const LogicalVolume& volume) { return volume.layout == Layout::kThin; }

// A snapshot within the pool takes no time and no room.
bool is_instant(const NewVolume& wanted, const FoundVolume& source) {
  return is_thin(source.volume) && source.name.group == wanted.name.group &&
         source.volume.pool == wanted.pool;
}

// Of a copy nothing else is certain: a source that was about to be formatted may have been so in between.
std::string content_of_copy(const LogicalVolume& source) {
  const std::string_view content = source.tag_value(kContentTag);
  return std::string(content.starts_with(kFormatted) ? content : kMaybe);
}

std::string temporary_name(const std::string& target) {
  return "csi-copy-" + sha512_hex(target).substr(0, kHashDigits);
}

tl::unexpected<Error> lost(const VolumeName& snapshot) {
  return fail(Code::kFailedPrecondition, "the snapshot " + snapshot.text() +
                                             " is lost, because more of its volume changed than it had room "
                                             "for; delete it");
}

}  // namespace

VolumeCopies::VolumeCopies(Lvm& lvm, CapacityBook& book, ContentCopier& copier, const ClusterUid& cluster)
    : lvm_(lvm), book_(book), copier_(copier), cluster_(cluster) {}

Result<FoundVolume> VolumeCopies::find_source(const Inventory& inventory, const ContentSource& source) {
  HOLDFAST_TRY(std::optional<FoundVolume> found, find_in(inventory, source.id));
  const std::string kind(source.snapshot ? kSnapshot : kVolume);
  const std::string_view state = found ? state_of(found->volume) : kDeleting;
  if (state == kCreating || state == kDeleting) {
    return fail(Code::kNotFound, "there is no " + kind + " " + source.id + " on this node");
  }
  if (is_snapshot(found->volume) != source.snapshot) {
    return fail(Code::kInvalidArgument, source.id + " is no " + kind);
  }
  if (found->volume.lost) return lost(found->name);
  return *std::move(found);
}

Status VolumeCopies::make(const NewVolume& wanted, const FoundVolume& source, const ContentSource& from,
                          Patience patience) {
  std::vector<std::string> tags = wanted.tags;
  tags.push_back(tag(kSourceTag, from.id));
  tags.push_back(tag(kFromTag, from.snapshot ? kSnapshot : kVolume));
  if (is_instant(wanted, source)) {
    tags.push_back(tag(kContentTag, content_of_copy(source.volume)));
    return lvm_.create_snapshot(
        {.origin = source.name, .name = wanted.name.volume, .room_bytes = 0, .tags = std::move(tags)},
        patience);
  }
  NewVolume empty = wanted;
  empty.tags = std::move(tags);
  empty.tags.push_back(tag(kContentTag, kMaybe));
  empty.tags.push_back(tag(kFillTag, kBlocks));
  return lvm_.create(empty, patience);
}

Status VolumeCopies::finish(const Inventory& now, const FoundVolume& target, std::uint64_t size_bytes,
                            Patience patience) {
  const std::string to_be_filled = tag(kFillTag, kBlocks);
  const std::string known = tag(kContentTag, target.volume.tag_value(kContentTag));
  std::vector<std::string> gone{tag(kStateTag, kCreating)};
  std::vector<std::string> come{tag(kStateTag, kReady)};
  if (target.volume.size_bytes < size_bytes) HOLDFAST_CHECK(lvm_.extend(target.name, size_bytes, patience));
  if (!target.volume.has_tag(to_be_filled)) return lvm_.change_tags(target.name, gone, come, patience);
  HOLDFAST_TRY(const FoundVolume source, readable(now, target, patience));
  HOLDFAST_CHECK(fill(target, source, patience));
  gone.push_back(to_be_filled);
  if (const std::string content = tag(kContentTag, content_of_copy(source.volume)); content != known) {
    gone.push_back(known);
    come.push_back(content);
  }
  HOLDFAST_CHECK(lvm_.change_tags(target.name, gone, come, patience));
  HOLDFAST_TRY(const Inventory after, look(lvm_, book_, patience));
  return drop_temporary(after, target.name.volume, patience);
}

Result<FoundVolume> VolumeCopies::readable(const Inventory& now, const FoundVolume& target,
                                           Patience patience) {
  const ContentSource from{.id = std::string(target.volume.tag_value(kSourceTag)),
                           .snapshot = target.volume.tag_value(kFromTag) == kSnapshot};
  HOLDFAST_TRY(FoundVolume source, find_source(now, from));
  if (!from.snapshot) return temporary(source, target, patience);
  return source;
}

// More may be written to the source than the temporary snapshot has room for: then the copy begins anew, from
// another one.
Result<FoundVolume> VolumeCopies::temporary(const FoundVolume& source, const FoundVolume& target,
                                            Patience patience) {
  const VolumeName name{source.name.group, temporary_name(target.name.volume)};
  const LogicalVolume* there = source.group.volume(name.volume);
  // One that has no origin was cut off: LVM makes a plain volume first.
  if (there != nullptr && !there->lost && there->origin == source.name.volume) {
    return FoundVolume{.name = name, .volume = *there, .group = source.group};
  }
  if (there != nullptr) HOLDFAST_CHECK(lvm_.remove(name, patience));
  HOLDFAST_CHECK(take_temporary(source, target, patience));
  HOLDFAST_TRY(const Inventory now, look(lvm_, book_, patience));
  HOLDFAST_TRY(std::optional<FoundVolume> taken, find_in(now, name.volume));
  if (!taken) return fail(Code::kAborted, "the snapshot " + name.text() + " went away; ask again");
  return *std::move(taken);
}

Status VolumeCopies::take_temporary(const FoundVolume& source, const FoundVolume& target, Patience patience) {
  NewSnapshot wanted{.origin = source.name,
                     .name = temporary_name(target.name.volume),
                     .room_bytes = room_for_changes(source.volume, SnapshotRoom{}),
                     .tags = {tag(kStateTag, kCreating), tag(kForTag, target.name.volume),
                              tag(kContentTag, content_of_copy(source.volume))}};
  const std::string cluster = cluster_.get();
  if (!cluster.empty()) wanted.tags.push_back(tag(kClusterTag, cluster));
  HOLDFAST_TRY(const CapacityBook::Promise promise, book_.promise(room_of(wanted, source)));
  return lvm_.create_snapshot(wanted, patience);
}

Status VolumeCopies::fill(const FoundVolume& target, const FoundVolume& source, Patience patience) {
  if (!target.volume.active) HOLDFAST_CHECK(lvm_.activate(target.name, patience));
  if (!source.volume.active) HOLDFAST_CHECK(lvm_.activate(source.name, patience));
  const ContentOrder order{
      .source = source.name,
      .target = target.name,
      .key = source.volume.uuid + " " + target.volume.uuid,
      .target_is_zero = is_thin(target.volume) && !gets_dirty_blocks(target.group, target.volume)};
  Status copied = copier_.copy(order, patience);
  // A thick snapshot is active as long as its volume is.
  if (source.volume.active || !is_thin(source.volume)) return copied;
  Status put_back = lvm_.deactivate(source.name, patience);
  return copied ? put_back : copied;
}

Status VolumeCopies::drop_temporary(const Inventory& inventory, const std::string& target,
                                    Patience patience) {
  const std::string name = temporary_name(target);
  for (const VolumeGroup& group : inventory.groups) {
    const LogicalVolume* found = group.volume(name);
    if (found == nullptr || found->tag_value(kForTag) != target) continue;
    HOLDFAST_CHECK(lvm_.remove({group.name, name}, patience));
  }
  return {};
}

}  // namespace holdfast::lvm
