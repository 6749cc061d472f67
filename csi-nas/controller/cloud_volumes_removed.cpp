#include <utility>
#include <vector>

#include "common/csi/answers.h"
#include "csi-nas/controller/cloud_steps.h"
#include "csi-nas/controller/cloud_volumes.h"

// How volumes of a cloud are taken back.
namespace holdfast::nas {

using cloud::Answer;
using cloud::CallEnd;
using cloud::CallError;
using cloud::Done;

std::string attribute(const NasRecord& record, const std::string& key) {
  const auto found = record.attributes.find(key);
  return found == record.attributes.end() ? "" : found->second;
}

bool is_bounded(const NasRecord& record) {
  return attribute(record, "volumeCapacity") == "true" || attribute(record, "fileSystemType") == "extreme";
}

Status again_later(CallError error, std::string_view what) {
  Error told = cloud::to_error(std::move(error).within(what));
  return tl::unexpected(csi::may_be_left(std::move(told)));
}

Status CloudVolumes::remove(const NasRecord& record, Patience patience) {
  const Budget budget(clock_, patience);
  const bool kept =
      record.kind == NasRecord::Kind::kFilesystem && attribute(record, "deleteVolume") != "true";
  if (!kept || !record.ready) HOLDFAST_CHECK(take_back(record, budget));
  return records_.remove(record);
}

Status CloudVolumes::take_back(const NasRecord& record, const Budget& budget) {
  if (record.kind == NasRecord::Kind::kFilesystem) return take_back_file_system(record, budget);
  return take_back_point(record, budget);
}

Status CloudVolumes::take_back_file_system(const NasRecord& record, const Budget& budget) {
  std::vector<std::string> ids{attribute(record, "fileSystemId")};
  if (ids.front().empty()) {
    const Answer<std::vector<FileSystem>> there =
        backend_.file_systems(attribute(record, "description"), budget.left());
    if (!there) return again_later(there.error(), "look for the file system of " + record.name);
    ids.clear();
    for (const FileSystem& each : *there) ids.push_back(each.id);
  }
  for (const std::string& id : ids) {
    const Answer<std::vector<MountTarget>> targets = backend_.mount_targets(id, budget.left());
    if (!targets && targets.error().end == CallEnd::kNoSuchThing) continue;
    if (!targets) return again_later(targets.error(), "look for the mount targets of " + id);
    for (const MountTarget& target : *targets) {
      const Done done = backend_.delete_mount_target(id, target.domain, budget.left());
      if (!done) return again_later(done.error(), "delete the mount target " + target.domain);
    }
    const Done done = backend_.delete_file_system(id, budget.left());
    if (!done) return again_later(done.error(), "delete the file system " + id);
  }
  return {};
}

Status CloudVolumes::take_back_point(const NasRecord& record, const Budget& budget) {
  const std::string file_system = attribute(record, "fileSystemId");
  const Answer<std::vector<AccessPoint>> points = points_of(record, budget);
  if (!points && points.error().end == CallEnd::kNoSuchThing) return {};
  if (!points) return again_later(points.error(), "look for the access point of " + record.name);
  for (const AccessPoint& point : *points) {
    const Done done = backend_.delete_access_point(file_system, point.id, budget.left());
    if (!done) return again_later(done.error(), "delete the access point " + point.id);
  }
  if (!is_bounded(record)) return {};
  const Done done = backend_.cancel_quota(file_system, attribute(record, "accesspoint"), budget.left());
  if (!done) return again_later(done.error(), "cancel the quota of " + record.name);
  return {};
}

}  // namespace holdfast::nas
