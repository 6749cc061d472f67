#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/kube/object.h"
#include "csi-nas/controller/site_work.h"

/// Work on a directory of a share, for a node of a site, as an object, cluster-scoped:
///
///     apiVersion: storage.holdfast.dev/v1alpha1
///     kind: NasTask
///     metadata: {name: task_object_name(), labels: {storage.holdfast.dev/site: <site>}}
///     spec:             written by the controller, and never changed
///       site            whose nodes may do it
///       attributes, mountOptions    how the share is mounted: as of a PersistentVolume
///       order           the words of a DirectoryOrder: verb, directory, owner, mode and so on
///     status:           written by the node that does it
///       holder          that node
///       epoch           how often it was taken by a node
///       renewals        raised by the holder while it lives
///       progress        how far it came, or what keeps it waiting, for people
///       state           absent (not done) | "done" | "failed"
///       answer          of one that is done: as of carry_out()
///       code, message   of one that failed: why, as gRPC names it
///       errno           of one that failed in a system call: what was begun may be left (ShareVolumes)
///
/// The controller makes it, takes its answer and then deletes it: it has no finalizer. A node that has taken
/// it acts as long as its renewals arrive, and others take it when they see none.
namespace holdfast::nas {

enum class TaskState : std::uint8_t { kOpen, kDone, kFailed };

struct TaskStatus {
  std::string holder{};
  std::int64_t epoch = 0;
  std::int64_t renewals = 0;
  std::string progress{};
  TaskState state = TaskState::kOpen;
  std::string answer{};
  std::optional<Code> code{};
  std::string message{};
  int sys_errno = 0;

  bool operator==(const TaskStatus&) const = default;
};

struct TaskObject {
  kube::ObjectId id{};
  SiteOrder spec{};
  TaskStatus status{};
};

/// What of an object is kept for decode_task().
[[nodiscard]] kube::KeptFields task_fields();

/// Where the share is mounted and who works on it is for a node to say: its order's words for them are not
/// read. Errors: kInvalidArgument, naming the member.
[[nodiscard]] Result<TaskObject> decode_task(const JsonObject& object);

/// A new object of that name, without status, which a server drops from it.
[[nodiscard]] nlohmann::json encode_task(const std::string& name, const SiteOrder& spec);
/// The whole status as a merge patch of it: what is unset is null, and so taken away.
[[nodiscard]] nlohmann::json encode_task_status(const TaskStatus& status);

/// The directory that it is about, by site and share; for people too: "10.0.0.5:/exports team-a/pvc-1".
/// Errors: as parse_source().
[[nodiscard]] Result<std::string> work_place(const SiteOrder& spec);
/// "make team-a/pvc-1"
[[nodiscard]] std::string told(const SiteOrder& spec);
/// The same, but for when it was asked first and what was known of the share then.
[[nodiscard]] bool same_work(const SiteOrder& one, const SiteOrder& other);

}  // namespace holdfast::nas
