#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cni-flannel/controller/network_plan.h"
#include "cni-flannel/daemon/annotation_keys.h"
#include "common/base/flags.h"
#include "common/base/log.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/http/listen_address.h"

namespace holdfast::flannel {

/// What flannel-controller is told at its start.
struct ControllerOptions : ProgramOptions {
  std::filesystem::path kubeconfig{};  ///< empty: as a pod
  std::string name_space{};            ///< of its lease; empty: the pod's own
  NetworkPlanOptions plan{};
  http::ListenAddress healthz{};  ///< port 0: not served
};

/// From the arguments behind the program's name. Errors: kInvalidArgument, naming flag, value and what would
/// do; also ranges that nodes cannot be given parts of.
[[nodiscard]] Result<ControllerOptions> parse_controller_options(std::span<const std::string> arguments);
[[nodiscard]] std::string controller_help();

/// The whole program: runs until SIGTERM or SIGINT, and frees its lease then. Errors: what no waiting cures,
/// with the cure.
Status run_flannel_controller(const ControllerOptions& options, const Flags::Lookup& environment,
                              Logger& log);

}  // namespace holdfast::flannel
