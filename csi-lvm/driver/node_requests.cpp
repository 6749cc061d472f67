#include "csi-lvm/driver/node_requests.h"

#include "common/csi/proto/csi.pb.h"

namespace holdfast::lvm {
staging::MountHints hints_of(const LocalVolume& volume) { return {.copy = !volume.source.empty()}; }

std::uint64_t least_bytes(const LocalVolume& volume) { return volume.encrypted ? 0 : volume.size_bytes; }

Result<block::PrepareRequest> prepare_request_of(const csi::v1::NodeStageVolumeRequest& request,
                                                 const LocalVolume& volume) {
  const std::string type = staging::text_of(staging::attributes_of(request), "volumeType");
  if (!type.empty() && type != "LVM") {
    return fail(Code::kInvalidArgument,
                "the attribute volumeType '" + type + "' is not supported: only LVM is");
  }
  HOLDFAST_TRY(block::PrepareRequest out, staging::prepare_request_of(request, hints_of(volume)));
  out.device = device_path(volume.name);
  out.provenance = block::parse_provenance(volume.content);
  if (!volume.encrypted) return out;
  out.mapping = mapping_of(volume.name);
  const auto secret = request.secrets().find(kPassphraseKey);
  if (secret != request.secrets().end()) out.passphrase = secret->second;
  out.raw = request.volume_capability().has_block();
  if (!out.passphrase.empty()) return out;
  return fail(Code::kInvalidArgument,
              "the volume " + out.volume + " is encrypted, and no secret with the key " + kPassphraseKey +
                  " came with it: name one by csi.storage.k8s.io/node-stage-secret-name in its StorageClass");
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
