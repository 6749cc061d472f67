#include "csi-nas/controller/same_volume.h"

#include <algorithm>

#include "common/base/text.h"
#include "csi-nas/controller/record_ids.h"

namespace holdfast::nas {
namespace {

constexpr std::size_t kShown = 200;

std::string shown(const std::string& text) { return "'" + printable(text, kShown) + "'"; }

Status check_size_and_source(const NasRecord& record, const NewVolume& wanted) {
  const bool size_fits = record.bytes >= wanted.required_bytes &&
                         (wanted.limit_bytes == 0 || record.bytes <= wanted.limit_bytes);
  const std::string source = wanted.source ? wanted.source->id : "";
  const bool same_source =
      record.source == source && (source.empty() || record.of_snapshot == wanted.source->snapshot);
  if (size_fits && same_source) return {};
  return fail(Code::kAlreadyExists, "the volume " + shown(record.name) + " is there, with " +
                                        std::to_string(record.bytes) + " bytes" +
                                        (same_source ? "" : " and of another source"));
}

// Whether the class would make the volume that is there by its name.
Status check_same_class(const NasRecord& record, const NewVolume& wanted) {
  HOLDFAST_TRY(const ClassParameters asked, parse_class(wanted.parameters, wanted.mount_options));
  std::string other;
  if (kind_of(asked.volume_as) != record.kind) other = "volumeAs";
  if (asked.site != record.site) other = "site";
  const bool of_share = !is_of_cloud(record.kind);
  if (of_share && other.empty()) {
    HOLDFAST_TRY(const NasSource there, share_of(record));
    const auto& shares = asked.source.shares;
    if (std::ranges::find(shares, there.shares.front()) == shares.end()) other = "server";
  }
  if (record.kind == NasRecord::Kind::kSubpath) {
    if (asked.on_delete != record.on_delete) other = "onDelete";
    HOLDFAST_TRY(const RelativePath directory,
                 expand_directory(asked.sub_dir, read_names(wanted.parameters, wanted.name)));
    if (directory.text() != record.directory) other = "subDir";
  }
  if (other.empty()) return {};
  return fail(Code::kAlreadyExists,
              "the volume " + shown(record.name) + " is there, of a class with another " + other);
}

}  // namespace

NasRecord::Kind kind_of(VolumeAs what) {
  switch (what) {
    case VolumeAs::kSharepath:
      return NasRecord::Kind::kSharepath;
    case VolumeAs::kFilesystem:
      return NasRecord::Kind::kFilesystem;
    case VolumeAs::kAccesspoint:
      return NasRecord::Kind::kAccesspoint;
    case VolumeAs::kSubpath:
      break;
  }
  return NasRecord::Kind::kSubpath;
}

Status check_same_volume(const NasRecord& record, const NewVolume& wanted) {
  HOLDFAST_CHECK(check_size_and_source(record, wanted));
  return check_same_class(record, wanted);
}

}  // namespace holdfast::nas
