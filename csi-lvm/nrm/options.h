#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>

#include "common/base/flags.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/http/listen_address.h"
#include "csi-lvm/nrm/plan_report.h"
#include "csi-lvm/nrm/topology.h"

namespace holdfast::nrm {

/// What node-resource-manager is told at its start.
struct ManagerOptions : ProgramOptions {
  std::string node_id;                ///< --node-id, or NODE_ID, NODE_NAME, KUBE_NODE_NAME in the environment
  std::filesystem::path config_file;  ///< not empty: it counts, and no cluster is asked
  NodeLabels node_labels;
  std::filesystem::path node_labels_file;
  std::string config_map = "node-resource-topo";
  std::string name_space = "kube-system";
  std::filesystem::path kubeconfig;
  std::filesystem::path state_dir = kStateFolder;
  std::filesystem::path lvmcmd;  ///< empty: lvm(8) is run for each command
  std::string devices_file = "holdfast.devices";
  std::chrono::seconds interval{60};
  http::ListenAddress metrics_address;  ///< port 0: not served
  bool dry_run = false;
  bool once = false;  ///< one pass; its table is printed
};

/// From the arguments behind the program's name. Errors: kInvalidArgument, naming flag, value and what would
/// do.
[[nodiscard]] Result<ManagerOptions> parse_manager_options(std::span<const std::string> arguments,
                                                           const Flags::Lookup& environment);
[[nodiscard]] std::string manager_help();

}  // namespace holdfast::nrm
