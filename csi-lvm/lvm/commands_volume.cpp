#include <algorithm>
#include <utility>

#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/lvm_faults.h"
#include "csi-lvm/lvm/mapped_devices.h"

// What CommandsLvm does to the metadata of volumes.
namespace holdfast::lvm {
namespace {

// LVM takes whole sectors only.
std::string bytes(std::uint64_t count) {
  constexpr std::uint64_t kSector = 512;
  const std::uint64_t odd = count % kSector;
  return std::to_string(odd == 0 ? count : count + (kSector - odd)) + "b";
}

Status check_tags(const std::vector<std::string>& tags) {
  for (const std::string& tag : tags) HOLDFAST_CHECK(check_tag(tag));
  return {};
}

Status check(const VolumeName& name) { return check_volume_name(name.group, name.volume); }

void append_each(std::vector<std::string>& words, const char* option,
                 const std::vector<std::string>& values) {
  for (const std::string& value : values) words.insert(words.end(), {option, value});
}

Result<std::vector<std::string>> tag_words(const char* program, const std::vector<std::string>& remove,
                                           const std::vector<std::string>& add) {
  HOLDFAST_CHECK(check_tags(remove));
  HOLDFAST_CHECK(check_tags(add));
  std::vector<std::string> words{program};
  append_each(words, "--deltag", remove);
  append_each(words, "--addtag", add);
  return words;
}

std::vector<std::string> words_to_create(const NewVolume& wanted) {
  std::vector<std::string> words{"lvcreate", "--yes", "--name", wanted.name.volume};
  if (!wanted.pool.empty()) {
    words.insert(words.end(), {"--virtualsize", bytes(wanted.size_bytes), "--thinpool", wanted.pool});
  } else {
    // The node activates what it stages; a reboot alone makes no device appear.
    words.insert(words.end(), {"--size", bytes(wanted.size_bytes), "--wipesignatures", "y", "--zero", "y",
                               "--setautoactivation", "n"});
    if (wanted.stripes > 1) words.insert(words.end(), {"--stripes", std::to_string(wanted.stripes)});
    if (wanted.stripes > 1 && wanted.stripe_bytes > 0) {
      words.insert(words.end(), {"--stripesize", bytes(wanted.stripe_bytes)});
    }
  }
  append_each(words, "--addtag", wanted.tags);
  words.push_back(wanted.name.group);
  return words;
}

}  // namespace

Status CommandsLvm::take_room(const std::string& group, const std::vector<std::string>& words,
                              Patience patience, const Why& why) {
  for (bool again = false;; again = true) {
    HOLDFAST_TRY(const std::string said, run(group, words, patience));
    if (said.empty()) return {};
    HOLDFAST_TRY(const Inventory after, look(patience));
    Status done = why(after, said);
    if (done || again || done.error().code != Code::kInternal) return done;
  }
}

Status CommandsLvm::create(const NewVolume& wanted, Patience patience) {
  HOLDFAST_CHECK(check(wanted.name));
  HOLDFAST_CHECK(check_tags(wanted.tags));
  if (!wanted.pool.empty()) HOLDFAST_CHECK(check_name(wanted.pool));
  return take_room(wanted.name.group, words_to_create(wanted), patience,
                   [&wanted](const Inventory& after, std::string_view said) {
                     return why_not_created(after, wanted, said);
                   });
}

Status CommandsLvm::create_snapshot(const NewSnapshot& wanted, Patience patience) {
  HOLDFAST_CHECK(check(wanted.origin));
  HOLDFAST_CHECK(check_volume_name(wanted.origin.group, wanted.name));
  HOLDFAST_CHECK(check_tags(wanted.tags));
  std::vector<std::string> words{"lvcreate", "--yes", "--snapshot", "--name", wanted.name};
  if (wanted.room_bytes > 0) words.insert(words.end(), {"--size", bytes(wanted.room_bytes)});
  append_each(words, "--addtag", wanted.tags);
  words.push_back(wanted.origin.text());
  return take_room(wanted.origin.group, words, patience,
                   [&wanted](const Inventory& after, std::string_view said) {
                     return why_no_snapshot(after, wanted, said);
                   });
}

Status CommandsLvm::create_pool(const NewPool& wanted, Patience patience) {
  HOLDFAST_CHECK(check(wanted.name));
  HOLDFAST_CHECK(check_tags(wanted.tags));
  std::vector<std::string> words{
      "lvcreate", "--yes",  "--type",           "thin-pool", "--zero",
      "y",        "--name", wanted.name.volume, "--size",    bytes(wanted.size_bytes)};
  append_each(words, "--addtag", wanted.tags);
  words.push_back(wanted.name.group);
  return take_room(
      wanted.name.group, words, patience,
      [&wanted](const Inventory& after, std::string_view said) { return why_no_pool(after, wanted, said); });
}

Status CommandsLvm::extend(const VolumeName& name, std::uint64_t size_bytes, Patience patience) {
  HOLDFAST_CHECK(check(name));
  return take_room(name.group, {"lvextend", "--size", bytes(size_bytes), name.text()}, patience,
                   [&](const Inventory& after, std::string_view said) {
                     return why_not_extended(after, name, size_bytes, said);
                   });
}

Status CommandsLvm::extend_metadata(const VolumeName& pool, std::uint64_t size_bytes, Patience patience) {
  HOLDFAST_CHECK(check(pool));
  return take_room(pool.group, {"lvextend", "--poolmetadatasize", bytes(size_bytes), pool.text()}, patience,
                   [&](const Inventory& after, std::string_view said) {
                     return why_metadata_not_extended(after, pool, size_bytes, said);
                   });
}

Status CommandsLvm::change_tags(const VolumeName& name, const std::vector<std::string>& remove,
                                const std::vector<std::string>& add, Patience patience) {
  HOLDFAST_CHECK(check(name));
  if (remove.empty() && add.empty()) return {};
  HOLDFAST_TRY(std::vector<std::string> words, tag_words("lvchange", remove, add));
  words.push_back(name.text());
  HOLDFAST_TRY(const std::string said, run(name.group, std::move(words), patience, /*joins=*/true));
  if (said.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_not_tagged(after, name, remove, add, said);
}

Status CommandsLvm::change_group_tags(const std::string& group, const std::vector<std::string>& remove,
                                      const std::vector<std::string>& add, Patience patience) {
  HOLDFAST_CHECK(check_name(group));
  if (remove.empty() && add.empty()) return {};
  HOLDFAST_TRY(std::vector<std::string> words, tag_words("vgchange", remove, add));
  words.push_back(group);
  HOLDFAST_TRY(const std::string said, run(group, std::move(words), patience));
  if (said.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_group_not_tagged(after, group, remove, add, said);
}

Status CommandsLvm::remove(const VolumeName& name, Patience patience) {
  HOLDFAST_CHECK(check(name));
  HOLDFAST_TRY(const Inventory before, look(patience));
  HOLDFAST_CHECK(may_remove(before, name));
  const VolumeGroup& group = *before.group(name.group);
  const LogicalVolume* found = group.volume(name.volume);
  if (found == nullptr) return {};
  const LogicalVolume* pool = found->layout == Layout::kThinPool ? found : group.volume(found->pool);
  if (pool != nullptr && !pool->active) {
    // LVM, killed while it made or activated the pool: with a part of it active LVM does nothing to a pool.
    HOLDFAST_TRY(const std::vector<MappedDevice> devices, mapped_devices());
    HOLDFAST_CHECK(remove_unused(parts_of(devices, group)));
  }
  HOLDFAST_TRY(const std::string said,
               run(name.group, {"lvremove", "--yes", name.text()}, patience, /*joins=*/true));
  if (said.empty()) return {};
  HOLDFAST_TRY(const Inventory after, look(patience));
  return why_not_removed(after, name, said);
}

}  // namespace holdfast::lvm
