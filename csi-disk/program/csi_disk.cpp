#include "csi-disk/program/csi_disk.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/version.h"
#include "common/block/filesystem.h"
#include "csi-disk/program/disk_plugin.h"
#include "csi-disk/program/options.h"

namespace holdfast::disk {
namespace {

using Drivers = std::vector<std::unique_ptr<csi::HostedDriver>>;

PluginOptions on_node(const Options& options, const csi::Profile& profile) {
  return {.profile = profile,
          .node_id = options.host.node_id,
          .kubelet_dir = options.host.kubelet_dir,
          .state_dir = options.host.state_dir,
          .socket = options.socket,
          .node = options.node};
}

// Disks that are attached already need nobody who makes or attaches them.
Status check_mode(const Options& options, Backend backend) {
  if (options.mode == Mode::kNode || (options.mode == Mode::kAll && backend == Backend::kStatic)) return {};
  if (backend == Backend::kStatic) {
    return fail(
        Code::kInvalidArgument,
        "--mode controller: with static disks there is nothing to control; have a CSIDriver object with "
        "attachRequired: false, and run --mode node alone");
  }
  return fail(Code::kUnimplemented,
              "this program serves nodes; disks of the cloud are made and attached by its own "
              "controller: run --mode node");
}

Status run(const Options& options, Logger& log) {
  HOLDFAST_CHECK(block::check_kernel(block::running_kernel()));
  HOLDFAST_TRY(const csi::Profile profile, disk_profile(options.profile));
  HOLDFAST_CHECK(check_mode(options, options.backend.value_or(usual_backend(profile))));
  csi::HostSettings settings;
  settings.metrics_address = options.host.metrics_address;
  log.info("csi-disk begins",
           {{"version", version()}, {"node", options.host.node_id}, {"driver", profile.driver_name}});
  const auto make = [&](const csi::HostContext& context) -> Result<Drivers> {
    Drivers drivers;
    HOLDFAST_TRY(auto driver, make_disk_plugin(context, on_node(options, profile)));
    drivers.push_back(std::move(driver));
    return drivers;
  };
  return csi::host_drivers(settings, make, log, ::_exit);
}

}  // namespace

int csi_disk(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
             std::ostream& error) {
  Options options;
  const Status parsed = parse_options(arguments, environment, options);
  const auto answer = csi::answer_before_start("csi-disk", parsed, options.host, options_help(), out, error);
  if (answer) return *answer;
  SystemClock clock;
  FdLogger log(options.host.log_level, clock);
  const Status ended = run(options, log);
  if (!ended) log.error("csi-disk cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}

}  // namespace holdfast::disk
