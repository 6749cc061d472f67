#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/csi/driver_host.h"
#include "common/kube/config.h"
#include "csi-lvm/program/options.h"

namespace holdfast::lvm {

struct PluginOptions {
  csi::Profile profile;
  Mode mode = Mode::kAll;
  std::string node_id;
  std::filesystem::path kubelet_dir;
  std::filesystem::path state_dir;
  std::filesystem::path socket;  ///< empty: the profile's
  std::filesystem::path lvmcmd;  ///< empty: beside the program itself
  /// The cluster that this node takes part in; nullopt: it answers calls, and that is all.
  std::optional<kube::Config> cluster{};
  std::chrono::milliseconds heartbeat{30'000};
};

/// csi-lvm as a whole, for a program that hosts it.
///
///     <state_dir>/<driver>/lock       taken while it runs
///     <state_dir>/<driver>/archive    LVM's metadata from before changes, at most every ten minutes
///     <state_dir>/<driver>/disks      those that our devices file names, should it be lost
///     <state_dir>/<driver>/cluster, backup    of a node in a cluster (node_cluster.h)
///
/// Calls are answered from the start, whether the cluster's API server can be reached or not.
///
/// A disk that comes later brings its volumes with it: what the kernel tells of it is followed. Metrics, each
/// with driver_name: holdfast_lvm_free_bytes, holdfast_lvm_commands_waiting, holdfast_volume_stats_stuck,
/// holdfast_kubelet_places (state; as found at the start), and in a cluster holdfast_lvm_orphans.
///
/// Errors of making it: kNotFound when kubelet's folder is not there, or neither lvmcmd nor lvm(8) is;
/// kUnavailable when another process has the state folder; errno.
Result<std::unique_ptr<csi::HostedDriver>> make_lvm_plugin(const csi::HostContext& context,
                                                           const PluginOptions& options,
                                                           const Configuration& configuration);

}  // namespace holdfast::lvm
