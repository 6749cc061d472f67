#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/mount/mount_table.h"

namespace holdfast::mount {

/// A place where kubelet keeps a volume of a driver of ours.
///
///     <root>/plugins/kubernetes.io/csi/<driver>/<hash of the volume>/globalmount          staged
///     <root>/plugins/kubernetes.io/csi/volumeDevices/<pv>/dev                              links, not looked at
///     <root>/pods/<uid>/volumes/kubernetes.io~csi/<pv>/mount                               published
///     <root>/pods/<uid>/volumeDevices/kubernetes.io~csi/<pv>                               published, raw
///     ... vol_data.json beside globalmount and mount tells driver and volume
struct KubeletPlace {
  enum class Kind : std::uint8_t { kStaged, kPublished, kPublishedRaw };
  enum class State : std::uint8_t {
    kMounted,
    kLeftOver,  ///< nothing is mounted there
    kShadowed,  ///< nothing is mounted there, and it is not empty: somebody wrote below the mount point
    kBroken,    ///< mounted, but its device is gone
  };
  std::string path;
  Kind kind = Kind::kStaged;
  State state = State::kMounted;
  std::string driver;  ///< of vol_data.json; empty when it is not there or cannot be read
  std::string volume;  ///< its volumeHandle
  std::string source;  ///< what is mounted: "/dev/vg/pvc-1"; empty when nothing is
};

/// What kubelet's folder and the mount table say, compared. Only looks: what is wrong is mended inside the
/// next call for that path. Raw publications are listed whatever their driver is, as kubelet leaves no note
/// beside them. `drivers`: names of ours; places of others are left out. A folder that cannot be listed is
/// left out too, but for `root` itself. No file system is touched but the one that holds the folder: mounts
/// are judged by the table and sysfs. Errors: errno of listing `root`.
[[nodiscard]] Result<std::vector<KubeletPlace>> take_inventory(const std::string& root,
                                                               const std::vector<std::string>& drivers,
                                                               const Mounts& mounts);

/// The handles of the driver's volumes that kubelet has staged or is about to stage, raw ones too, each once,
/// as its notes tell; sorted. Where the notes are:
///
///     <root>/plugins/kubernetes.io/csi/<driver>/<hash of the volume>/vol_data.json
///     <root>/plugins/kubernetes.io/csi/pv/<pv>/vol_data.json                          before Kubernetes 1.24
///     <root>/plugins/kubernetes.io/csi/volumeDevices/<pv>/data/vol_data.json          raw
[[nodiscard]] std::vector<std::string> staged_volumes(const std::string& root, const std::string& driver);

/// "staged", "published", "published raw".
[[nodiscard]] std::string_view to_string(KubeletPlace::Kind kind);
/// "mounted", "left over", "shadowed", "broken".
[[nodiscard]] std::string_view to_string(KubeletPlace::State state);

}  // namespace holdfast::mount
