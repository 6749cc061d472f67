#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/cluster/volume_task.h"

namespace holdfast::lvm {
namespace {

bool is_thick(const LogicalVolumeObject& object) { return !object.spec.parameters.contains("thinPool"); }

}  // namespace

RemoveTask::RemoveTask(const Tools& tools, std::string volume, VolumeKind kind,
                       std::chrono::nanoseconds patience, Done done)
    : VolumeTask(tools, patience, std::move(done)), volume_(std::move(volume)), kind_(kind) {}

Status RemoveTask::begin() {
  std::vector<const LogicalVolumeObject*> found = state().objects_of(volume_);
  std::erase_if(found, [this](const LogicalVolumeObject* each) { return each->spec.kind != kind_; });
  return found.empty() ? adopt() : begin_with(found);
}

// A tombstone that CreateVolume left behind is told that it may go, and not waited for: its node is dead.
Status RemoveTask::begin_with(const std::vector<const LogicalVolumeObject*>& found) {
  std::string live;
  for (const LogicalVolumeObject* object : found) {
    if (!object->deleting) {
      if (!live.empty()) {
        return fail(Code::kFailedPrecondition, "the nodes " + live + " and " + object->spec.node +
                                                   " both have one called " + volume_ + ": remove one");
      }
      live = object->spec.node;
    }
    objects_.insert(object->id.name);
    if (object->deleting && !object->spec.reclaim) forgotten_.insert(object->id.name);
  }
  for (const auto& [name, other] : state().volumes().all()) {
    const bool of_it = other.is_snapshot() && other.spec.source == volume_ && !other.deleting;
    if (of_it && other.spec.node == live && is_thick(*found.front())) {
      return fail(Code::kFailedPrecondition,
                  volume_ + " has the snapshot " + other.spec.volume_name + ": delete that first");
    }
  }
  return {};
}

// A volume of this cluster whose object was lost gets one, by which its node removes it.
Status RemoveTask::adopt() {
  LogicalVolumeSpec spec;
  for (const auto& [node, storage] : state().storages()) {
    const auto orphan = std::ranges::find(storage.status.orphans, volume_, &Orphan::volume);
    if (orphan == storage.status.orphans.end()) continue;
    if (!spec.node.empty()) {
      return fail(Code::kFailedPrecondition, "the nodes " + spec.node + " and " + node +
                                                 " both have a volume " + volume_ + ": remove one");
    }
    spec.node = node;
    spec.parameters = {{"vgName", orphan->group}};
  }
  if (spec.node.empty()) return {};
  spec.kind = kind_;
  spec.volume_name = volume_;
  spec.reclaim = true;
  objects_.insert(object_name(volume_, spec.node));
  create_object(spec);
  return {};
}

void RemoveTask::look() {
  if (!std::exchange(begun_, true)) {
    const Status begun = begin();
    if (!begun) return fail_with(begun.error());
    if (state().objects_of(volume_).empty() && !objects_.empty()) return;  // its object is being written
  }
  // A step that is taken is looked at when it is done.
  const bool all = std::ranges::all_of(objects_, [this](const std::string& name) { return take_step(name); });
  if (all && !ended()) end(LogicalVolumeObject{});
}

// Whether nothing more is to be done about this one.
bool RemoveTask::take_step(const std::string& name) {
  const LogicalVolumeObject* object = state().volumes().find(name);
  if (object == nullptr) return true;
  switch (decide_delete(object, state().life(object->spec.node))) {
    case DeleteStep::kAnswer:
      return true;
    case DeleteStep::kReclaim:
      patch_spec(*object, {{"reclaim", true}});
      return false;
    case DeleteStep::kRemove:
      remove_object(*object);
      return false;
    case DeleteStep::kAwait:
      break;
  }
  if (forgotten_.contains(name)) return true;
  waits_for_ = "the node " + object->spec.node;
  const LogicalVolumeStatus& status = object->status;
  if (status.code && status.observed_generation == object->generation) {
    fail_with({.code = *status.code, .sys_errno = 0, .message = status.message});
  }
  return false;
}

}  // namespace holdfast::lvm
