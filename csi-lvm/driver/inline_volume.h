#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "csi-lvm/volumes/local_volumes.h"

namespace holdfast::lvm {

/// Whether a volume may be one that a pod's own definition asks for: kubelet makes their ids itself, "csi-"
/// and 64 hexadecimal digits. Source: kubelet, pkg/volume/csi/csi_mounter.go (makeVolumeHandle).
[[nodiscard]] bool may_be_inline(std::string_view volume_id);

/// The volume that a pod's definition asks for, by its attributes: `size`, which must not be 0, and of a
/// StorageClass's parameters those that whoever may make pods may choose: vgName, volumeType, lvmType,
/// stripes, stripeSize, thinPool, encrypted, fsType and mkfsOptions. Keys of csi.storage.k8s.io/ are skipped.
/// Errors: kInvalidArgument, naming the attribute.
Result<VolumeRequest> inline_request(const std::string& volume_id,
                                     const std::map<std::string, std::string>& attributes);

}  // namespace holdfast::lvm
