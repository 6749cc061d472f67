#include "csi-nas/driver/nas_node.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "common/csi/proto/csi.pb.h"
#include "common/csi/publish_table.h"
#include "common/csi/wire/publish_arguments.h"
#include "csi-nas/nfs/nfs_table.h"
#include "csi-nas/volumes/nas_source.h"

namespace holdfast::nas {
namespace {

using Capability = csi::v1::NodeServiceCapability::RPC;
constexpr Capability::Type kCapabilities[] = {Capability::STAGE_UNSTAGE_VOLUME, Capability::GET_VOLUME_STATS,
                                              Capability::VOLUME_CONDITION,
                                              Capability::SINGLE_NODE_MULTI_WRITER};
constexpr std::chrono::milliseconds kFirstLook{1000};

Status check_capability(const csi::v1::VolumeCapability& capability) {
  if (!capability.has_block()) return {};
  return fail(Code::kInvalidArgument,
              "an NFS volume is a file system: it cannot be used as a raw block device");
}

bool reads_only(csi::AccessMode mode) {
  return mode == csi::AccessMode::kSingleNodeReaderOnly || mode == csi::AccessMode::kMultiNodeReaderOnly;
}

template <class Request>
Result<NasSource> source_of(const Request& request) {
  const NasAttributes attributes(request.volume_context().begin(), request.volume_context().end());
  const auto& flags = request.volume_capability().mount().mount_flags();
  return parse_source(attributes, std::vector<std::string>(flags.begin(), flags.end()), request.volume_id());
}

std::int64_t signed_count(std::uint64_t count) { return static_cast<std::int64_t>(count); }

void tell(const block::VolumeUsage& usage, csi::v1::NodeGetVolumeStatsResponse& into) {
  csi::v1::VolumeUsage& bytes = *into.add_usage();
  bytes.set_unit(csi::v1::VolumeUsage::BYTES);
  bytes.set_total(signed_count(usage.total_bytes));
  bytes.set_available(signed_count(usage.available_bytes));
  bytes.set_used(signed_count(usage.used_bytes));
  if (usage.total_inodes == 0) return;
  csi::v1::VolumeUsage& inodes = *into.add_usage();
  inodes.set_unit(csi::v1::VolumeUsage::INODES);
  inodes.set_total(signed_count(usage.total_inodes));
  inodes.set_available(signed_count(usage.available_inodes));
  inodes.set_used(signed_count(usage.used_inodes));
}

}  // namespace

NasNode::NasNode(NasNodeParts parts, std::string node) : parts_(std::move(parts)), node_(std::move(node)) {}

Status NasNode::capabilities(const csi::Call& /*call*/,
                             const csi::v1::NodeGetCapabilitiesRequest& /*request*/,
                             csi::v1::NodeGetCapabilitiesResponse& response) {
  for (const Capability::Type type : kCapabilities)
    response.add_capabilities()->mutable_rpc()->set_type(type);
  return {};
}

Status NasNode::info(const csi::Call& /*call*/, const csi::v1::NodeGetInfoRequest& /*request*/,
                     csi::v1::NodeGetInfoResponse& response) {
  HOLDFAST_TRY(const NasTopology topology, parts_.topology());
  response.set_node_id(node_);
  if (!topology.empty()) {
    response.mutable_accessible_topology()->mutable_segments()->insert(topology.begin(), topology.end());
  }
  return {};
}

Status NasNode::stage_volume(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                             csi::v1::NodeStageVolumeResponse& /*response*/) {
  HOLDFAST_CHECK(check_capability(request.volume_capability()));
  HOLDFAST_TRY(const NasSource source, source_of(request));
  const std::string& target = request.staging_target_path();
  HOLDFAST_CHECK(parts_.mounts.stage(source, target, parts_.mounts.deadline(call.time_left())));
  parts_.places.staged(request.volume_id(), target);
  parts_.stats.add(request.volume_id(), target);
  return {};
}

Status NasNode::unstage_volume(const csi::Call& call, const csi::v1::NodeUnstageVolumeRequest& request,
                               csi::v1::NodeUnstageVolumeResponse& /*response*/) {
  const auto deadline = parts_.mounts.deadline(call.time_left());
  HOLDFAST_TRY(const auto mounts, parts_.table());
  const auto used = parts_.places.publications(request.volume_id(), *mounts);
  if (!used.empty()) {
    return fail(Code::kFailedPrecondition,
                "the volume " + request.volume_id() + " is still published at " + used.front().target_path);
  }
  HOLDFAST_CHECK(parts_.mounts.unmount(request.staging_target_path(), false, deadline));
  parts_.places.gone(request.staging_target_path());
  parts_.stats.remove(request.volume_id());
  parts_.mounts.sweep({}, deadline);
  return {};
}

Status NasNode::stage_anew(const csi::v1::NodePublishVolumeRequest& request, NasMounts::Deadline deadline) {
  HOLDFAST_TRY(const NasSource source, source_of(request));
  const std::string& staged = request.staging_target_path();
  HOLDFAST_CHECK(parts_.mounts.unmount(staged, false, deadline));
  return parts_.mounts.stage(source, staged, deadline);
}

Status NasNode::publish_volume(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                               csi::v1::NodePublishVolumeResponse& /*response*/) {
  HOLDFAST_CHECK(check_capability(request.volume_capability()));
  const auto deadline = parts_.mounts.deadline(call.time_left());
  const std::string& staged = request.staging_target_path();
  HOLDFAST_TRY(auto mounts, parts_.table());
  const mount::MountEntry* from = mount::mounted_at(*mounts, staged);
  if (from == nullptr && parts_.places.is_staged_at(staged, request.volume_id())) {
    // A publish before this one was cut off while it staged the volume anew.
    HOLDFAST_CHECK(stage_anew(request, deadline));
    HOLDFAST_TRY(mounts, parts_.table());
    from = mount::mounted_at(*mounts, staged);
  }
  if (from == nullptr || !is_nfs(*from)) {
    return fail(Code::kFailedPrecondition, "the volume is not staged at '" + staged + "'");
  }
  const csi::AccessMode mode = csi::access_mode_of(request.volume_capability());
  const bool read_only = request.readonly() || reads_only(mode) || from->read_only();
  const csi::Publication wanted{request.target_path(), read_only ? "ro" : "rw"};
  HOLDFAST_CHECK(csi::second_publish(mode, wanted, parts_.places.publications(request.volume_id(), *mounts)));
  Status done = parts_.mounts.publish(staged, request.target_path(), read_only, deadline);
  if (!done && done.error().sys_errno == ESTALE) {
    HOLDFAST_CHECK(stage_anew(request, deadline));
    done = parts_.mounts.publish(staged, request.target_path(), read_only, deadline);
  }
  if (done) parts_.places.published(request.volume_id(), request.target_path());
  return done;
}

Status NasNode::unpublish_volume(const csi::Call& call, const csi::v1::NodeUnpublishVolumeRequest& request,
                                 csi::v1::NodeUnpublishVolumeResponse& /*response*/) {
  const std::string& target = request.target_path();
  const std::string known = parts_.places.volume_at(target);
  if (!known.empty() && known != request.volume_id()) {
    HOLDFAST_TRY(const auto there, parts_.mounts.entry_at(target));
    if (there) return fail(Code::kFailedPrecondition, target + " has the volume " + known);
  }
  HOLDFAST_CHECK(parts_.mounts.unmount(target, true, parts_.mounts.deadline(call.time_left())));
  parts_.places.gone(target);
  return {};
}

std::optional<NasNode::Ailment> NasNode::ailment_of(const mount::MountEntry& entry,
                                                    const std::string& looked_at) const {
  const ServerHealth health = parts_.mounts.health_of(entry);
  if (health.state == ServerState::kDead) {
    return Ailment{"ServerDead", "the NFS server of " + entry.source + " " + nas::ailment_of(health) +
                                     "; what pods do waits until it answers"};
  }
  return parts_.probe.is_stale(looked_at) ? std::optional(stale(entry)) : std::nullopt;
}

NasNode::Ailment NasNode::stale(const mount::MountEntry& entry) {
  return {"StaleHandle", "the NFS server no longer knows " + entry.source +
                             ", as after it was made anew: start the volume's pods anew"};
}

Status NasNode::volume_stats(const csi::Call& /*call*/, const csi::v1::NodeGetVolumeStatsRequest& request,
                             csi::v1::NodeGetVolumeStatsResponse& response) {
  const std::string& id = request.volume_id();
  HOLDFAST_TRY(const auto mounts, parts_.table());
  const mount::MountEntry* entry = mount::mounted_at(*mounts, request.volume_path());
  if (entry == nullptr || !is_nfs(*entry)) {
    return fail(Code::kNotFound, "the volume " + id + " is not at " + request.volume_path());
  }
  const std::string path = parts_.places.path_of(id, *mounts).value_or(request.volume_path());
  parts_.stats.add(id, path);
  const auto sample = parts_.stats.first(id, kFirstLook);
  auto ailment = ailment_of(*entry, path);
  // A pod that has it as it was before it was staged anew.
  const mount::MountEntry* looked_at = mount::mounted_at(*mounts, path);
  if (!ailment && looked_at != nullptr && is_older_than(*entry, *looked_at)) ailment = stale(*entry);
  if (!sample || !sample->usage) {
    const std::string why =
        ailment ? ailment->message : (sample ? sample->trouble : "it was unstaged meanwhile");
    return fail(Code::kUnavailable, "the volume " + id + " has not been looked at: " + why);
  }
  tell(*sample->usage, response);
  csi::v1::VolumeCondition& condition = *response.mutable_volume_condition();
  condition.set_abnormal(ailment.has_value());
  condition.set_message(ailment ? ailment->message : "nothing is known to be wrong");
  return {};
}

Status NasNode::volume_health(const csi::Call& /*call*/, const csi::v1::NodeGetVolumeHealthRequest& request,
                              csi::v1::NodeGetVolumeHealthResponse& response) {
  HOLDFAST_TRY(const auto mounts, parts_.table());
  const auto path = parts_.places.path_of(request.volume_id(), *mounts);
  if (!path) {
    return fail(Code::kNotFound, "the volume " + request.volume_id() + " is not on this node");
  }
  csi::v1::VolumeHealth& health = *response.mutable_volume_health();
  health.set_volume_id(request.volume_id());
  const mount::MountEntry& looked_at = *mount::mounted_at(*mounts, *path);
  auto ailment = ailment_of(looked_at, *path);
  for (const csi::Publication& each : parts_.places.publications(request.volume_id(), *mounts)) {
    const mount::MountEntry* entry = mount::mounted_at(*mounts, each.target_path);
    if (!ailment && is_older_than(*entry, looked_at)) ailment = stale(*entry);
  }
  if (!ailment) return {};
  auto& entry = *health.add_health_statuses();
  entry.set_status(csi::v1::INACCESSIBLE);
  entry.set_reason(ailment->reason);
  entry.set_message(ailment->message);
  return {};
}

}  // namespace holdfast::nas
