#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "common/cloud/options.h"
#include "common/csi/driver_host.h"
#include "common/kube/config.h"
#include "csi-nas/mounts/rpc_slots.h"

namespace holdfast::nas {

struct ControllerPluginOptions {
  csi::Profile profile;
  std::filesystem::path state_dir;
  std::filesystem::path socket;
  std::filesystem::path nascmd;           ///< empty: beside the program itself
  std::filesystem::path nas_directories;  ///< likewise
  std::uint32_t rpc_slots = kRpcSlots;    ///< 0: the kernel's
  cloud::CloudOptions cloud = {};
  /// Where records are objects, and nodes of sites do what is not reached from here; nullopt: records are
  /// files.
  std::optional<kube::Config> cluster = {};
};

/// The controller of csi-nas by itself, for a program that hosts it: where servers of NFS can be reached, and
/// no kubelet needs to be.
///
///     <state_dir>/<driver>           what DynamicVolumes keeps
///     <state_dir>/<driver>/mounts    the shares, while they are worked on
///
/// In a cluster it is ready when the cluster's records have been read. Errors of making it: kNotFound when a
/// program is not there; those of DynamicVolumes::open and ControllerCluster::connect.
Result<std::unique_ptr<csi::HostedDriver>> make_controller_plugin(const csi::HostContext& context,
                                                                  const ControllerPluginOptions& options);

}  // namespace holdfast::nas
