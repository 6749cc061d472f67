#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "common/csi/driver_host.h"
#include "common/kube/config.h"
#include "csi-nas/program/options.h"

namespace holdfast::nas {

struct PluginOptions {
  csi::Profile profile;
  Mode mode = Mode::kNode;  ///< kNode or kAll
  std::string node_id;
  std::filesystem::path kubelet_dir;
  std::filesystem::path state_dir;
  std::filesystem::path socket;           ///< empty: the profile's
  std::filesystem::path nascmd;           ///< empty: beside the program itself
  std::filesystem::path nas_directories;  ///< likewise; kAll, and kNode in a cluster
  std::uint32_t rpc_slots = kRpcSlots;    ///< 0: the kernel's
  cloud::CloudOptions cloud = {};         ///< kAll
  /// kNode: the cluster in which this node works for its site; nullopt: it answers calls, and that is all.
  std::optional<kube::Config> cluster = {};
};

/// csi-nas on a node, for a program that hosts it: the node's half, and with kAll the controller's too, or in
/// a cluster the work for its site, in <state_dir>/<driver>. The node's keeps nothing on disk that is needed
/// (mounts are in the kernel's table, which volume is where in kubelet's notes, and both outlive it), but the
/// last usages, in <state_dir>/nas-usage/<driver>.
///
/// A profile with the topology key of node pools has NodeGetInfo tell this node's, which is UNAVAILABLE until
/// it is known.
///
/// Metrics, with driver_name: holdfast_volume_stats_stuck; those of NfsSide and DynamicVolumes.
///
/// Errors of making it: kNotFound when kubelet's folder or a program is not there; those of
/// DynamicVolumes::open and NodeSite::open; errno.
Result<std::unique_ptr<csi::HostedDriver>> make_nas_plugin(const csi::HostContext& context,
                                                           const PluginOptions& options);

}  // namespace holdfast::nas
