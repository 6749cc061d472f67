#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "common/cloud/options.h"
#include "common/csi/driver_host.h"
#include "csi-nas/controller/mounted_shares.h"
#include "csi-nas/controller/nas_controller.h"
#include "csi-nas/controller/nas_volumes.h"
#include "csi-nas/program/cloud_side.h"
#include "csi-nas/program/controller_cluster.h"
#include "csi-nas/program/nfs_side.h"

namespace holdfast::nas {

struct DynamicVolumesOptions {
  std::string driver_name;                ///< in metrics
  std::filesystem::path folder;           ///< on a disk of ours; made when absent
  std::filesystem::path nas_directories;  ///< the program
  std::filesystem::path shown;            ///< below the root of NfsSide: where shares are shown whole
  cloud::CloudOptions cloud = {};         ///< without a region there are no volumes of a cloud
};

/// The controller's half of csi-nas: volumes by StorageClasses, on shares that it mounts itself.
///
///     <folder>/lock       taken while it runs
///     <folder>/volumes    FileRecords; without a cluster
///     <folder>/work       DirectoryJobs
///
/// The servers of all volumes are watched, whether anything of theirs is mounted or not.
///
/// Metrics, each with driver_name: holdfast_nas_volumes (kind: volume or snapshot), holdfast_nas_works.
class DynamicVolumes {
 public:
  /// All outlive it. `cluster`: where records are, and sites; null: there is none. Errors: kUnavailable when
  /// another process has the folder; errno.
  static Result<std::unique_ptr<DynamicVolumes>> open(const csi::HostContext& context, NfsSide& nfs,
                                                      DynamicVolumesOptions options,
                                                      ControllerCluster* cluster = nullptr);
  DynamicVolumes(const DynamicVolumes&) = delete;
  DynamicVolumes& operator=(const DynamicVolumes&) = delete;
  ~DynamicVolumes() = default;

  [[nodiscard]] csi::ControllerDriver& driver() { return controller_; }
  /// Of the loop's thread.
  void tick();
  void refresh_metrics();

 private:
  struct Ground {
    Fd lock;
    std::unique_ptr<NasRecords> records;  // null: the cluster's
    std::unique_ptr<DirectoryJobs> jobs;
  };
  DynamicVolumes(const csi::HostContext& context, NfsSide& nfs, DynamicVolumesOptions options, Ground ground,
                 ControllerCluster* cluster);
  [[nodiscard]] std::set<ServerAddress> find_servers();

  csi::HostContext context_;
  NfsSide& nfs_;
  DynamicVolumesOptions options_;
  Ground ground_;
  MountedShares shares_;
  std::unique_ptr<CloudSide> cloud_;  // null: none
  NasVolumes volumes_;
  NasController controller_;
  std::set<ServerAddress> found_;  // of the worker until its job is done
  bool tending_ = false;
};

}  // namespace holdfast::nas
