#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "common/csi/driver_host.h"
#include "common/kube/cluster_link.h"
#include "common/kube/config.h"
#include "csi-nas/cluster/node_pool.h"
#include "csi-nas/cluster/site_agent.h"
#include "csi-nas/controller/mounted_shares.h"
#include "csi-nas/directories/directory_jobs.h"
#include "csi-nas/program/nfs_side.h"

namespace holdfast::nas {

struct NodeSiteOptions {
  std::string driver_name;  ///< in metrics
  std::string node;
  std::filesystem::path folder;           ///< on the node's own disk; made when absent
  std::filesystem::path nas_directories;  ///< the program
  std::filesystem::path shown;            ///< below the root of NfsSide: where shares are shown whole
};

/// A node's part in the work at its site (SiteAgent), beside its driver, which needs nothing of it.
///
///     <folder>/lock    taken while it runs
///     <folder>/pool    NodePool
///     <folder>/work    DirectoryJobs; their children end with us
///
/// Belongs to the loop's thread, but for topology(). Metrics, each with driver_name: holdfast_nas_tasks_held.
class NodeSite {
 public:
  /// All outlive it. Errors: kUnavailable when another process has the folder; those of
  /// kube::ClusterLink::connect; errno.
  static Result<std::unique_ptr<NodeSite>> open(const csi::HostContext& context, NfsSide& nfs,
                                                const kube::Config& config, NodeSiteOptions options);
  NodeSite(const NodeSite&) = delete;
  NodeSite& operator=(const NodeSite&) = delete;
  ~NodeSite() = default;

  /// Where the node is, as CSI tells it. From any thread. Errors: as NodePool::name().
  [[nodiscard]] Result<std::map<std::string, std::string>> topology() const;
  void tick();
  void refresh_metrics();

 private:
  struct Ground {
    Fd lock;
    std::unique_ptr<DirectoryJobs> jobs;
    std::unique_ptr<kube::ClusterLink> link;
  };
  NodeSite(const csi::HostContext& context, NfsSide& nfs, NodeSiteOptions options, Ground ground);
  void join(const std::string& pool);

  csi::HostContext context_;
  NodeSiteOptions options_;
  Ground ground_;
  MountedShares shares_;
  NodePool pool_;
  std::unique_ptr<SiteAgent> agent_;  // null: in no pool, or not known
  bool sweeping_ = false;
};

}  // namespace holdfast::nas
