#include "csi-lvm/program/csi_lvm.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/version.h"
#include "common/block/filesystem.h"
#include "common/kube/cluster_link.h"
#include "csi-lvm/program/controller_plugin.h"
#include "csi-lvm/program/lvm_plugin.h"
#include "csi-lvm/program/options.h"

namespace holdfast::lvm {
namespace {

using Drivers = std::vector<std::unique_ptr<csi::HostedDriver>>;

PluginOptions on_node(const Options& options, const csi::Profile& profile,
                      std::optional<kube::Config> cluster) {
  PluginOptions plugin;
  plugin.profile = profile;
  plugin.mode = options.mode;
  plugin.node_id = options.host.node_id;
  plugin.kubelet_dir = options.host.kubelet_dir;
  plugin.state_dir = options.host.state_dir;
  plugin.socket = options.socket;
  plugin.lvmcmd = options.lvmcmd;
  plugin.heartbeat = options.cluster.heartbeat;
  plugin.cluster = std::move(cluster);
  return plugin;
}

Status run(const Options& options, const Flags::Lookup& environment, Logger& log) {
  HOLDFAST_TRY(const Configuration configuration, read_configuration(options.host.config));
  HOLDFAST_TRY(const csi::Profile profile, local_profile(configuration, options.driver_name));
  PosixFiles files;
  std::optional<kube::Config> cluster;
  if (options.mode != Mode::kAll) {
    HOLDFAST_TRY(cluster, kube::find_cluster(files, options.cluster.kubeconfig, environment));
  }
  if (options.mode == Mode::kController && !cluster) {
    return fail(Code::kInvalidArgument,
                "--mode controller: --kubeconfig tells the API server, outside a pod");
  }
  log.info("csi-lvm begins",
           {{"version", version()}, {"node", options.host.node_id}, {"driver", profile.driver_name}});
  csi::HostSettings settings;
  settings.metrics_address = options.host.metrics_address;
  const auto make = [&](const csi::HostContext& context) -> Result<Drivers> {
    Drivers drivers;
    if (options.mode == Mode::kController) {
      const ControllerPluginOptions plugin{profile, options.socket, *cluster, options.controller};
      HOLDFAST_TRY(auto driver, make_controller_plugin(context, plugin));
      drivers.push_back(std::move(driver));
    } else {
      HOLDFAST_TRY(auto driver, make_lvm_plugin(context, on_node(options, profile, cluster), configuration));
      drivers.push_back(std::move(driver));
    }
    return drivers;
  };
  return csi::host_drivers(settings, make, log, ::_exit);
}

}  // namespace

int csi_lvm(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
            std::ostream& error) {
  Options options;
  const Status parsed = parse_options(arguments, environment, options);
  const auto answer = csi::answer_before_start("csi-lvm", parsed, options.host, options_help(), out, error);
  if (answer) return *answer;
  SystemClock clock;
  FdLogger log(options.host.log_level, clock);
  if (options.mode != Mode::kController) {
    if (const auto refused = block::refuse_old_kernel("csi-lvm", log)) return *refused;
  }
  const Status ended = run(options, environment, log);
  if (!ended) log.error("csi-lvm cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}

}  // namespace holdfast::lvm
