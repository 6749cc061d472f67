#include "csi-disk/controller/disk_adoption.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/csi/answers.h"
#include "csi-disk/controller/disk_maker.h"
#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"

namespace holdfast::disk {
namespace {

constexpr std::size_t kClaimDigits = 16;

std::string claim_of(const Tags& ours) {
  return std::string(kClaimTag) +
         token_of({"claim", tag_of(ours, kClusterTag), tag_of(ours, kNameTag)}).substr(0, kClaimDigits);
}

// That of another; empty: there is none.
std::string other_claim(const Tags& tags, const std::string& claim) {
  const auto found = std::ranges::find_if(
      tags, [&claim](const auto& each) { return each.first.starts_with(kClaimTag) && each.first != claim; });
  return found == tags.end() ? "" : found->first;
}

bool is_of(const Tags& tags, const Tags& ours) {
  return tag_of(tags, kNameTag) == tag_of(ours, kNameTag) &&
         tag_of(tags, kClusterTag) == tag_of(ours, kClusterTag);
}

// Errors: kAlreadyExists when it is another volume.
Status check_free(const Disk& disk, const Tags& ours) {
  const std::string owner = tag_of(disk.tags, kNameTag);
  if (owner.empty() || is_of(disk.tags, ours)) return {};
  return fail(Code::kAlreadyExists, "disk " + disk.id + " is the volume " + owner +
                                        " already; if no PersistentVolume names it any more, take the tag " +
                                        std::string(kNameTag) + " off it in the cloud");
}

Status check_fits(const NewDisk& wanted, const Disk& disk, const PlaceKeys& keys) {
  const std::uint64_t bytes = disk.gib * kGiB;
  const bool too_large = wanted.size.limit_bytes != 0 && bytes > wanted.size.limit_bytes;
  const std::uint64_t required_gib = (wanted.size.required_bytes + kGiB - 1) / kGiB;
  if (too_large || (required_gib != 0 && required_gib != disk.gib))
    return fail(Code::kOutOfRange, "disk " + disk.id + " has " + std::to_string(disk.gib) +
                                       " GiB, another size than is asked for: ask for that");
  if (is_reached(wanted.reached, keys, disk.zone)) return {};
  return fail(Code::kResourceExhausted,
              "disk " + disk.id + " is in " + disk.zone + ", where pods do not reach it");
}

}  // namespace

Result<Disk> DiskAdoption::adopt(const NewDisk& wanted, Tags tags, const Budget& budget) {
  const std::string& id = wanted.of_class.adopt_disk;
  HOLDFAST_TRY(const auto held, taking_.hold(csi::VolumeHolds::Kind::kVolume, id, "taking it as a volume"));
  HOLDFAST_TRY(Disk disk, looks_.get(id, budget));
  HOLDFAST_CHECK(check_fits(wanted, disk, looks_.settings().keys));
  if (!looks_.backend().abilities().tags) return disk;
  HOLDFAST_CHECK(check_free(disk, tags));
  const std::string claim = claim_of(tags);
  const bool claimed = disk.tags.contains(claim);
  if (is_of(disk.tags, tags)) {
    if (claimed) HOLDFAST_CHECK(tag(id, {}, {claim}, budget));
    return disk;
  }
  if (!claimed) HOLDFAST_CHECK(tag(id, {{claim, tag_of(tags, kNameTag)}}, {}, budget));
  HOLDFAST_TRY(disk, alone(id, tags, claim, budget));
  tags.insert_or_assign(std::string(kStateTag), kReady);
  tags.insert_or_assign(std::string(kContentTag), kMaybe);
  HOLDFAST_CHECK(tag(id, tags, {claim}, budget));
  for (const auto& [key, value] : tags) disk.tags.insert_or_assign(key, value);
  disk.tags.erase(claim);
  return disk;
}

Result<Disk> DiskAdoption::alone(const std::string& id, const Tags& ours, const std::string& claim,
                                 const Budget& budget) const {
  HOLDFAST_TRY(Disk disk, looks_.get(id, budget));
  const std::string other = other_claim(disk.tags, claim);
  Status free = check_free(disk, ours);
  if (free && !other.empty()) {
    free =
        fail(Code::kAborted, "another volume, " + tag_of(disk.tags, other) + ", is taking disk " + id +
                                 ": ask again; if it is not, take the tag " + other + " off it in the cloud");
  }
  if (free) return disk;
  HOLDFAST_CHECK(tag(id, {}, {claim}, budget));
  return tl::unexpected(std::move(free).error());
}

Status DiskAdoption::tag(const std::string& id, const Tags& set, const std::vector<std::string>& unset,
                         const Budget& budget) const {
  cloud::Done done = looks_.backend().tag_disk(id, set, unset, budget.left());
  if (!done) return told(std::move(done).error(), "take disk " + id + " as a volume");
  return {};
}

}  // namespace holdfast::disk
