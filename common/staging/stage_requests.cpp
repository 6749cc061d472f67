#include "common/staging/stage_requests.h"

#include <algorithm>
#include <charconv>

#include "common/base/text.h"
#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "common/mount/mount_options.h"

namespace holdfast::staging {
namespace {

constexpr std::chrono::milliseconds kLongest{std::chrono::minutes(5)};
constexpr std::string_view kDefaultType = "ext4";

bool is_for_readers(const csi::v1::VolumeCapability& capability) {
  const csi::AccessMode mode = csi::access_mode_of(capability);
  return mode == csi::AccessMode::kSingleNodeReaderOnly || mode == csi::AccessMode::kMultiNodeReaderOnly;
}

// A raw volume's place is a bind of its node in /dev.
Use use_of(const mount::MountEntry& entry) {
  if (entry.type == "devtmpfs") return Use::kRaw;
  return entry.read_only() ? Use::kFilesReadOnly : Use::kFiles;
}

}  // namespace

std::chrono::milliseconds patience_of(const csi::Call& call) {
  return std::min(kLongest, std::chrono::duration_cast<std::chrono::milliseconds>(call.time_left()));
}

Attributes attributes_of(const csi::v1::NodeStageVolumeRequest& request) {
  return {request.volume_context().begin(), request.volume_context().end()};
}

std::string text_of(const Attributes& attributes, const std::string& key) {
  const auto found = attributes.find(key);
  return found == attributes.end() ? "" : found->second;
}

Result<mount::MountOptions> mount_options_of(const csi::v1::VolumeCapability& capability,
                                             const std::string& fs_type, const MountHints& hints) {
  std::vector<std::string> words(capability.mount().mount_flags().begin(),
                                 capability.mount().mount_flags().end());
  if (hints.read_only || is_for_readers(capability)) words.emplace_back("ro");
  if (fs_type == "xfs" && hints.copy) words.emplace_back("nouuid");
  HOLDFAST_TRY(const std::optional<gid_t> group, group_of(capability));
  if (fs_type == "vfat" && group) words.push_back("gid=" + std::to_string(*group) + ",umask=0007");
  return mount::parse_mount_options(fs_type, words);
}

Result<block::PrepareRequest> prepare_request_of(const csi::v1::NodeStageVolumeRequest& request,
                                                 const MountHints& hints) {
  const Attributes attributes = attributes_of(request);
  block::PrepareRequest out;
  out.volume = request.volume_id();
  out.fs_type = request.volume_capability().mount().fs_type();
  if (out.fs_type.empty()) out.fs_type = text_of(attributes, "fsType");
  if (out.fs_type.empty()) out.fs_type = kDefaultType;
  out.mkfs_options = block::split_words(text_of(attributes, "mkfsOptions"));
  out.format_if_blank = text_of(attributes, "formatIfBlank") != "false";
  out.omit_fsck = is_true(text_of(attributes, "omitfsck"));
  HOLDFAST_TRY(const mount::MountOptions options,
               mount_options_of(request.volume_capability(), out.fs_type, hints));
  out.read_only = options.read_only();
  return out;
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

std::string arguments_of(Use use) {
  switch (use) {
    case Use::kRaw:
      return "block";
    case Use::kFiles:
      return "mount rw";
    case Use::kFilesReadOnly:
      break;
  }
  return "mount ro";
}

bool is_global_mount(std::string_view target) { return target.ends_with("/globalmount"); }

std::vector<csi::Publication> publications(const mount::Mounts& mounts, std::string_view staging_path) {
  std::vector<csi::Publication> out;
  for (const mount::MountEntry& entry : mounts) {
    const Use use = use_of(entry);
    const bool part = use != Use::kRaw && entry.root != "/";
    if (entry.target == staging_path || is_global_mount(entry.target) || part) continue;
    out.push_back({entry.target, arguments_of(use)});
  }
  return out;
}

Status check_use(const mount::Mounts& mounts, Use wanted, const std::string& volume_id) {
  const bool raw = wanted == Use::kRaw;
  for (const mount::MountEntry& entry : mounts) {
    const bool used_raw = use_of(entry) == Use::kRaw;
    if (used_raw == raw) continue;
    return fail(Code::kFailedPrecondition, "the volume " + volume_id + " is in use " +
                                               (used_raw ? "as a raw device" : "with its file system") +
                                               " at " + entry.target + ", which " +
                                               (raw ? "a writer of the raw device" : "a mount") +
                                               " would destroy: end that use first");
  }
  return {};
}

const mount::MountEntry* whole_mount(const mount::Mounts& mounts) {
  const mount::MountEntry* best = nullptr;
  for (const mount::MountEntry& entry : mounts) {
    if (use_of(entry) == Use::kRaw || entry.root != "/") continue;
    if (best == nullptr || (best->read_only() && !entry.read_only())) best = &entry;
  }
  return best;
}

}  // namespace holdfast::staging
