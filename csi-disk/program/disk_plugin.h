#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "common/csi/driver_host.h"
#include "csi-disk/program/cloud_node.h"
#include "csi-disk/program/options.h"

namespace holdfast::disk {

struct PluginOptions {
  csi::Profile profile;
  std::string node_id;  ///< this node's name in the cluster
  std::filesystem::path kubelet_dir;
  std::filesystem::path state_dir;
  std::filesystem::path socket = {};  ///< empty: the profile's
  NodeOptions node = {};
  AskAttachLimit ask_limit = nullptr;  ///< null: the cloud's API is not called
  /// The controller's half on the same socket (mode all); null: the node's alone. Shared: it ends with what
  /// it stands on.
  std::shared_ptr<csi::ControllerDriver> controller = nullptr;
  std::function<void()> tick_controller = nullptr;  ///< called every csi::kTick, beside a controller
};

/// csi-disk on a node, for a program that hosts it.
///
///     <state_dir>/<driver>/lock      taken while it runs
///     <state_dir>/<driver>/disks     what is known of volumes (disk_records.h)
///     <state_dir>/<driver>/place     what the cloud said of this node (cloud_node.h)
///
/// Metrics, each with driver_name: holdfast_volume_stats_stuck, holdfast_kubelet_places (state; as found at
/// the start).
///
/// Errors of making it: kNotFound when kubelet's folder is not there; kUnavailable when another process has
/// the state folder; errno.
Result<std::unique_ptr<csi::HostedDriver>> make_disk_plugin(const csi::HostContext& context,
                                                            const PluginOptions& options);

}  // namespace holdfast::disk
