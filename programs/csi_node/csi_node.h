#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "common/base/flags.h"
#include "common/csi/host_options.h"
#include "common/csi/profile.h"
#include "csi-disk/program/options.h"
#include "csi-lvm/program/options.h"
#include "csi-nas/mounts/rpc_slots.h"

namespace holdfast {

struct CsiNodeOptions {
  csi::HostOptions host;
  std::vector<std::string> profiles;         ///< names of drivers; none: all of --config
  std::filesystem::path lvmcmd;              ///< empty: beside the program itself
  std::filesystem::path nascmd;              ///< likewise
  std::uint32_t rpc_slots = nas::kRpcSlots;  ///< of NFS; 0: the kernel's
  std::filesystem::path nas_directories;     ///< beside the program itself, likewise
  lvm::ClusterOptions cluster;
  disk::NodeOptions disks;
};

/// As lvm::parse_options().
Status parse_csi_node_options(std::span<const std::string> arguments, const Flags::Lookup& environment,
                              CsiNodeOptions& options);
[[nodiscard]] std::string csi_node_help();

/// The profiles to serve: those that are named, of the configuration or known; all of the configuration when
/// none is. Errors: kInvalidArgument for a name that is neither, or twice there, and when there is none at
/// all.
Result<std::vector<csi::Profile>> chosen_profiles(const std::vector<std::string>& names,
                                                  const std::vector<csi::Profile>& configured);

/// The program csi-node, but for its main(); as lvm::csi_lvm().
int csi_node(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
             std::ostream& error);

}  // namespace holdfast
