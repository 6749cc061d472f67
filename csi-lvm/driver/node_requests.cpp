#include "csi-lvm/driver/node_requests.h"

#include <charconv>

#include "common/base/text.h"
#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "common/mount/mount_options.h"
#include "csi-lvm/volumes/parameters.h"

namespace holdfast::lvm {
namespace {

using Attributes = google::protobuf::Map<std::string, std::string>;

std::string text_of(const Attributes& attributes, const char* key) {
  const auto found = attributes.find(key);
  return found == attributes.end() ? "" : found->second;
}

bool is_read_only(const csi::v1::VolumeCapability& capability) {
  return csi::access_mode_of(capability) == csi::AccessMode::kSingleNodeReaderOnly;
}

}  // namespace

Result<mount::MountOptions> mount_options_of(const csi::v1::VolumeCapability& capability,
                                             const std::string& fs_type, const LocalVolume& volume) {
  std::vector<std::string> words(capability.mount().mount_flags().begin(),
                                 capability.mount().mount_flags().end());
  if (is_read_only(capability)) words.emplace_back("ro");
  if (fs_type == "xfs" && !volume.source.empty()) words.emplace_back("nouuid");
  return mount::parse_mount_options(fs_type, words);
}

Result<block::PrepareRequest> prepare_request_of(const csi::v1::NodeStageVolumeRequest& request,
                                                 const LocalVolume& volume) {
  const Attributes& attributes = request.volume_context();
  const std::string type = text_of(attributes, "volumeType");
  if (!type.empty() && type != "LVM") {
    return fail(Code::kInvalidArgument,
                "the attribute volumeType '" + type + "' is not supported: only LVM is");
  }
  block::PrepareRequest out;
  out.volume = request.volume_id();
  out.device = device_path(volume.name);
  out.provenance = block::parse_provenance(volume.content);
  out.fs_type = request.volume_capability().mount().fs_type();
  if (out.fs_type.empty()) out.fs_type = text_of(attributes, "fsType");
  if (out.fs_type.empty()) out.fs_type = "ext4";
  out.mkfs_options = block::split_words(text_of(attributes, "mkfsOptions"));
  out.format_if_blank = text_of(attributes, "formatIfBlank") != "false";
  out.omit_fsck = is_true(text_of(attributes, "omitfsck"));
  HOLDFAST_TRY(const mount::MountOptions options,
               mount_options_of(request.volume_capability(), out.fs_type, volume));
  out.read_only = options.read_only();
  if (!volume.encrypted) return out;
  out.mapping = mapping_of(volume.name);
  out.passphrase = text_of(request.secrets(), kPassphraseKey);
  out.raw = request.volume_capability().has_block();
  if (!out.passphrase.empty()) return out;
  return fail(Code::kInvalidArgument,
              "the volume " + out.volume + " is encrypted, and no secret with the key " + kPassphraseKey +
                  " came with it: name one by csi.storage.k8s.io/node-stage-secret-name in its StorageClass");
}

Result<std::optional<gid_t>> group_of(const csi::v1::VolumeCapability& capability) {
  const std::string& text = capability.mount().volume_mount_group();
  if (text.empty()) return std::optional<gid_t>{};
  gid_t group = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), group);
  if (error != std::errc() || end != text.data() + text.size() || group == static_cast<gid_t>(-1)) {
    return fail(Code::kInvalidArgument, "volume_mount_group '" + text + "' is not the number of a group");
  }
  return std::optional(group);
}

std::string arguments_of(bool block, bool read_only) {
  if (block) return "block";
  return read_only ? "mount ro" : "mount rw";
}

std::vector<csi::Publication> publications(const mount::Mounts& mounts, std::string_view staging_path) {
  std::vector<csi::Publication> out;
  for (const mount::MountEntry& entry : mounts) {
    const bool block = entry.type == "devtmpfs";
    if (entry.target == staging_path || (!block && entry.root != "/")) continue;
    out.push_back({entry.target, arguments_of(block, entry.read_only())});
  }
  return out;
}

const mount::MountEntry* whole_mount(const mount::Mounts& mounts) {
  const mount::MountEntry* best = nullptr;
  for (const mount::MountEntry& entry : mounts) {
    if (entry.type == "devtmpfs" || entry.root != "/") continue;
    if (best == nullptr || (best->read_only() && !entry.read_only())) best = &entry;
  }
  return best;
}

bool is_named_by(std::string_view source, std::string_view volume_id) {
  constexpr std::string_view kMapper = "/dev/mapper/";
  if (source.starts_with(kMapper)) {
    const std::string end = doubled_hyphens(volume_id);
    if (!source.ends_with(end)) return false;
    // The hyphen between the two names stands alone; those within names are pairs.
    const std::string_view before = source.substr(0, source.size() - end.size());
    return (before.size() - 1 - before.find_last_not_of('-')) % 2 == 1;
  }
  return source.starts_with("/dev/") && source.ends_with("/" + std::string(volume_id));
}

}  // namespace holdfast::lvm
