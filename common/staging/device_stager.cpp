#include "common/staging/device_stager.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/csi/answers.h"
#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"

namespace holdfast::staging {
namespace {

bool is_of(const mount::MountEntry& entry, const mount::Mounts& mounts) {
  return std::ranges::any_of(mounts, [&entry](const mount::MountEntry& each) {
    return each.type == entry.type && each.major == entry.major && each.minor == entry.minor;
  });
}

// Forwards to another, and remembers whether a format has ended.
class NotedRecord final : public block::ProvenanceRecord {
 public:
  explicit NotedRecord(block::ProvenanceRecord& record) : record_(record) {}
  Status write(const block::Provenance& provenance) override {
    HOLDFAST_CHECK(record_.write(provenance));
    formatted_ = provenance.kind == block::Provenance::Kind::kFormatted;
    return {};
  }
  [[nodiscard]] bool formatted() const { return formatted_; }

 private:
  block::ProvenanceRecord& record_;
  bool formatted_ = false;
};

// Names that are not below its folder are what the mounter refuses to look at.
Result<bool> is_below(mount::Mounter& mounter, const std::string& target) {
  const auto there = mounter.entry_at(target);
  if (there) return true;
  if (there.error().code == Code::kInvalidArgument) return false;
  return tl::unexpected(there.error());
}

}  // namespace

Result<mount::Mounts> mounts_below(mount::Mounter& mounter, const std::string& device) {
  HOLDFAST_TRY(const mount::Mounts all, mounter.mounts_of(device));
  mount::Mounts out;
  for (const mount::MountEntry& entry : all) {
    HOLDFAST_TRY(const bool below, is_below(mounter, entry.target));
    if (below) out.push_back(entry);
  }
  return out;
}

Result<mount::Mounts> own_mounts(mount::Mounter& mounter, const std::string& device) {
  HOLDFAST_TRY(const mount::Mounts all, mounter.mounts_of(device));
  mount::Mounts own;
  for (const mount::MountEntry& entry : all) {
    const bool whole = entry.type == "devtmpfs" || entry.root == "/";
    HOLDFAST_TRY(const bool below, is_below(mounter, entry.target));
    if (whole && below) own.push_back(entry);
  }
  if (all.empty() || !own.empty()) return own;
  return fail(Code::kFailedPrecondition, device + " is mounted at " + all.front().target +
                                             ", which no volume of kubelet's is: unmount it there, or name "
                                             "the right disk");
}

DeviceStager::DeviceStager(StagerParts parts) : parts_(std::move(parts)) {}

Result<bool> DeviceStager::is_broken(const std::string& target) {
  HOLDFAST_TRY(const mount::TargetState state, parts_.mounter.look(target));
  return state == mount::TargetState::kBroken;
}

Status DeviceStager::stage(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                           const DeviceVolume& volume, const block::PrepareRequest& wanted,
                           block::ProvenanceRecord& record) {
  const std::string& target = request.staging_target_path();
  HOLDFAST_TRY(const bool broken, is_broken(target));
  if (broken) HOLDFAST_CHECK(parts_.mounter.unstage(target, volume.device));
  HOLDFAST_TRY(const auto there, parts_.mounter.entry_at(target));
  HOLDFAST_TRY(const mount::Mounts mounts, own_mounts(parts_.mounter, volume.device));
  HOLDFAST_CHECK(check_use(mounts, Use::kFiles, request.volume_id()));
  const mount::MountEntry* used = there ? &*there : whole_mount(mounts);
  if (used != nullptr) {
    if (block::is_unused(wanted.provenance)) {
      HOLDFAST_CHECK(record.write({.kind = block::Provenance::Kind::kMaybe, .uuid = {}}));
    }
    return mount_as_used(request, volume, wanted, *used);
  }
  NotedRecord noted(record);
  HOLDFAST_TRY(const std::string fs_type, parts_.preparer.prepare(wanted, noted, patience_of(call),
                                                                  [&call] { return call.cancelled(); }));
  Status mounted = mount(request, volume, fs_type);
  if (noted.formatted() && is_refused(mounted, volume.device)) {
    HOLDFAST_CHECK(record.write({.kind = block::Provenance::Kind::kFormatting, .uuid = {}}));
  }
  return mounted;
}

// One that is late may come after its call.
bool DeviceStager::is_refused(const Status& mounted, const std::string& device) {
  if (mounted || csi::reaction_to(mounted.error().code) == csi::Reaction::kAskAgain) return false;
  const auto mounts = parts_.mounter.mounts_of(device);
  return mounts && mounts->empty();
}

Status DeviceStager::mount_as_used(const csi::v1::NodeStageVolumeRequest& request, const DeviceVolume& volume,
                                   const block::PrepareRequest& wanted, const mount::MountEntry& used) {
  if (block::mountable_as(wanted.fs_type, used.type)) return mount(request, volume, used.type);
  return fail(Code::kAlreadyExists, used.source + " is mounted at " + used.target + " as " + used.type +
                                        ", not as " + wanted.fs_type);
}

// The volume may have grown while it was not mounted.
Status DeviceStager::mount(const csi::v1::NodeStageVolumeRequest& request, const DeviceVolume& volume,
                           const std::string& fs_type) {
  const std::string& target = request.staging_target_path();
  HOLDFAST_TRY(const mount::MountOptions options,
               mount_options_of(request.volume_capability(), fs_type, volume.hints));
  HOLDFAST_CHECK(parts_.mounter.stage(
      {.device = volume.device, .fs_type = fs_type, .target = target, .options = options}));
  const bool grows = !options.read_only() && fs_type != "vfat";
  if (grows) HOLDFAST_CHECK(parts_.grow(fs_type, target, volume.device, volume.least_bytes));
  parts_.stats.add(volume.id, target);
  return {};
}

// While a pod has it, it stays staged: kubelet may give it to another pod before it unstages it.
Status DeviceStager::unstage(const std::string& target, const std::string& device) {
  HOLDFAST_TRY(const mount::Mounts mounts, mounts_below(parts_.mounter, device));
  const auto other = std::ranges::find_if(
      mounts, [&target](const mount::MountEntry& entry) { return entry.target != target; });
  if (other != mounts.end()) {
    return fail(Code::kFailedPrecondition, device + " is still mounted at " + other->target);
  }
  return parts_.mounter.unstage(target, device);
}

Status DeviceStager::publish(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                             const std::string& device) {
  const csi::v1::VolumeCapability& capability = request.volume_capability();
  const bool raw = capability.has_block();
  HOLDFAST_TRY(const bool broken, is_broken(request.target_path()));
  if (broken) HOLDFAST_CHECK(parts_.mounter.unpublish(request.target_path()));
  HOLDFAST_TRY(const mount::Mounts mounts, mounts_below(parts_.mounter, device));
  HOLDFAST_CHECK(check_use(mounts, raw ? Use::kRaw : Use::kFiles, request.volume_id()));
  std::optional<mount::MountEntry> staged;
  if (!raw) {
    HOLDFAST_TRY(staged, parts_.mounter.entry_at(request.staging_target_path()));
    if (!staged || !is_of(*staged, mounts)) {
      return fail(Code::kFailedPrecondition, "the volume is not staged at " + request.staging_target_path());
    }
  }
  Use use = Use::kRaw;
  if (staged) use = request.readonly() || staged->read_only() ? Use::kFilesReadOnly : Use::kFiles;
  const csi::Publication wanted{request.target_path(), arguments_of(use)};
  HOLDFAST_CHECK(csi::second_publish(csi::access_mode_of(capability), wanted,
                                     publications(mounts, request.staging_target_path())));
  if (staged) return bind(call, request, *staged);
  return parts_.mounter.publish_device({.device = device, .target = request.target_path()});
}

Status DeviceStager::bind(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                          const mount::MountEntry& staged) {
  HOLDFAST_TRY(const std::optional<gid_t> group, group_of(request.volume_capability()));
  if (group && !staged.read_only() && staged.type != "vfat") {
    HOLDFAST_CHECK(
        parts_.give_to_group(request.staging_target_path(), *group, [&call] { return call.cancelled(); }));
  }
  return parts_.mounter.publish({.source = request.staging_target_path(),
                                 .target = request.target_path(),
                                 .read_only = request.readonly() || staged.read_only()});
}

}  // namespace holdfast::staging
