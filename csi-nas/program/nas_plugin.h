#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "common/csi/driver_host.h"
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
  std::filesystem::path nas_directories;  ///< likewise; kAll
  std::uint32_t rpc_slots = kRpcSlots;    ///< 0: the kernel's
  cloud::CloudOptions cloud = {};         ///< kAll
};

/// csi-nas on a node, for a program that hosts it: the node's half, and with kAll the controller's too, in
/// <state_dir>/<driver>. The node's keeps nothing on disk that is needed (mounts are in the kernel's table,
/// which volume is where in kubelet's notes, and both outlive it), but the last usages, in
/// <state_dir>/nas-usage/<driver>.
///
/// Metrics, with driver_name: holdfast_volume_stats_stuck; those of NfsSide and DynamicVolumes.
///
/// Errors of making it: kNotFound when kubelet's folder or a program is not there; those of
/// DynamicVolumes::open; errno.
Result<std::unique_ptr<csi::HostedDriver>> make_nas_plugin(const csi::HostContext& context,
                                                           const PluginOptions& options);

}  // namespace holdfast::nas
