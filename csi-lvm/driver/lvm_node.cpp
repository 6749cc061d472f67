#include "csi-lvm/driver/lvm_node.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "csi-lvm/driver/csi_requests.h"
#include "csi-lvm/driver/inline_volume.h"
#include "csi-lvm/driver/node_requests.h"
#include "csi-lvm/driver/volume_record.h"
#include "csi-lvm/lvm/lvm_command.h"

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

bool is_of(const mount::MountEntry& entry, const mount::Mounts& mounts) {
  return std::ranges::any_of(mounts, [&entry](const mount::MountEntry& each) {
    return each.type == entry.type && each.major == entry.major && each.minor == entry.minor;
  });
}

}  // namespace

LvmNode::LvmNode(NodeParts parts, std::string topology_key, std::string node)
    : parts_(std::move(parts)), topology_key_(std::move(topology_key)), node_(std::move(node)) {}

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
  known_[id] = {volume.name, used_device(volume)};
  return volume;
}

Result<LvmNode::Known> LvmNode::known(const csi::Call& call, const std::string& id) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find(id);
    if (found != known_.end()) return found->second;
  }
  HOLDFAST_TRY(const LocalVolume volume, find(call, id));
  return Known{volume.name, used_device(volume)};
}

void LvmNode::forget(const std::string& id) {
  parts_.stats.remove(id);
  const std::scoped_lock lock(mutex_);
  known_.erase(id);
}

Result<bool> LvmNode::is_broken(const std::string& target) {
  HOLDFAST_TRY(const mount::TargetState state, parts_.mounter.look(target));
  return state == mount::TargetState::kBroken;
}

Status LvmNode::stage_volume(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                             csi::v1::NodeStageVolumeResponse& /*response*/) {
  HOLDFAST_CHECK(check_capability(request.volume_capability()));
  HOLDFAST_CHECK(group_of(request.volume_capability()));
  HOLDFAST_TRY(const LocalVolume volume, find(call, request.volume_id()));
  if (!volume.active) HOLDFAST_CHECK(parts_.lvm.activate(volume.name, patience_of(call)));
  if (request.volume_capability().has_block()) return stage_raw(call, request, volume);
  const std::string device = used_device(volume);
  const std::string& target = request.staging_target_path();
  HOLDFAST_TRY(const bool broken, is_broken(target));
  if (broken) HOLDFAST_CHECK(parts_.mounter.unstage(target, device));
  HOLDFAST_TRY(const auto there, parts_.mounter.entry_at(target));
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(device));
  const mount::MountEntry* used = there ? &*there : whole_mount(mounts);
  return used != nullptr ? mount_again(request, volume, used->type) : mount(call, request, volume);
}

Status LvmNode::stage_raw(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                          const LocalVolume& volume) {
  VolumeRecord record(parts_.lvm, volume, patience_of(call));
  if (volume.encrypted) {
    HOLDFAST_TRY(const block::PrepareRequest wanted, prepare_request_of(request, volume));
    HOLDFAST_CHECK(
        parts_.preparer.prepare(wanted, record, patience_of(call), [&call] { return call.cancelled(); }));
  } else if (volume.content == "new") {
    // From now on nobody can tell what is on it; a cluster's controller must not take it for unused.
    HOLDFAST_CHECK(record.write({block::Provenance::Kind::kMaybe, {}}));
  }
  parts_.stats.add(request.volume_id(), used_device(volume));
  return {};
}

// What is mounted already, here or elsewhere, is not looked at and not checked: somebody uses it.
Status LvmNode::mount_again(const csi::v1::NodeStageVolumeRequest& request, const LocalVolume& volume,
                            const std::string& fs_type) {
  const std::string& target = request.staging_target_path();
  HOLDFAST_TRY(const block::PrepareRequest wanted, prepare_request_of(request, volume));
  if (!block::mountable_as(wanted.fs_type, fs_type)) {
    return fail(Code::kAlreadyExists, used_device(volume) + " or " + target + " is mounted as " + fs_type +
                                          ", not as " + wanted.fs_type);
  }
  HOLDFAST_TRY(const mount::MountOptions options,
               mount_options_of(request.volume_capability(), fs_type, volume));
  HOLDFAST_CHECK(parts_.mounter.stage(
      {.device = used_device(volume), .fs_type = fs_type, .target = target, .options = options}));
  return settle(volume, fs_type, target, options.read_only());
}

