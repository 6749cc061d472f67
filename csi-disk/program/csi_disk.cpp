#include "csi-disk/program/csi_disk.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/version.h"
#include "common/block/filesystem.h"
#include "common/kube/cluster_link.h"
#include "common/kube/cluster_uid.h"
#include "csi-disk/program/cloud_side.h"
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
Status check_mode(Mode mode, Backend backend) {
  if (mode != Mode::kController || backend != Backend::kStatic) return {};
  return fail(
      Code::kInvalidArgument,
      "--mode controller: with static disks there is nothing to control; have a CSIDriver object with "
      "attachRequired: false, and run --mode node alone");
}

using Cluster = std::optional<kube::Config>;

// That a controller serves; none of a node.
Result<Cluster> find_cluster(const csi::HostContext& context, const Options& options,
                             const Flags::Lookup& environment) {
  if (options.mode != Mode::kController) return Cluster();
  return kube::find_cluster(context.files, options.cluster.kubeconfig, environment);
}

Result<std::unique_ptr<ClaimEvents>> events_in(const Cluster& cluster, const csi::HostContext& context,
                                               const Options& options) {
  if (!cluster) return nullptr;
  HOLDFAST_TRY(auto link, kube::ClusterLink::connect(context.loop, context.files, context.metrics, *cluster,
                                                     "csi-disk"));
  return std::make_unique<ClaimEvents>(context.loop, std::move(link), options.host.node_id);
}

// Whose disks a controller makes; empty without a cluster.
Result<std::string> uid_of(const Cluster& cluster, const csi::HostContext& context, const Options& options,
                           const csi::Profile& profile) {
  if (!options.cluster.id.empty() || !cluster) return options.cluster.id;
  const std::filesystem::path folder = options.host.state_dir / profile.driver_name;
  HOLDFAST_CHECK(context.files.make_folders(folder, 0700));
  return kube::learn_cluster_uid(*cluster, {.clock = context.clock,
                                            .files = context.files,
                                            .metrics = context.metrics,
                                            .log = context.log,
                                            .program = "csi-disk",
                                            .file = folder / "cluster"});
}

Result<std::unique_ptr<csi::HostedDriver>> make_driver(const csi::HostContext& context,
                                                       const Options& options, const csi::Profile& profile,
                                                       Backend backend, const Flags::Lookup& environment) {
  PluginOptions node = on_node(options, profile);
  // A node calls the cloud for its limit of disks alone, and where that is asked for.
  const bool calls = options.mode != Mode::kNode || !options.cloud.region.empty() || !options.plugin.empty();
  if (!calls || backend == Backend::kStatic) return make_disk_plugin(context, node);
  HOLDFAST_TRY(const Cluster cluster, find_cluster(context, options, environment));
  HOLDFAST_TRY(std::string uid, uid_of(cluster, context, options, profile));
  HOLDFAST_TRY(auto events, events_in(cluster, context, options));
  HOLDFAST_TRY(auto made,
               CloudSide::make(context, options, profile, backend, std::move(uid), std::move(events)));
  std::shared_ptr<CloudSide> side = std::move(made);  // shared with who holds its driver
  std::shared_ptr<csi::ControllerDriver> controller(side, &side->driver());
  if (options.mode == Mode::kController) {
    return make_controller_plugin(profile, options.socket, std::move(side));
  }
  node.ask_limit = [side](const std::string& instance) { return side->attach_limit_of(instance); };
  if (options.mode == Mode::kAll) {
    node.controller = std::move(controller);
    node.tick_controller = [side] { side->tick(); };
  }
  return make_disk_plugin(context, node);
}

Status run(const Options& options, const Flags::Lookup& environment, Logger& log) {
  HOLDFAST_TRY(const csi::Profile profile, disk_profile(options.profile));
  const Backend backend = options.backend.value_or(usual_backend(profile));
  HOLDFAST_CHECK(check_mode(options.mode, backend));
  csi::HostSettings settings;
  settings.metrics_address = options.host.metrics_address;
  log.info("csi-disk begins",
           {{"version", version()}, {"node", options.host.node_id}, {"driver", profile.driver_name}});
  const auto make = [&](const csi::HostContext& context) -> Result<Drivers> {
    Drivers drivers;
    HOLDFAST_TRY(auto driver, make_driver(context, options, profile, backend, environment));
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
  if (options.mode != Mode::kController) {
    if (const auto refused = block::refuse_old_kernel("csi-disk", log)) return *refused;
  }
  const Status ended = run(options, environment, log);
  if (!ended) log.error("csi-disk cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}

}  // namespace holdfast::disk
