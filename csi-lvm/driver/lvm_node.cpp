#include "csi-lvm/driver/lvm_node.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "csi-lvm/driver/csi_requests.h"
#include "csi-lvm/driver/inline_volume.h"
#include "csi-lvm/driver/node_requests.h"
#include "csi-lvm/driver/volume_record.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {
namespace {

using Capability = csi::v1::NodeServiceCapability::RPC;
// Not those of 1.13: callers of today refuse a driver that has one that they do not know. Their calls are
// answered all the same.
constexpr Capability::Type kCapabilities[] = {
    Capability::STAGE_UNSTAGE_VOLUME, Capability::GET_VOLUME_STATS,         Capability::EXPAND_VOLUME,
    Capability::VOLUME_CONDITION,     Capability::SINGLE_NODE_MULTI_WRITER, Capability::VOLUME_MOUNT_GROUP};

tl::unexpected<Error> no_such_volume(const std::string& id) {
  return fail(Code::kNotFound, "there is no volume " + id + " on this node");
}

}  // namespace

LvmNode::LvmNode(NodeParts parts, std::string topology_key, std::string node)
    : parts_(std::move(parts)),
      stager_({parts_.mounter, parts_.preparer, parts_.stats, parts_.grow, parts_.give_to_group}),
      topology_key_(std::move(topology_key)),
      node_(std::move(node)) {}

Status LvmNode::capabilities(const csi::Call& /*call*/,
                             const csi::v1::NodeGetCapabilitiesRequest& /*request*/,
                             csi::v1::NodeGetCapabilitiesResponse& response) {
  for (const Capability::Type type : kCapabilities)
    response.add_capabilities()->mutable_rpc()->set_type(type);
  return {};
}

Status LvmNode::info(const csi::Call& /*call*/, const csi::v1::NodeGetInfoRequest& /*request*/,
                     csi::v1::NodeGetInfoResponse& response) {
  response.set_node_id(node_);
  (*response.mutable_accessible_topology()->mutable_segments())[topology_key_] = node_;
  return {};
}

Result<LocalVolume> LvmNode::find(const csi::Call& call, const std::string& id) {
  if (!check_name(id)) return no_such_volume(id);
  HOLDFAST_TRY(LocalVolume volume, parts_.volumes.locate(id, patience_of(call)));
  if (volume.taken != 0) return fail(Code::kNotFound, id + " is a snapshot, not a volume");
  const std::scoped_lock lock(mutex_);
  known_[id] = known_of(volume);
  return volume;
}

LvmNode::Known LvmNode::known_of(const LocalVolume& volume) {
  // An encrypted one is given only when its encryption is made, and told then.
  const bool unused = !volume.encrypted && block::is_unused(block::parse_provenance(volume.content));
  return {
      .name = volume.name, .device = used_device(volume), .files_only = volume.files_only, .unused = unused};
}

Result<LvmNode::Known> LvmNode::known(const csi::Call& call, const std::string& id) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find(id);
    if (found != known_.end()) return found->second;
  }
  HOLDFAST_TRY(const LocalVolume volume, find(call, id));
  return known_of(volume);
}

void LvmNode::forget(const std::string& id) {
  parts_.stats.remove(id);
  const std::scoped_lock lock(mutex_);
  known_.erase(id);
}

Status LvmNode::stage_volume(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                             csi::v1::NodeStageVolumeResponse& /*response*/) {
  HOLDFAST_CHECK(check_capability(request.volume_capability()));
  HOLDFAST_CHECK(staging::group_of(request.volume_capability()));
  HOLDFAST_TRY(const LocalVolume volume, find(call, request.volume_id()));
  HOLDFAST_CHECK(check_raw_use(request.volume_id(), volume.files_only, request.volume_capability()));
  if (!volume.active) HOLDFAST_CHECK(parts_.lvm.activate(volume.name, patience_of(call)));
  if (volume.unused_copy) {
    // From now on a cluster's controller must not take it for unused.
    HOLDFAST_CHECK(parts_.lvm.change_tags(volume.name, {}, {tag(kPublishedTag, kYes)}, patience_of(call)));
  }
  Status staged = request.volume_capability().has_block() ? stage_raw(call, request, volume)
                                                          : stage_files(call, request, volume);
  if (!staged) close_unused(volume, call);
  return staged;
}

Status LvmNode::stage_files(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                            const LocalVolume& volume) {
  HOLDFAST_TRY(const block::PrepareRequest wanted, prepare_request_of(request, volume));
  VolumeRecord record(parts_.lvm, volume, patience_of(call));
  return stager_.stage(call, request,
                       {.id = volume.name.volume,
                        .device = used_device(volume),
                        .least_bytes = least_bytes(volume),
                        .hints = hints_of(volume)},
                       wanted, record);
}

Status LvmNode::stage_raw(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                          const LocalVolume& volume) {
  if (volume.encrypted) {
    VolumeRecord record(parts_.lvm, volume, patience_of(call));
    HOLDFAST_TRY(const block::PrepareRequest wanted, prepare_request_of(request, volume));
    HOLDFAST_CHECK(
        parts_.preparer.prepare(wanted, record, patience_of(call), [&call] { return call.cancelled(); }));
  }
  HOLDFAST_CHECK(begin_raw_use(call, volume));
  parts_.stats.add(request.volume_id(), used_device(volume));
  return {};
}

