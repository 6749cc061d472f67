#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/csi/driver_host.h"

namespace holdfast::nas {

struct PluginOptions {
  csi::Profile profile;
  std::string node_id;
  std::filesystem::path kubelet_dir;
  std::filesystem::path socket;  ///< empty: the profile's
  std::filesystem::path nascmd;  ///< empty: beside the program itself
};

/// csi-nas's node as a whole, for a program that hosts it. It keeps nothing on disk: mounts are in the
/// kernel's table, which volume is where in kubelet's notes, and both outlive it.
///
/// Metrics, each with driver_name: holdfast_nfs_server_up (server), holdfast_nfs_calls_stuck,
/// holdfast_volume_stats_stuck.
///
/// Errors of making it: kNotFound when kubelet's folder or nascmd is not there; errno.
Result<std::unique_ptr<csi::HostedDriver>> make_nas_plugin(const csi::HostContext& context,
                                                           const PluginOptions& options);

}  // namespace holdfast::nas
