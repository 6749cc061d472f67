#pragma once

#include <memory>

#include "common/csi/driver_host.h"
#include "common/kube/cluster_link.h"
#include "common/kube/config.h"
#include "csi-nas/cluster/object_records.h"
#include "csi-nas/cluster/site_tasks.h"

namespace holdfast::nas {

/// What csi-nas's controller stands on in a cluster: records as objects, and the nodes of sites. Belongs to
/// the loop's thread, but for what its parts say.
class ControllerCluster {
 public:
  /// Errors: those of kube::ClusterLink::connect.
  static Result<std::unique_ptr<ControllerCluster>> connect(const csi::HostContext& context,
                                                            const kube::Config& config);
  ControllerCluster(const csi::HostContext& context, std::unique_ptr<kube::ClusterLink> link);
  ControllerCluster(const ControllerCluster&) = delete;
  ControllerCluster& operator=(const ControllerCluster&) = delete;
  ~ControllerCluster() = default;

  [[nodiscard]] NasRecords& records() { return records_; }
  [[nodiscard]] SiteTasks& sites() { return sites_; }

 private:
  std::unique_ptr<kube::ClusterLink> link_;
  ObjectRecords records_;
  SiteTasks sites_;
};

}  // namespace holdfast::nas