Status LvmNode::mount(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                      const LocalVolume& volume) {
  const std::string& target = request.staging_target_path();
  HOLDFAST_TRY(const block::PrepareRequest wanted, prepare_request_of(request, volume));
  VolumeRecord record(parts_.lvm, volume, patience_of(call));
  HOLDFAST_TRY(const std::string fs_type, parts_.preparer.prepare(wanted, record, patience_of(call),
                                                                  [&call] { return call.cancelled(); }));
  HOLDFAST_TRY(const mount::MountOptions options,
               mount_options_of(request.volume_capability(), fs_type, volume));
  HOLDFAST_CHECK(parts_.mounter.stage(
      {.device = used_device(volume), .fs_type = fs_type, .target = target, .options = options}));
  return settle(volume, fs_type, target, options.read_only());
}

// The volume may have grown while it was not mounted.
Status LvmNode::settle(const LocalVolume& volume, const std::string& fs_type, const std::string& target,
                       bool read_only) {
  // A clear device is opened as large as it may be.
  const std::uint64_t size = volume.encrypted ? 0 : volume.size_bytes;
  if (!read_only) HOLDFAST_CHECK(parts_.grow(fs_type, target, used_device(volume), size));
  parts_.stats.add(volume.name.volume, target);
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
  // While a pod has it, it stays staged: kubelet may give it to another pod before it unstages it.
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(device));
  const auto other = std::ranges::find_if(
      mounts, [&target](const mount::MountEntry& entry) { return entry.target != target; });
  if (other != mounts.end()) {
    return fail(Code::kFailedPrecondition, device + " is still mounted at " + other->target);
  }
  HOLDFAST_CHECK(parts_.mounter.unstage(target, device));
  HOLDFAST_CHECK(close(device, call));
  forget(request.volume_id());
  return {};
}

// What is no clear device is left as it is.
Status LvmNode::close(const std::string& device, const csi::Call& call) {
  const std::string folder = block::clear_path("");
  if (!device.starts_with(folder)) return {};
  return parts_.encryption.close(device.substr(folder.size()), patience_of(call));
}

Status LvmNode::publish_volume(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                               csi::v1::NodePublishVolumeResponse& /*response*/) {
  return csi::is_inline(request) ? publish_inline(call, request) : publish_staged(call, request);
}

Status LvmNode::publish_staged(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request) {
  const csi::v1::VolumeCapability& capability = request.volume_capability();
  HOLDFAST_CHECK(check_capability(capability));
  HOLDFAST_TRY(const Known volume, known(call, request.volume_id()));
  HOLDFAST_TRY(const bool broken, is_broken(request.target_path()));
  if (broken) HOLDFAST_CHECK(parts_.mounter.unpublish(request.target_path()));
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(volume.device));
  std::optional<mount::MountEntry> staged;
  if (!capability.has_block()) {
    HOLDFAST_TRY(staged, parts_.mounter.entry_at(request.staging_target_path()));
    if (!staged || !is_of(*staged, mounts)) {
      return fail(Code::kFailedPrecondition, "the volume is not staged at " + request.staging_target_path());
    }
  }
  const bool read_only = request.readonly() || (staged && staged->read_only());
  const csi::Publication wanted{request.target_path(), arguments_of(capability.has_block(), read_only)};
  HOLDFAST_CHECK(csi::second_publish(csi::access_mode_of(capability), wanted,
                                     publications(mounts, request.staging_target_path())));
  if (staged) return bind(call, request, *staged);
  return parts_.mounter.publish_device({.device = volume.device, .target = request.target_path()});
}

Status LvmNode::bind(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                     const mount::MountEntry& staged) {
  HOLDFAST_TRY(const std::optional<gid_t> group, group_of(request.volume_capability()));
  if (group && !staged.read_only()) {
    HOLDFAST_CHECK(
        parts_.give_to_group(request.staging_target_path(), *group, [&call] { return call.cancelled(); }));
  }
  return parts_.mounter.publish({.source = request.staging_target_path(),
                                 .target = request.target_path(),
                                 .read_only = request.readonly() || staged.read_only()});
}

Status LvmNode::unpublish_volume(const csi::Call& call, const csi::v1::NodeUnpublishVolumeRequest& request,
                                 csi::v1::NodeUnpublishVolumeResponse& /*response*/) {
  const std::string& target = request.target_path();
  HOLDFAST_TRY(const auto there, parts_.mounter.entry_at(target));
  const bool raw = there && there->type == "devtmpfs";
  if (there && !raw && !is_named_by(there->source, request.volume_id())) {
    return fail(Code::kFailedPrecondition,
                target + " has something else mounted: " + there->source + there->root);
  }
  HOLDFAST_CHECK(parts_.mounter.unpublish(target));
  return may_be_inline(request.volume_id()) ? end_inline(call, request.volume_id()) : Status();
}

}  // namespace holdfast::lvm
