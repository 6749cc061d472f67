#include "csi-lvm/cluster/protocol.h"

#include <algorithm>
#include <string>

#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

CreateDecision answer(CreateStep step, Code code, std::string message) {
  return {.step = step, .error = Error{.code = code, .sys_errno = 0, .message = std::move(message)}};
}

CreateDecision refuse_stale(CreateStep step, const std::string& node) {
  return answer(step, Code::kResourceExhausted,
                "the node " + node + " has told nothing for a while: it may be down");
}

// Whether one volume can be both.
bool fits(const LogicalVolumeSpec& there, const LogicalVolumeSpec& wanted) {
  const bool small_enough = wanted.limit_bytes == 0 || there.required_bytes <= wanted.limit_bytes;
  return there.kind == wanted.kind && there.asked_name == wanted.asked_name && there.block == wanted.block &&
         there.source == wanted.source && there.source_kind == wanted.source_kind &&
         there.parameters == wanted.parameters && there.required_bytes >= wanted.required_bytes &&
         small_enough;
}

CreateDecision decide_for_silent_node(const LogicalVolumeObject* object, const LogicalVolumeSpec& wanted) {
  if (object == nullptr || object->deleting) return refuse_stale(CreateStep::kAnswerError, wanted.node);
  const bool ready = object->status.state == VolumeState::kReady;
  // A snapshot can be nowhere else, and what was given out is there still.
  if (ready && (object->status.published || object->is_snapshot())) return {.step = CreateStep::kAnswer};
  if (object->is_snapshot()) {
    return answer(CreateStep::kAnswerError, Code::kUnavailable,
                  "the node " + wanted.node + ", which has the volume, may be down");
  }
  return refuse_stale(CreateStep::kTombstone, wanted.node);
}

// What was refused left nothing, and an LV of that name is another's; so it is with one that was not
// finished, unless it bears our tags.
bool left_nothing(const LogicalVolumeObject& object, const VolumeFacts& volume) {
  const bool pending = object.status.state == VolumeState::kPending;
  if (object.status.state == VolumeState::kRefused || volume.presence == Presence::kAbsent) return true;
  return pending && (volume.presence == Presence::kUnknown || !volume.ours);
}

NodeStep decide_tombstone(const LogicalVolumeObject& object, const VolumeFacts& volume) {
  if (!object.has_finalizer()) return NodeStep::kNone;
  if (left_nothing(object, volume)) return NodeStep::kDropFinalizer;
  if (volume.presence == Presence::kUnknown) return NodeStep::kKeep;
  if (object.spec.reclaim) return NodeStep::kRemoveVolume;
  const bool used = volume.published || object.status.published || object.is_snapshot();
  return used ? NodeStep::kKeep : NodeStep::kRemoveVolume;
}

}  // namespace

CreateDecision decide_create(const LogicalVolumeObject* object, const LogicalVolumeSpec& wanted,
                             const NodeLife& node) {
  if (object != nullptr && !object->deleting && !fits(object->spec, wanted)) {
    return answer(CreateStep::kAnswerError, Code::kAlreadyExists,
                  "there is another volume or snapshot " + wanted.volume_name + " on the node " +
                      wanted.node + ", with another size, class or source");
  }
  if (node.stale) return decide_for_silent_node(object, wanted);
  if (object == nullptr) return {.step = CreateStep::kWrite};
  if (object->deleting) return {.step = CreateStep::kAwait};
  switch (object->status.state) {
    case VolumeState::kReady:
      return {.step = CreateStep::kAnswer};
    case VolumeState::kRefused:
      return answer(CreateStep::kTakeBack, object->status.code.value_or(Code::kInternal),
                    object->status.message);
    case VolumeState::kPending:
      break;
  }
  return {.step = CreateStep::kAwait};
}

DeleteStep decide_delete(const LogicalVolumeObject* object, const NodeLife& node) {
  if (object == nullptr) return DeleteStep::kAnswer;
  if (!object->spec.reclaim) return DeleteStep::kReclaim;
  if (!object->deleting) return DeleteStep::kRemove;
  return node.gone ? DeleteStep::kAnswer : DeleteStep::kAwait;
}

NodeStep decide_node(const LogicalVolumeObject& object, const VolumeFacts& volume) {
  if (object.deleting) return decide_tombstone(object, volume);
  if (!object.has_finalizer()) return NodeStep::kAddFinalizer;
  switch (object.status.state) {
    case VolumeState::kPending:
      // One that is made to be deleted tells of a volume that is there.
      return object.spec.reclaim ? NodeStep::kNone : NodeStep::kMake;
    case VolumeState::kRefused:
      return NodeStep::kNone;
    case VolumeState::kReady:
      break;
  }
  if (volume.presence != Presence::kThere) return NodeStep::kTellLost;
  const bool grows = !object.is_snapshot() && object.spec.required_bytes > object.status.size_bytes;
  return grows && object.status.observed_generation != object.generation ? NodeStep::kGrow : NodeStep::kNone;
}

bool ever_published(const LogicalVolume& volume) {
  if (volume.tag_value(kStateTag) == kCreating)
    return false;  // also a copy, of which it is known what it holds
  if (volume.open || !volume.tag_value(kPublishedTag).empty()) return true;
  const std::string_view content = volume.tag_value(kContentTag);
  return volume.tag_value(kFromTag).empty() && !content.empty() && content != "new";
}

VolumeFacts facts_of(const LogicalVolumeObject& object, const Inventory& inventory,
                     std::string_view cluster) {
  VolumeFacts facts{.presence = Presence::kAbsent};
  const auto told = object.spec.parameters.find("vgName");
  const std::string group_name = object.status.group.empty() && told != object.spec.parameters.end()
                                     ? told->second
                                     : object.status.group;
  const VolumeGroup* its_group = group_name.empty() ? nullptr : inventory.group(group_name);
  if (!group_name.empty() && its_group == nullptr) facts.presence = Presence::kUnknown;
  for (const VolumeGroup& group : inventory.groups) {
    const LogicalVolume* volume = group.volume(object.spec.volume_name);
    if (volume == nullptr) continue;
    facts.presence = Presence::kThere;
    facts.ours = !volume->tag_value(kStateTag).empty() && volume->tag_value(kClusterTag) == cluster;
    facts.published = ever_published(*volume);
  }
  return facts;
}

bool is_ready_of(const LogicalVolume& volume, std::string_view cluster) {
  const bool of_pod = volume.tag_value(kLifeTag) == kPodsLife;
  return volume.tag_value(kStateTag) == kReady && volume.tag_value(kClusterTag) == cluster && !of_pod;
}

}  // namespace holdfast::lvm
