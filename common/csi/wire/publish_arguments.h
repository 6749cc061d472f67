#pragma once

#include <string>

#include "common/csi/publish_table.h"

namespace csi::v1 {
class NodePublishVolumeRequest;
class VolumeCapability;
}  // namespace csi::v1

namespace holdfast::csi {

[[nodiscard]] AccessMode access_mode_of(const ::csi::v1::VolumeCapability& capability);

/// Where and how a request wants its volume, for second_publish(). Left out of the arguments beside the
/// secrets: what kubelet tells of the pod (keys csi.storage.k8s.io/...), as it sends new tokens for a place
/// that is published.
[[nodiscard]] Publication publication_of(const ::csi::v1::NodePublishVolumeRequest& request);

/// Whether a pod's own definition asks for the volume (ephemeral inline): it is not staged before.
[[nodiscard]] bool is_inline(const ::csi::v1::NodePublishVolumeRequest& request);

}  // namespace holdfast::csi
