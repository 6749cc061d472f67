#include "csi-lvm/driver/csi_requests.h"

#include <algorithm>
#include <array>

#include "common/csi/proto/csi.pb.h"

namespace holdfast::lvm {
namespace {

constexpr std::string_view kTokenPrefix = "after:";
constexpr std::array<std::string_view, 4> kFileSystems{"", "ext4", "ext3", "xfs"};

using AccessMode = csi::v1::VolumeCapability::AccessMode;

bool is_of_one_node(AccessMode::Mode mode) {
  return mode == AccessMode::SINGLE_NODE_WRITER || mode == AccessMode::SINGLE_NODE_READER_ONLY ||
         mode == AccessMode::SINGLE_NODE_SINGLE_WRITER || mode == AccessMode::SINGLE_NODE_MULTI_WRITER;
}

}  // namespace

Status check_capability(const csi::v1::VolumeCapability& capability) {
  const AccessMode::Mode mode = capability.access_mode().mode();
  if (!is_of_one_node(mode)) {
    return fail(Code::kInvalidArgument, "a local volume is for one node; the access mode " +
                                            AccessMode::Mode_Name(mode) + " is not supported");
  }
  const std::string& fs_type = capability.mount().fs_type();
  if (capability.has_mount() && std::ranges::find(kFileSystems, fs_type) == kFileSystems.end()) {
    return fail(Code::kInvalidArgument,
                "the file system '" + fs_type + "' is not supported: use ext4, ext3 or xfs");
  }
  return {};
}

Status check_raw_use(const std::string& id, bool files_only, const csi::v1::VolumeCapability& capability) {
  if (!files_only || !capability.has_block()) return {};
  return fail(
      Code::kFailedPrecondition,
      "the volume " + id +
          " was made for a file system: as a raw device it would show what earlier volumes left between "
          "its files, or its thin pool does not zero what it gives (lvchange --zero y); ask for a volume "
          "with "
          "volumeMode Block");
}

void confirm(const csi::v1::ValidateVolumeCapabilitiesRequest& request, bool files_only,
             csi::v1::ValidateVolumeCapabilitiesResponse& response) {
  for (const csi::v1::VolumeCapability& capability : request.volume_capabilities()) {
    Status fits = check_capability(capability);
    if (fits) fits = check_raw_use(request.volume_id(), files_only, capability);
    if (!fits) {
      response.set_message(fits.error().message);
      return;
    }
  }
  csi::v1::ValidateVolumeCapabilitiesResponse::Confirmed& confirmed = *response.mutable_confirmed();
  *confirmed.mutable_volume_capabilities() = request.volume_capabilities();
  *confirmed.mutable_volume_context() = request.volume_context();
  *confirmed.mutable_parameters() = request.parameters();
}

Status check_topology(const csi::v1::TopologyRequirement& wanted, const std::string& key,
                      const std::string& node) {
  if (wanted.requisite().empty()) return {};
  const auto here = [&](const csi::v1::Topology& place) {
    const auto found = place.segments().find(key);
    return found == place.segments().end() || found->second == node;
  };
  if (std::ranges::any_of(wanted.requisite(), here)) return {};
  return fail(Code::kResourceExhausted,
              "this node, " + node + ", is none of those that the volume may be on");
}

Result<ContentSource> read_source(const csi::v1::VolumeContentSource& source) {
  if (source.has_snapshot()) return ContentSource{.id = source.snapshot().snapshot_id(), .snapshot = true};
  if (source.has_volume()) return ContentSource{.id = source.volume().volume_id(), .snapshot = false};
  return fail(Code::kInvalidArgument, "the volume_content_source is neither a snapshot nor a volume");
}

void tell(const LocalVolume& volume, const std::string& topology_key, const std::string& node,
          csi::v1::Volume& into) {
  into.set_volume_id(volume.name.volume);
  into.set_capacity_bytes(static_cast<std::int64_t>(volume.size_bytes));
  (*into.mutable_volume_context())["vgName"] = volume.name.group;
  (*into.add_accessible_topology()->mutable_segments())[topology_key] = node;
  if (volume.source.empty()) return;
  csi::v1::VolumeContentSource& source = *into.mutable_content_source();
  if (volume.from_snapshot) {
    source.mutable_snapshot()->set_snapshot_id(volume.source);
  } else {
    source.mutable_volume()->set_volume_id(volume.source);
  }
}

void tell_class(const csi::v1::CreateVolumeRequest& request, csi::v1::Volume& into) {
  for (const char* const key : {"fsType", "mkfsOptions"}) {
    const auto told = request.parameters().find(key);
    if (told != request.parameters().end()) (*into.mutable_volume_context())[key] = told->second;
  }
}

void tell(const LocalVolume& snapshot, csi::v1::Snapshot& into) {
  into.set_snapshot_id(snapshot.name.volume);
  into.set_source_volume_id(snapshot.source);
  into.set_size_bytes(static_cast<std::int64_t>(snapshot.size_bytes));
  into.mutable_creation_time()->set_seconds(snapshot.taken);
  into.set_ready_to_use(std::ranges::none_of(
      snapshot.ailments, [](const Ailment& each) { return each.kind == Ailment::Kind::kDataLoss; }));
}

Result<Page> page_of(const std::vector<LocalVolume>& sorted, std::int32_t most, const std::string& token) {
  Page page{.begin = 0, .end = sorted.size(), .next_token = {}};
  if (!token.empty()) {
    if (!token.starts_with(kTokenPrefix)) {
      return fail(Code::kAborted, "the starting_token '" + token + "' is not one that was given out");
    }
    const std::string last = token.substr(kTokenPrefix.size());
    const auto next =
        std::ranges::upper_bound(sorted, last, {}, [](const LocalVolume& each) { return each.name.volume; });
    page.begin = static_cast<std::size_t>(next - sorted.begin());
  }
  const auto room = static_cast<std::size_t>(std::max(most, 0));
  if (room > 0 && page.end - page.begin > room) {
    page.end = page.begin + room;
    page.next_token = std::string(kTokenPrefix) + sorted[page.end - 1].name.volume;
  }
  return page;
}

}  // namespace holdfast::lvm
