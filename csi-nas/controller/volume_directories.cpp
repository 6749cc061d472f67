#include "csi-nas/controller/volume_directories.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "common/csi/answers.h"
#include "csi-nas/controller/record_ids.h"

namespace holdfast::nas {
namespace {

// "20261121T231500Z"
std::string stamp_of(std::chrono::sys_seconds time) {
  std::string text = utc_text(time);
  std::erase_if(text, [](char each) { return each == '-' || each == ':'; });
  return text;
}

DirectoryOrder order_of(const NasRecord& record, DirectoryVerb verb) {
  return {.verb = verb,
          .directory = record.directory,
          .snapshot = record.kind == NasRecord::Kind::kSnapshot,
          .owner = record.name};
}

}  // namespace

VolumeDirectories::VolumeDirectories(NasRecords& records, ShareAccess& access, DirectoryWork& work,
                                     Clock& clock, SiteWork* sites)
    : records_(records), access_(access), work_(work), clock_(clock), sites_(sites) {}

Status VolumeDirectories::make(NasRecord& record, const std::optional<NasRecord>& source,
                               std::optional<mode_t> mode, Patience patience) {
  DirectoryOrder order = order_of(record, DirectoryVerb::kMake);
  order.mode = mode;
  if (source) {
    order.verb = DirectoryVerb::kCopy;
    order.source = source->directory;
    order.from_snapshot = source->kind == NasRecord::Kind::kSnapshot;
  }
  return work_on(record, std::move(order), patience);
}

Status VolumeDirectories::keep_before_making(NasRecord& record, const DirectoryOrder& order) {
  const bool makes = order.verb == DirectoryVerb::kMake || order.verb == DirectoryVerb::kCopy;
  if (!makes || !record.version.empty()) return {};
  return records_.put(record);
}

Status VolumeDirectories::work_at_site(NasRecord& record, const DirectoryOrder& order, Patience patience) {
  if (sites_ == nullptr) {
    return fail(Code::kUnavailable, "the volume is of the site " + record.site + ", which needs a cluster");
  }
  HOLDFAST_CHECK(keep_before_making(record, order));
  const SiteOrder wanted{.site = record.site,
                         .attributes = record.attributes,
                         .mount_options = record.mount_options,
                         .order = order};
  HOLDFAST_CHECK(sites_->run(wanted, std::min(patience, kWorkPatience)));
  return {};
}

// It, or another on the same share, was made.
bool VolumeDirectories::holds_volumes(const NasRecord& record) const {
  const auto is_beside = [&record](const NasRecord& other) {
    return other.ready && is_same_share(other, record) &&
           (other.kind == NasRecord::Kind::kSubpath || other.kind == NasRecord::Kind::kSnapshot);
  };
  return record.ready || std::ranges::any_of(records_.list(false), is_beside) ||
         std::ranges::any_of(records_.list(true), is_beside);
}

Status VolumeDirectories::work_on(NasRecord& record, DirectoryOrder order, Patience patience) {
  order.holds_volumes = holds_volumes(record);
  if (!record.site.empty()) return work_at_site(record, order, patience);
  HOLDFAST_TRY(NasSource source, share_of(record));
  source.must_exist = order.holds_volumes;
  const NasShare& share = source.shares.front();
  Result<std::string> mounted = access_.mounted_at(source, std::min(patience, kAccessPatience));
  if (!mounted) {
    Error error = std::move(mounted).error().within("mount " + share.source());
    if (source.must_exist && error.code == Code::kNotFound) error.code = Code::kUnavailable;
    // What an earlier call began lies there all the same.
    const bool begun = !record.version.empty() && !record.ready;
    return tl::unexpected(begun ? csi::may_be_left(std::move(error)) : std::move(error));
  }
  HOLDFAST_CHECK(keep_before_making(record, order));
  order.mounted_at = *std::move(mounted);
  const std::string place = share.source() + (order.snapshot ? " snapshot " : " ") + record.directory;
  HOLDFAST_CHECK(work_.run(place, share.host, std::move(order), std::min(patience, kWorkPatience)));
  return {};
}

Status VolumeDirectories::remove(const NasRecord& record, Patience patience) {
  DirectoryOrder order = order_of(record, DirectoryVerb::kRemove);
  if (record.on_delete == OnDelete::kRetain) order.verb = DirectoryVerb::kRetain;
  if (record.on_delete == OnDelete::kArchive) {
    order.verb = DirectoryVerb::kArchive;
    order.stamp = stamp_of(clock_.now());
  }
  NasRecord known = record;
  return work_on(known, std::move(order), patience);
}

}  // namespace holdfast::nas
