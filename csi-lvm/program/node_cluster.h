#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "common/csi/driver_host.h"
#include "common/csi/volume_holds.h"
#include "common/kube/cluster_link.h"
#include "common/kube/config.h"
#include "csi-lvm/cluster/volume_agent.h"

namespace holdfast::lvm {

/// A node's part in a cluster, beside its driver, which needs nothing of it: reads which cluster it is, and
/// does what that asks of this node (VolumeAgent). Belongs to the event loop.
///
///     <folder>/cluster          the cluster's uid, which volumes bear also while no API server answers
///     <folder>/backup/<group>   LVM's own backup of each group, which goes into NodeStorage
class NodeCluster {
 public:
  struct Options {
    std::filesystem::path folder{};  ///< of the driver's state
    std::string node{};
    std::map<std::string, std::string> topology{};
    std::map<std::string, std::uint64_t> spare_bytes{};  ///< by group
    std::chrono::milliseconds heartbeat{30'000};
  };
  struct Parts {
    Lvm& lvm;
    LocalVolumes& volumes;
    CapacityBook& book;
    csi::VolumeHolds& holds;
  };

  /// The uid that was kept; empty when none was. A file that cannot be used is told in the log.
  static Result<std::string> kept_uid(Files& files, const std::filesystem::path& folder, Logger& log);
  static std::filesystem::path backup_folder(const std::filesystem::path& folder) {
    return folder / "backup";
  }

  /// `kept`: the uid that volumes bear already. All but it and `options` outlive it. Errors: those of
  /// kube::ClusterLink::connect.
  static Result<std::unique_ptr<NodeCluster>> connect(const csi::HostContext& host,
                                                      const kube::Config& config, const Parts& parts,
                                                      Options options, std::string kept);
  NodeCluster(const csi::HostContext& host, const Parts& parts, Options options, std::string kept,
              std::unique_ptr<kube::ClusterLink> link);
  NodeCluster(const NodeCluster&) = delete;
  NodeCluster& operator=(const NodeCluster&) = delete;
  ~NodeCluster() = default;

  /// When LVM has been asked to clear away what an earlier run left; again does nothing.
  void start();
  /// LVM may have changed.
  void look_soon();
  [[nodiscard]] std::uint64_t orphan_count() const { return agent_ ? agent_->orphan_count() : 0; }

 private:
  void ask();
  void told(const Result<std::string>& uid);
  void keep(const std::string& uid);
  [[nodiscard]] VolumeAgent::Options agent_options() const;

  csi::HostContext host_;
  Parts parts_;
  Options options_;
  std::string uid_;
  std::unique_ptr<kube::ClusterLink> link_;
  bool started_ = false;
  kube::ObjectClient::CallPtr question_;
  EventLoop::Timer ask_again_;
  std::unique_ptr<VolumeAgent> agent_;
};

}  // namespace holdfast::lvm
