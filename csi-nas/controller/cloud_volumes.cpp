#include "csi-nas/controller/cloud_volumes.h"

#include <algorithm>
#include <random>

#include "common/base/sha.h"
#include "common/csi/answers.h"
#include "csi-nas/controller/cloud_steps.h"

namespace holdfast::nas {
namespace {

using cloud::Answer;
using cloud::CallEnd;
using cloud::CallError;
using cloud::Done;
using cloud::Refusal;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kLeastExtremeGib = 100;
constexpr std::size_t kTokenDigits = 32;
constexpr std::size_t kLabelDigits = 12;

// The same for a record whenever it is asked for, and another for one of the same name made later: of the
// word in its label.
std::string token_of(const NasRecord& record, std::string_view what) {
  std::string text(what);
  text += "\n" + record.name + "\n" + attribute(record, "description");
  return sha256_hex(text).substr(0, kTokenDigits);
}

std::string random_word() {
  std::random_device source;
  return std::to_string(source()) + std::to_string(source());
}

std::uint64_t gib_of(std::uint64_t bytes) { return std::max<std::uint64_t>(1, (bytes + kGiB - 1) / kGiB); }

// Whether asking again for the same cannot do otherwise.
bool is_final(const CallError& error) {
  if (error.end == CallEnd::kNoSuchThing) return true;
  if (error.end != CallEnd::kRefused) return false;
  const Refusal why = cloud::refusal_of(error.code);
  return why == Refusal::kInvalid || why == Refusal::kQuota || why == Refusal::kExists;
}

Status under_way(std::string_view what) {
  std::string message(what);
  message += " is not active";
  return fail(Code::kAborted, std::move(message));
}

// What the volume of a class is, as the record keeps it.
void describe(NasRecord& record, const CloudClass& wanted) {
  NasAttributes& attributes = record.attributes;
  const bool file_system = record.kind == NasRecord::Kind::kFilesystem;
  attributes["volumeAs"] = file_system ? "filesystem" : "accesspoint";
  if (file_system) {
    attributes["description"] = record.name + " " + sha256_hex(random_word()).substr(0, kLabelDigits);
    attributes["fileSystemType"] = wanted.file_system.type;
    attributes["deleteVolume"] = wanted.delete_volume ? "true" : "false";
    return;
  }
  attributes["fileSystemId"] = wanted.point.file_system;
  attributes["accesspoint"] = (wanted.point.root == "/" ? "" : wanted.point.root) + "/" + record.name;
  attributes["volumeCapacity"] = wanted.quota ? "true" : "false";
}

}  // namespace

Result<NasRecord> CloudVolumes::create(NasRecord record, const CloudClass& wanted, std::uint64_t limit_bytes,
                                       Patience patience) {
  const Budget budget(clock_, patience);
  const bool again = !record.version.empty();
  if (!again) {
    describe(record, wanted);
    if (is_bounded(record)) record.bytes = gib_of(record.bytes) * kGiB;
    if (wanted.file_system.type == "extreme") record.bytes = std::max(record.bytes, kLeastExtremeGib * kGiB);
    if (limit_bytes != 0 && record.bytes > limit_bytes) {
      return fail(Code::kOutOfRange, "the volume would have " + std::to_string(record.bytes) + " bytes");
    }
    HOLDFAST_CHECK(records_.put(record));
  }
  if (record.kind == NasRecord::Kind::kFilesystem) {
    HOLDFAST_CHECK(make_file_system(record, wanted, again, budget));
    HOLDFAST_CHECK(make_mount_target(record, wanted, budget));
  } else {
    HOLDFAST_CHECK(make_access_point(record, wanted, again, budget));
    if (is_bounded(record)) HOLDFAST_CHECK(set_quota(record, budget));
  }
  record.ready = true;
  HOLDFAST_CHECK(keep(record));
  return record;
}

// What was made is paid for: an error that ended the matter would leave it with nobody who knows of it.
Status CloudVolumes::keep(NasRecord& record) {
  Status done = records_.put(record);
  if (!done) return tl::unexpected(csi::may_be_left(std::move(done).error()));
  return done;
}

Status CloudVolumes::make_file_system(NasRecord& record, const CloudClass& wanted, bool again,
                                      const Budget& budget) {
  if (!attribute(record, "fileSystemId").empty()) return {};
  FileSystemSpec spec = wanted.file_system;
  spec.label = attribute(record, "description");
  spec.gib = spec.type == "extreme" ? gib_of(record.bytes) : 0;
  std::string id;
  if (again) {
    const Answer<std::vector<FileSystem>> there = backend_.file_systems(spec.label, budget.left());
    if (!there) return failed(record, there.error(), budget);
    if (!there->empty()) id = there->front().id;
  }
  if (id.empty()) {
    const Answer<std::string> made =
        backend_.create_file_system(spec, token_of(record, "file system"), budget.left());
    if (!made) return failed(record, made.error(), budget);
    id = *made;
  }
  record.attributes["fileSystemId"] = id;
  return keep(record);
}

Status CloudVolumes::make_mount_target(NasRecord& record, const CloudClass& wanted, const Budget& budget) {
  HOLDFAST_TRY(const std::string domain, active_target(record, wanted, budget));
  // Of extreme NAS it is told with the path.
  const bool extreme = attribute(record, "fileSystemType") == "extreme";
  record.attributes["server"] = domain.substr(0, domain.find(':'));
  record.attributes["path"] = extreme ? "/share" : "/";
  return {};
}

// The domain of the file system's mount target, which is made when there is none.
Result<std::string> CloudVolumes::active_target(const NasRecord& record, const CloudClass& wanted,
                                                const Budget& budget) {
  MountTargetSpec spec = wanted.target;
  spec.file_system = attribute(record, "fileSystemId");
  bool asked = false;
  for (;;) {
    const Answer<std::vector<MountTarget>> there = backend_.mount_targets(spec.file_system, budget.left());
    if (!there) return tl::unexpected(failed(record, there.error(), budget).error());
    if (!there->empty() && there->front().active) return there->front().domain;
    if (!there->empty() || asked) {
      if (budget.wait()) continue;
      break;
    }
    const Done made = backend_.create_mount_target(spec, budget.left());
    if (!made) return tl::unexpected(failed(record, made.error(), budget).error());
    asked = true;
  }
  return tl::unexpected(under_way("the mount target of " + spec.file_system).error());
}

Status CloudVolumes::make_access_point(NasRecord& record, const CloudClass& wanted, bool again,
                                       const Budget& budget) {
  HOLDFAST_TRY(const AccessPoint point, active_point(record, wanted, again, budget));
  record.attributes["server"] = point.domain;
  record.attributes["path"] = "/";
  return {};
}

Result<AccessPoint> CloudVolumes::active_point(const NasRecord& record, const CloudClass& wanted, bool again,
                                               const Budget& budget) {
  AccessPointSpec spec = wanted.point;
  spec.name = record.name;
  spec.root = attribute(record, "accesspoint");
  for (bool look = again, asked = false;; look = true) {
    if (look) {
      const Answer<std::vector<AccessPoint>> there = points_of(record, budget);
      if (!there) return tl::unexpected(failed(record, there.error(), budget).error());
      if (!there->empty() && there->front().active) return there->front();
      asked = asked || !there->empty();
      if (asked && budget.wait()) continue;
      if (asked) break;
    }
    const Done made = backend_.create_access_point(spec, budget.left());
    if (!made) return tl::unexpected(failed(record, made.error(), budget).error());
    asked = true;
  }
  return tl::unexpected(under_way("the access point of " + record.name).error());
}

// Those of the record: of its name, and on its directory.
Answer<std::vector<AccessPoint>> CloudVolumes::points_of(const NasRecord& record, const Budget& budget) {
  Answer<std::vector<AccessPoint>> there =
      backend_.access_points(attribute(record, "fileSystemId"), record.name, budget.left());
  if (!there) return there;
  const std::string root = attribute(record, "accesspoint");
  std::erase_if(*there, [&root](const AccessPoint& each) { return each.root != root; });
  return there;
}

Status CloudVolumes::set_quota(NasRecord& record, const Budget& budget) {
  const Done set = backend_.set_quota(attribute(record, "fileSystemId"), attribute(record, "accesspoint"),
                                      gib_of(record.bytes), budget.left());
  if (!set) return failed(record, set.error(), budget);
  return {};
}

// The answer to a call in which the making of a volume failed.
Status CloudVolumes::failed(const NasRecord& record, CallError error, const Budget& budget) {
  if (!is_final(error)) return again_later(std::move(error), "make " + record.name);
  HOLDFAST_CHECK(take_back(record, budget));
  HOLDFAST_CHECK(records_.remove(record));
  Error told = cloud::to_error(std::move(error).within("make " + record.name));
  // What is missing is a part of the class; a volume that is not found would be taken for its source.
  if (told.code == Code::kNotFound) told.code = Code::kInvalidArgument;
  return tl::unexpected(std::move(told));
}

Result<std::uint64_t> CloudVolumes::extend(NasRecord record, std::uint64_t required_bytes,
                                           std::uint64_t limit_bytes, Patience patience) {
  const Budget budget(clock_, patience);
  const std::uint64_t bytes = is_bounded(record) ? gib_of(required_bytes) * kGiB : required_bytes;
  if (limit_bytes != 0 && bytes > limit_bytes) {
    return fail(Code::kOutOfRange, "the volume would have " + std::to_string(bytes) + " bytes");
  }
  const std::string id = attribute(record, "fileSystemId");
  Done done;
  if (attribute(record, "fileSystemType") == "extreme") {
    const std::string token = token_of(record, "grow to " + std::to_string(bytes));
    done = backend_.grow_file_system(id, bytes / kGiB, token, budget.left());
  } else if (is_bounded(record)) {
    done = backend_.set_quota(id, attribute(record, "accesspoint"), bytes / kGiB, budget.left());
  }
  if (!done) return tl::unexpected(cloud::to_error(std::move(done).error().within("extend " + record.name)));
  record.bytes = bytes;
  HOLDFAST_CHECK(records_.put(record));
  return bytes;
}

}  // namespace holdfast::nas
