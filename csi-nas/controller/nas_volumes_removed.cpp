#include <utility>

#include "common/base/text.h"
#include "common/csi/answers.h"
#include "csi-nas/controller/nas_volumes.h"
#include "csi-nas/controller/record_ids.h"

// How volumes and snapshots end.
namespace holdfast::nas {
namespace {

constexpr std::size_t kShown = 200;

std::string shown(const std::string& text) { return "'" + printable(text, kShown) + "'"; }

}  // namespace

Status NasVolumes::remove(const std::string& id, Patience patience) {
  HOLDFAST_TRY(std::optional<NasRecord> record, records_.by_id(id));
  if (!record) {
    HOLDFAST_TRY(record, record_from_handle(id));
  }
  if (!record) return {};
  if (record->kind == NasRecord::Kind::kSnapshot) {
    return fail(Code::kInvalidArgument, shown(id) + " is a snapshot, not a volume");
  }
  if (is_of_cloud(record->kind)) {
    HOLDFAST_TRY(CloudVolumes* const volumes, cloud());
    return volumes->remove(*record, patience);
  }
  if (record->kind == NasRecord::Kind::kSharepath) return records_.remove(*record);
  return remove_directory(*record, patience);
}

// The record stays until the directory is gone, and says meanwhile that nothing is to be made of it.
Status NasVolumes::remove_directory(NasRecord& record, Patience patience) {
  if (!record.deleting && !record.version.empty()) {
    record.deleting = true;
    Status marked = records_.put(record);
    // Where there is no room for the mark, it is deleted without.
    if (!marked && marked.error().code != Code::kResourceExhausted) return marked;
  }
  HOLDFAST_CHECK(directories_.remove(record, patience));
  return records_.remove(record);
}

Status NasVolumes::remove_snapshot(const std::string& id, Patience patience) {
  HOLDFAST_TRY(std::optional<NasRecord> record, records_.by_id(id));
  if (!record) {
    HOLDFAST_TRY(record, record_from_handle(id));
  }
  if (!record) return {};
  if (record->kind != NasRecord::Kind::kSnapshot) {
    return fail(Code::kInvalidArgument, shown(id) + " is a volume, not a snapshot");
  }
  return remove_directory(*record, patience);
}

// What was begun of a copy whose source is gone: nobody asks for it again.
Status NasVolumes::abandon(const NasRecord& record, Patience patience) {
  NasRecord begun = record;
  begun.on_delete = OnDelete::kDelete;
  Status done = directories_.remove(begun, patience);
  // Somebody's directory is there: it is not ours.
  if (!done && done.error().code != Code::kFailedPrecondition) {
    return tl::unexpected(csi::may_be_left(std::move(done).error()));
  }
  return records_.remove(record);
}

}  // namespace holdfast::nas