Status LvmNode::begin_raw_use(const csi::Call& call, const LocalVolume& volume) {
  if (!known_of(volume).unused) return {};
  VolumeRecord record(parts_.lvm, volume, patience_of(call));
  HOLDFAST_CHECK(record.write({block::Provenance::Kind::kMaybe, {}}));
  const std::scoped_lock lock(mutex_);
  for (auto& [id, known] : known_) {
    if (known.name == volume.name) known.unused = false;
  }
  return {};
}

Status LvmNode::unstage_volume(const csi::Call& call, const csi::v1::NodeUnstageVolumeRequest& request,
                               csi::v1::NodeUnstageVolumeResponse& /*response*/) {
  const std::string& target = request.staging_target_path();
  HOLDFAST_TRY(const auto there, parts_.mounter.entry_at(target));
  if (there && !is_named_by(there->source, request.volume_id())) {
    return fail(Code::kFailedPrecondition,
                target + " has something else mounted: " + there->source + there->root);
  }
  std::string device = there ? there->source : "";
  if (!there) {
    const auto volume = known(call, request.volume_id());
    // One that is gone is staged nowhere.
    if (!volume && volume.error().code == Code::kNotFound) return {};
    if (!volume) return tl::unexpected(volume.error());
    device = volume->device;
  }
  HOLDFAST_TRY(const std::vector<std::string> others, other_stagings(target, device));
  // A late call for a path that was given up: what is staged elsewhere is in use.
  if (!there && !others.empty()) return {};
  for (const std::string& other : others) HOLDFAST_CHECK(parts_.mounter.unpublish(other));
  HOLDFAST_CHECK(stager_.unstage(target, device));
  HOLDFAST_CHECK(close(device, call));
  forget(request.volume_id());
  return {};
}

// While a pod has it nothing is unmounted, and unstaging is refused.
Result<std::vector<std::string>> LvmNode::other_stagings(const std::string& target,
                                                         const std::string& device) {
  HOLDFAST_TRY(const mount::Mounts mounts, staging::mounts_below(parts_.mounter, device));
  std::vector<std::string> others;
  for (const mount::MountEntry& entry : mounts) {
    if (entry.target == target) continue;
    if (!staging::is_global_mount(entry.target)) return std::vector<std::string>();
    others.push_back(entry.target);
  }
  return others;
}

// What is no clear device is left as it is.
Status LvmNode::close(const std::string& device, const csi::Call& call) {
  const std::string folder = block::clear_path("");
  if (!device.starts_with(folder)) return {};
  return parts_.encryption.close(device.substr(folder.size()), patience_of(call));
}

// Kubelet need not call unstage for what was never staged, and an open one could not be deleted.
void LvmNode::close_unused(const LocalVolume& volume, const csi::Call& call) {
  if (!volume.encrypted) return;
  const auto mounts = parts_.mounter.mounts_of(used_device(volume));
  // One that is in use otherwise is not closed by this either.
  if (mounts && mounts->empty()) static_cast<void>(close(used_device(volume), call));
}

Status LvmNode::publish_volume(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                               csi::v1::NodePublishVolumeResponse& /*response*/) {
  return csi::is_inline(request) ? publish_inline(call, request) : publish_staged(call, request);
}

Status LvmNode::publish_staged(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request) {
  HOLDFAST_CHECK(check_capability(request.volume_capability()));
  HOLDFAST_TRY(const Known volume, known(call, request.volume_id()));
  HOLDFAST_CHECK(check_raw_use(request.volume_id(), volume.files_only, request.volume_capability()));
  if (request.volume_capability().has_block() && volume.unused) {
    // It was not staged, or is not by what is remembered.
    HOLDFAST_TRY(const LocalVolume now, find(call, request.volume_id()));
    HOLDFAST_CHECK(begin_raw_use(call, now));
  }
  return stager_.publish(call, request, volume.device);
}

// Only what is certain: a device that is gone, or that came back under another number, is named by nothing
// any more, and its pod is to end all the same.
bool LvmNode::is_other_device(const csi::Call& call, const csi::v1::NodeUnpublishVolumeRequest& request) {
  const auto volume = known(call, request.volume_id());
  if (!volume) return false;
  const auto mounts = parts_.mounter.mounts_of(volume->device);
  if (!mounts || mounts->empty()) return false;
  return std::ranges::find(*mounts, request.target_path(), &mount::MountEntry::target) == mounts->end();
}

Status LvmNode::unpublish_volume(const csi::Call& call, const csi::v1::NodeUnpublishVolumeRequest& request,
                                 csi::v1::NodeUnpublishVolumeResponse& /*response*/) {
  const std::string& target = request.target_path();
  HOLDFAST_TRY(const auto there, parts_.mounter.entry_at(target));
  const bool raw = there && there->type == "devtmpfs";
  const bool other =
      raw ? is_other_device(call, request) : there && !is_named_by(there->source, request.volume_id());
  if (other) {
    return fail(Code::kFailedPrecondition,
                target + " has something else mounted: " + there->source + there->root);
  }
  HOLDFAST_CHECK(parts_.mounter.unpublish(target));
  return may_be_inline(request.volume_id()) ? end_inline(call, request.volume_id()) : Status();
}

}  // namespace holdfast::lvm
