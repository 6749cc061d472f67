#include "csi-disk/driver/disk_node.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "common/csi/proto/csi.pb.h"
#include "csi-disk/driver/disk_use.h"
#include "csi-disk/volumes/publish_context.h"

namespace holdfast::disk {
namespace {

using Capability = csi::v1::NodeServiceCapability::RPC;
using staging::patience_of;
// Not those of 1.13: callers of today refuse a driver that has one that they do not know. Their calls are
// answered all the same.
constexpr Capability::Type kCapabilities[] = {
    Capability::STAGE_UNSTAGE_VOLUME, Capability::GET_VOLUME_STATS,         Capability::EXPAND_VOLUME,
    Capability::VOLUME_CONDITION,     Capability::SINGLE_NODE_MULTI_WRITER, Capability::VOLUME_MOUNT_GROUP};
// Left of a call's time for what follows once the disk is there.
constexpr std::chrono::seconds kForTheRest{2};

const std::string kMaybeContent = block::to_string({.kind = block::Provenance::Kind::kMaybe, .uuid = {}});

template <class Request>
DiskHints hints_of(const Request& request) {
  return {.volume = request.volume_id(),
          .attributes = {request.volume_context().begin(), request.volume_context().end()},
          .attachment = {request.publish_context().begin(), request.publish_context().end()}};
}

bool is_unfinished(const block::Provenance& provenance) {
  return provenance.kind == block::Provenance::Kind::kNew ||
         provenance.kind == block::Provenance::Kind::kFormatting;
}

// Empty: nobody can tell.
std::string attachment_of(const HeldDisk& disk, const std::string& boot_id) {
  if (boot_id.empty() || disk.sequence == 0) return {};
  return boot_id + "/" + std::to_string(disk.sequence);
}

// See DiskNode: `new` and `formatting` are believed within the first attachment, or while the disk never
// left.
std::string content_of(const FoundRecord& found, const DiskHints& hints, const HeldDisk& disk,
                       const std::string& attached_as) {
  if (found.damaged || (found.record && !is_same(found.record->identity, disk.identity))) {
    return kMaybeContent;
  }
  const std::string told = staging::text_of(hints.attachment, std::string(kContentKey));
  const std::string& known = found.record ? found.record->content : told;
  const bool first = block::parse_provenance(told).kind == block::Provenance::Kind::kNew;
  const bool stayed = found.record && !attached_as.empty() && found.record->attached_as == attached_as;
  return first || stayed || !is_unfinished(block::parse_provenance(known)) ? known : kMaybeContent;
}

}  // namespace

DiskNode::DiskNode(DiskNodeParts parts, csi::Profile profile)
    : parts_(std::move(parts)), profile_(std::move(profile)), stager_(parts_.stager) {}

Status DiskNode::capabilities(const csi::Call& /*call*/,
                              const csi::v1::NodeGetCapabilitiesRequest& /*request*/,
                              csi::v1::NodeGetCapabilitiesResponse& response) {
  for (const Capability::Type type : kCapabilities)
    response.add_capabilities()->mutable_rpc()->set_type(type);
  return {};
}

Status DiskNode::info(const csi::Call& /*call*/, const csi::v1::NodeGetInfoRequest& /*request*/,
                      csi::v1::NodeGetInfoResponse& response) {
  HOLDFAST_TRY(const NodePlace place, parts_.place());
  response.set_node_id(place.node_id);
  response.set_max_volumes_per_node(place.max_volumes);
  for (const auto& [key, value] : place.topology) {
    (*response.mutable_accessible_topology()->mutable_segments())[key] = value;
  }
  return {};
}

Result<DiskIdentity> DiskNode::wanted_disk(const DiskHints& hints, const std::optional<DiskRecord>& record) {
  HOLDFAST_TRY(const std::optional<std::string> serial, told_serial(hints, profile_));
  if (serial) return DiskIdentity{.serial = *serial};
  HOLDFAST_TRY(const std::string path, told_path(hints));
  if (path.empty()) return nothing_tells(hints.volume, profile_);
  if (record && record->device_path == path) return record->identity;
  auto behind = parts_.finder.identity_behind(path);
  if (!behind) return tl::unexpected(std::move(behind).error().within("the attribute devicePath"));
  return behind;
}

// A record alone is none in the way: a volume that was unstaged, or whose node was cut off, has one too.
Status DiskNode::check_single_owner(const std::string& volume, const HeldDisk& disk) {
  HOLDFAST_TRY(const std::vector<DiskRecord> all, parts_.records.all());
  const auto other = std::ranges::find_if(all, [&](const DiskRecord& each) {
    return each.volume != volume && is_same(each.identity, disk.identity);
  });
  if (other == all.end()) return {};
  const std::string device = other->raw ? disk.disk : data_of(disk).value_or(disk.disk);
  HOLDFAST_TRY(const mount::Mounts mounts, parts_.mounter.mounts_of(device));
  if (mounts.empty()) return {};
  return fail(Code::kFailedPrecondition, "the disk with the " + describe(disk.identity) +
                                             " is in use as the volume " + other->volume + " at " +
                                             mounts.front().target);
}

Status DiskNode::stage_volume(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                              csi::v1::NodeStageVolumeResponse& /*response*/) {
  HOLDFAST_CHECK(check_usage(request.volume_capability()));
  HOLDFAST_CHECK(staging::group_of(request.volume_capability()));
  const DiskHints hints = hints_of(request);
  HOLDFAST_TRY(const std::vector<QueueSetting> settings,
               parse_queue_settings(staging::text_of(hints.attributes, "sysConfig")));
  HOLDFAST_TRY(const FoundRecord found, parts_.records.read(hints.volume));
  HOLDFAST_TRY(const DiskIdentity wanted, wanted_disk(hints, found.record));
  const auto patience =
      std::min<std::chrono::nanoseconds>(parts_.device_patience, patience_of(call) - kForTheRest);
  HOLDFAST_TRY(const HeldDisk disk,
               parts_.finder.find(wanted, patience, [&call] { return call.cancelled(); }));
  HOLDFAST_CHECK(check_single_owner(hints.volume, disk));
  HOLDFAST_CHECK(check_may_use(disk, parts_.mounter, parts_.in_use));
  HOLDFAST_TRY(const std::string path, told_path(hints));
  const std::string attached_as = attachment_of(disk, parts_.boot_id);
  DiskRecord record{.volume = hints.volume,
                    .identity = disk.identity,
                    .device_path = path,
                    .raw = request.volume_capability().has_block(),
                    .content = content_of(found, hints, disk, attached_as),
                    .attached_as = attached_as};
  HOLDFAST_CHECK(record.raw ? stage_raw(disk, std::move(record))
                            : stage_mounted(call, request, disk, std::move(record)));
  return parts_.tune(settings, disk.name);
}

// From now on nobody can tell what is on it.
Status DiskNode::stage_raw(const HeldDisk& disk, DiskRecord record) {
  record.content = kMaybeContent;
  HOLDFAST_CHECK(parts_.records.write(record));
  parts_.stats.add(record.volume, disk.disk);
  return {};
}

Status DiskNode::stage_mounted(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                               const HeldDisk& disk, DiskRecord record) {
  const staging::Attributes attributes = staging::attributes_of(request);
  const auto provenance = block::parse_provenance(record.content);
  // A disk may have been made from another one's snapshot, by us or by others, and an XFS from it bears the
  // same uuid.
  const staging::MountHints hints{.copy = true,
                                  .read_only = is_true(staging::text_of(attributes, "readOnly"))};
  // A class of read-only volumes has new ones, too: they are made, and then mounted read-only.
  staging::MountHints making = hints;
  making.read_only = hints.read_only && !is_unfinished(provenance);
  HOLDFAST_TRY(block::PrepareRequest wanted, staging::prepare_request_of(request, making));
  HOLDFAST_TRY(wanted.device, data_of(disk));
  wanted.provenance = provenance;
  const bool in_partition = wanted.device != disk.disk;
  if (in_partition && !wanted.read_only) {
    HOLDFAST_CHECK(parts_.grow_partition(disk.name, patience_of(call)));
  }
  if (provenance.kind != block::Provenance::Kind::kNew) HOLDFAST_CHECK(parts_.records.write(record));
  ContentRecord content(parts_.records, record);
  HOLDFAST_CHECK(stager_.stage(call, request, {.id = record.volume, .device = wanted.device, .hints = hints},
                               wanted, content));
  // It was mounted already, and so not prepared.
  if (block::parse_provenance(record.content).kind != block::Provenance::Kind::kNew) return {};
  return content.write({.kind = block::Provenance::Kind::kMaybe, .uuid = {}});
}

Result<std::optional<DiskRecord>> DiskNode::record_of(const std::string& volume) {
  HOLDFAST_TRY(FoundRecord found, parts_.records.read(volume));
  return std::move(found.record);
}

Result<DiskNode::Staged> DiskNode::staged(const std::string& volume) {
  HOLDFAST_TRY(std::optional<DiskRecord> record, record_of(volume));
  if (!record) return fail(Code::kNotFound, "the volume " + volume + " was not staged on this node");
  HOLDFAST_TRY(std::optional<HeldDisk> disk, parts_.finder.look(record->identity));
  if (!disk) {
    return fail(Code::kUnavailable, "the disk of the volume " + volume + ", with the " +
                                        describe(record->identity) + ", is not attached to this node");
  }
  std::string device = disk->disk;
  if (!record->raw) {
    HOLDFAST_TRY(device, data_of(*disk));
  }
  return Staged{.record = *std::move(record), .disk = *std::move(disk), .device = std::move(device)};
}

// What is not known of either is no reason to leave a mount where kubelet wants none.
Status DiskNode::check_is_volumes(const mount::MountEntry& entry, const std::string& volume) {
  if (entry.type == "devtmpfs") return {};
  HOLDFAST_TRY(const std::optional<DiskRecord> record, record_of(volume));
  const auto there = parts_.finder.identity_of_number(makedev(entry.major, entry.minor));
  if (there && record && is_same(record->identity, *there)) return {};
  const bool of_a_device = entry.major != 0;
  if (of_a_device && (!there || !record)) return {};
  return fail(Code::kFailedPrecondition,
              entry.target + " has something else mounted: " + entry.source + entry.root);
}

// Of a volume that is not mounted; "": there is none. Without a record the handle may tell the disk, and all
// of that must be free, as it may have been used raw. A disk that is gone is used by nobody.
Result<std::string> DiskNode::device_to_leave(const std::string& volume,
                                              const std::optional<DiskRecord>& record) {
  HOLDFAST_TRY(const std::optional<std::string> serial, told_serial({.volume = volume}, profile_));
  if (!record && !serial) return std::string();
  const DiskIdentity wanted = record ? record->identity : DiskIdentity{.serial = *serial};
  HOLDFAST_TRY(const std::optional<HeldDisk> disk, parts_.finder.look(wanted));
  if (!disk) return std::string();
  const bool all = !record || record->raw;
  return all ? disk->disk : data_of(*disk).value_or(disk->disk);
}

Status DiskNode::unstage_volume(const csi::Call& /*call*/, const csi::v1::NodeUnstageVolumeRequest& request,
                                csi::v1::NodeUnstageVolumeResponse& /*response*/) {
  const std::string& target = request.staging_target_path();
  const std::string& id = request.volume_id();
  HOLDFAST_TRY(const auto there, parts_.mounter.entry_at(target));
  HOLDFAST_TRY(std::optional<DiskRecord> record, record_of(id));
  std::string device;
  if (there) {
    HOLDFAST_CHECK(check_is_volumes(*there, id));
    device = there->source;
  } else {
    HOLDFAST_TRY(device, device_to_leave(id, record));
  }
  if (!device.empty()) HOLDFAST_CHECK(stager_.unstage(target, device));
  parts_.stats.remove(id);
  if (!record || record->content == kMaybeContent) return {};
  record->content = kMaybeContent;
  return parts_.records.write(*record);
}

Status DiskNode::publish_volume(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                                csi::v1::NodePublishVolumeResponse& /*response*/) {
  HOLDFAST_CHECK(check_usage(request.volume_capability()));
  HOLDFAST_TRY(const Staged volume, staged(request.volume_id()));
  return stager_.publish(call, request, volume.device);
}

Status DiskNode::unpublish_volume(const csi::Call& /*call*/,
                                  const csi::v1::NodeUnpublishVolumeRequest& request,
                                  csi::v1::NodeUnpublishVolumeResponse& /*response*/) {
  HOLDFAST_TRY(const auto there, parts_.mounter.entry_at(request.target_path()));
  if (there) HOLDFAST_CHECK(check_is_volumes(*there, request.volume_id()));
  return parts_.mounter.unpublish(request.target_path());
}

}  // namespace holdfast::disk
