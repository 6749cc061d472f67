#include "csi-lvm/cluster/volume_task.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/csi/answers.h"
#include "csi-lvm/cluster/storage_names.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::minutes kLongest{10};
constexpr std::chrono::milliseconds kForTheAnswer{100};  // to be on its way before the caller gives up
constexpr std::chrono::milliseconds kAgain{200};
constexpr std::chrono::seconds kOneWrite{10};

}  // namespace

VolumeTask::VolumeTask(const Tools& tools, nanoseconds patience, Done done)
    : tools_(tools), done_(std::move(done)) {
  const nanoseconds most = std::clamp<nanoseconds>(patience - kForTheAnswer, nanoseconds{}, kLongest);
  deadline_ = tools_.loop.after(most, [this] {
    out_of_time_ = true;
    fail_with({.code = Code::kAborted, .sys_errno = 0, .message = "still waiting for " + waits_for()});
  });
}

void VolumeTask::step() {
  if (!ended_ && !call_ && !again_.pending() && tools_.state.is_known()) look();
}

void VolumeTask::end(Result<LogicalVolumeObject> result) {
  if (std::exchange(ended_, true)) return;
  call_.reset();
  again_.end();
  deadline_.end();
  done_(std::move(result));
}

kube::CallOptions VolumeTask::options() const {
  return {.kept = logical_volume_fields(), .deadline = kOneWrite};
}

void VolumeTask::look_again(nanoseconds delay) {
  again_ = tools_.loop.after(delay, [this] { step(); });
}

void VolumeTask::wrote(const Result<json>& kept) {
  call_.reset();
  if (kept) {
    tools_.state.volumes().told(*kept);
    return look_again({});
  }
  const Code code = kept.error().code;
  const bool changed_meanwhile =
      code == Code::kAborted || code == Code::kNotFound || code == Code::kAlreadyExists;
  // What has changed is told by the watch.
  if (changed_meanwhile) return look_again(kAgain);
  fail_with(csi::may_be_left(Error(kept.error()).within("write the LogicalVolume")));
}

void VolumeTask::create_object(const LogicalVolumeSpec& spec) {
  call_ = tools_.client.create(
      logical_volumes(), encode_logical_volume(spec), [this](const Result<json>& kept) { wrote(kept); },
      options());
}

void VolumeTask::patch_spec(const LogicalVolumeObject& object, const json& changes) {
  const json patch{{"metadata", {{"resourceVersion", object.id.resource_version}}}, {"spec", changes}};
  call_ = tools_.client.merge(
      logical_volumes(), object.id.name, patch, [this](const Result<json>& kept) { wrote(kept); }, options());
}

void VolumeTask::remove_object(const LogicalVolumeObject& object, std::function<void()> removed) {
  kube::CallOptions with_kind = options();
  with_kind.kept.emplace_back("kind");  // a Status where nothing is left of it
  call_ = tools_.client.remove(
      logical_volumes(), object.id.name, object.id.uid,
      [this, id = object.id, removed = std::move(removed)](const Result<json>& kept) {
        const bool gone = kept && kube::text_of(*kept, "kind") == "Status";
        if (gone || (!kept && kept.error().code == Code::kNotFound)) tools_.state.volumes().removed(id);
        if (kept && removed) removed();
        wrote(kept);
      },
      std::move(with_kind));
}

}  // namespace holdfast::lvm
