#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/flags.h"
#include "common/base/log.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/base/version.h"
#include "common/http/listen_address.h"
#include "egw-gateway/controller/pool_plan.h"

namespace holdfast::gateway {

/// What egw-controller is told at its start.
struct ControllerOptions : ProgramOptions {
  std::filesystem::path kubeconfig{};  ///< empty: as a pod
  std::string name_space{};            ///< of what it makes, and of its lease; empty: the pod's own
  /// Of gateways; as scripts/image_name.py has it.
  std::string image = "holdfast.invalid/holdfast:" + std::string(holdfast::version());
  std::string image_pull_policy = ObjectOptions{}.image_pull_policy;
  std::vector<Cidr> tunnel_ranges{};  ///< one a family at most; none told: kTunnelRange
  std::chrono::seconds removal_grace{3600};
  std::chrono::seconds key_overlap = kKeyOverlap;
  std::chrono::seconds key_lifetime = kKeyLifetime;
  http::ListenAddress healthz{};  ///< port 0: not served
};

/// From the arguments behind the program's name. Errors: kInvalidArgument, naming flag, value and what would
/// do.
[[nodiscard]] Result<ControllerOptions> parse_controller_options(std::span<const std::string> arguments);
[[nodiscard]] std::string controller_help();

/// The whole program: runs until SIGTERM or SIGINT, and frees its lease then. Errors: what no waiting cures,
/// with the cure.
Status run_egw_controller(const ControllerOptions& options, const Flags::Lookup& environment, Logger& log);

}  // namespace holdfast::gateway
