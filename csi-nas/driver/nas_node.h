#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/block/volume_stats.h"
#include "common/csi/driver.h"
#include "common/mount/mount_table.h"
#include "csi-nas/driver/nas_probe.h"
#include "csi-nas/driver/volume_places.h"
#include "csi-nas/mounts/nas_mounts.h"

namespace holdfast::nas {

/// Where a node is: keys and values of CSI's topology.
using NasTopology = std::map<std::string, std::string>;

/// What NasNode stands on. All outlive it.
struct NasNodeParts {
  NasMounts& mounts;
  VolumePlaces& places;
  NasProbe& probe;
  block::VolumeStats& stats;
  std::function<Result<std::shared_ptr<const mount::Mounts>>()> table;  ///< as of NasMountsParts
  /// What NodeGetInfo tells of where the node is.
  std::function<Result<NasTopology>()> topology = [] { return NasTopology{}; };
};

/// The node's side of csi-nas. Needs no API server.
///
///     stage       mounts the share, once for all volumes of the same server, path and options, and shows the
///                 volume at the staging path
///     publish     shows it where a pod wants it
///     unpublish   takes that away, whether the server lives or not
///     unstage     likewise; the share goes with its last volume, when its server lives
///
/// No call waits longer than NasMounts::kLongestCall and a bit. With a server that does not answer stage and
/// publish are UNAVAILABLE; what is there already is told from the mount table, and OK. Usage is what was
/// seen last, with an abnormal condition.
///
/// A server that has forgotten what is mounted (ESTALE) is mounted anew when a volume is staged or published;
/// places where it was published before stay as they are, until their pods are started anew.
class NasNode final : public csi::NodeDriver {
 public:
  NasNode(NasNodeParts parts, std::string node);

  Status capabilities(const csi::Call& call, const csi::v1::NodeGetCapabilitiesRequest& request,
                      csi::v1::NodeGetCapabilitiesResponse& response) override;
  Status info(const csi::Call& call, const csi::v1::NodeGetInfoRequest& request,
              csi::v1::NodeGetInfoResponse& response) override;
  Status stage_volume(const csi::Call& call, const csi::v1::NodeStageVolumeRequest& request,
                      csi::v1::NodeStageVolumeResponse& response) override;
  Status unstage_volume(const csi::Call& call, const csi::v1::NodeUnstageVolumeRequest& request,
                        csi::v1::NodeUnstageVolumeResponse& response) override;
  Status publish_volume(const csi::Call& call, const csi::v1::NodePublishVolumeRequest& request,
                        csi::v1::NodePublishVolumeResponse& response) override;
  Status unpublish_volume(const csi::Call& call, const csi::v1::NodeUnpublishVolumeRequest& request,
                          csi::v1::NodeUnpublishVolumeResponse& response) override;
  /// Waits for the first look at a volume, kFirstLook at most, and for no other.
  Status volume_stats(const csi::Call& call, const csi::v1::NodeGetVolumeStatsRequest& request,
                      csi::v1::NodeGetVolumeStatsResponse& response) override;
  Status volume_health(const csi::Call& call, const csi::v1::NodeGetVolumeHealthRequest& request,
                       csi::v1::NodeGetVolumeHealthResponse& response) override;

 private:
  struct Ailment {
    std::string reason;
    std::string message;
  };
  /// What is wrong with a volume that is mounted so; nullopt: nothing is known to be.
  [[nodiscard]] std::optional<Ailment> ailment_of(const mount::MountEntry& entry,
                                                  const std::string& looked_at) const;
  [[nodiscard]] static Ailment stale(const mount::MountEntry& entry);
  Status stage_anew(const csi::v1::NodePublishVolumeRequest& request, NasMounts::Deadline deadline);

  NasNodeParts parts_;
  std::string node_;
};

}  // namespace holdfast::nas
