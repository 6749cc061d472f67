#include <algorithm>
#include <utility>

#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/cluster/volume_task.h"

namespace holdfast::lvm {

CreateTask::CreateTask(const Tools& tools, VolumeWish wish, std::chrono::nanoseconds patience, Done done)
    : VolumeTask(tools, patience, std::move(done)), wish_(std::move(wish)) {
  why_not_ = {.code = Code::kResourceExhausted,
              .sys_errno = 0,
              .message = "no node of csi-lvm is among those that " + wish_.spec.volume_name + " may be on"};
}

LogicalVolumeSpec CreateTask::spec_on(const std::string& node) const {
  LogicalVolumeSpec spec = wish_.spec;
  spec.node = node;
  return spec;
}

CreateDecision CreateTask::decide(const std::string& node) const {
  const LogicalVolumeSpec spec = spec_on(node);
  return decide_create(state().volumes().find(object_name(spec.volume_name, node)), spec, state().life(node));
}

std::string CreateTask::waits_for() const {
  return node_.empty() ? "a node to be chosen" : "the node " + node_;
}

// Of an earlier call for other nodes, which nobody asks for any more. True: there is one, and it is dealt
// with.
bool CreateTask::remove_stray(const std::vector<std::string>& nodes) {
  for (const LogicalVolumeObject* object : state().objects_of(wish_.spec.volume_name)) {
    const bool wanted = std::ranges::find(nodes, object->spec.node) != nodes.end();
    if (object->deleting || wanted) continue;
    const bool another = object->spec.asked_name != wish_.spec.asked_name;
    if (another || object->status.published || object->is_snapshot() ||
        wish_.spec.kind == VolumeKind::kSnapshot) {
      fail_with({.code = Code::kAlreadyExists,
                 .sys_errno = 0,
                 .message = "there is a volume or snapshot " + wish_.spec.volume_name + " on the node " +
                            object->spec.node});
    } else {
      remove_object(*object);
    }
    return true;
  }
  return false;
}

// One that it is on, else the first with room, else one that has to clear something away first.
void CreateTask::choose(const std::vector<std::string>& nodes) {
  std::string waits;
  std::string has_room;
  for (const std::string& node : nodes) {
    if (tried_.contains(node)) continue;
    const CreateDecision next = decide(node);
    const LogicalVolumeObject* object = state().volumes().find(object_name(wish_.spec.volume_name, node));
    if (object != nullptr && !object->deleting) {
      node_ = node;
      return;
    }
    if (next.step == CreateStep::kAwait && waits.empty()) waits = node;
    if (next.step == CreateStep::kAnswerError) why_not_ = next.error;
    if (next.step != CreateStep::kWrite || !has_room.empty()) continue;
    const Status fits = wish_.predicted ? predict(state().figures(node), spec_on(node)) : Status{};
    if (fits) {
      has_room = node;
    } else {
      why_not_ = fits.error();
    }
  }
  node_ = has_room.empty() ? waits : has_room;
}

void CreateTask::look() {
  if (node_.empty()) {
    const std::vector<std::string> nodes = wish_.nodes(state());
    if (remove_stray(nodes)) return;
    choose(nodes);
    if (node_.empty()) return fail_with(why_not_);
  }
  take_step(decide(node_));
}

void CreateTask::give_up_node(Error error) {
  tried_.insert(std::exchange(node_, ""));
  why_not_ = std::move(error);
}

void CreateTask::take_step(const CreateDecision& next) {
  const LogicalVolumeObject* object = state().volumes().find(object_name(wish_.spec.volume_name, node_));
  switch (next.step) {
    case CreateStep::kWrite: {
      const Status fits = wish_.predicted ? predict(state().figures(node_), spec_on(node_)) : Status{};
      if (fits) return create_object(spec_on(node_));
      give_up_node(fits.error());
      return look();
    }
    case CreateStep::kAwait:
      return;
    case CreateStep::kAnswer:
      return end(*object);
    case CreateStep::kTombstone:
    case CreateStep::kTakeBack:
      return remove_object(*object, [this, error = next.error] {
        if (error.code != Code::kResourceExhausted) return fail_with(error);
        give_up_node(error);
      });
    case CreateStep::kAnswerError:
      if (next.error.code != Code::kResourceExhausted) return fail_with(next.error);
      give_up_node(next.error);
      return look();
  }
}

}  // namespace holdfast::lvm
