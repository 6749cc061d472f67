#include "csi-nas/program/csi_nas.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/version.h"
#include "common/block/filesystem.h"
#include "common/kube/cluster_link.h"
#include "csi-nas/program/controller_plugin.h"
#include "csi-nas/program/nas_plugin.h"
#include "csi-nas/program/options.h"

namespace holdfast::nas {
namespace {

using Driver = Result<std::unique_ptr<csi::HostedDriver>>;
using Cluster = std::optional<kube::Config>;

Driver make_controller(const csi::HostContext& context, const Options& options, const csi::Profile& profile,
                       const Cluster& cluster) {
  return make_controller_plugin(context, {.profile = profile,
                                          .state_dir = options.host.state_dir,
                                          .socket = options.socket,
                                          .nascmd = options.nascmd,
                                          .nas_directories = options.nas_directories,
                                          .rpc_slots = options.rpc_slots,
                                          .cloud = options.cloud,
                                          .cluster = cluster});
}

Driver make_on_node(const csi::HostContext& context, const Options& options, const csi::Profile& profile,
                    const Cluster& cluster) {
  return make_nas_plugin(context, {.profile = profile,
                                   .mode = options.mode,
                                   .node_id = options.host.node_id,
                                   .kubelet_dir = options.host.kubelet_dir,
                                   .state_dir = options.host.state_dir,
                                   .socket = options.socket,
                                   .nascmd = options.nascmd,
                                   .nas_directories = options.nas_directories,
                                   .rpc_slots = options.rpc_slots,
                                   .cloud = options.cloud,
                                   .cluster = cluster});
}

Result<Cluster> find_cluster(const Options& options, const Flags::Lookup& environment) {
  if (options.mode == Mode::kAll) return Cluster{};
  PosixFiles files;
  return kube::find_cluster(files, options.kubeconfig, environment);
}

Status run(const Options& options, const Flags::Lookup& environment, Logger& log) {
  HOLDFAST_TRY(const auto configured, read_profiles(options.host.config));
  HOLDFAST_TRY(const csi::Profile profile, nas_profile(configured, options.driver_name));
  HOLDFAST_TRY(const Cluster cluster, find_cluster(options, environment));
  csi::HostSettings settings;
  settings.metrics_address = options.host.metrics_address;
  log.info("csi-nas begins",
           {{"version", version()}, {"node", options.host.node_id}, {"driver", profile.driver_name}});
  const auto make =
      [&](const csi::HostContext& context) -> Result<std::vector<std::unique_ptr<csi::HostedDriver>>> {
    const bool controller = options.mode == Mode::kController;
    std::vector<std::unique_ptr<csi::HostedDriver>> drivers;
    HOLDFAST_TRY(auto driver, controller ? make_controller(context, options, profile, cluster)
                                         : make_on_node(context, options, profile, cluster));
    drivers.push_back(std::move(driver));
    return drivers;
  };
  return csi::host_drivers(settings, make, log, ::_exit);
}

}  // namespace

int csi_nas(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
            std::ostream& error) {
  Options options;
  const Status parsed = parse_options(arguments, environment, options);
  const auto answer = csi::answer_before_start("csi-nas", parsed, options.host, options_help(), out, error);
  if (answer) return *answer;
  SystemClock clock;
  FdLogger log(options.host.log_level, clock);
  if (options.mode != Mode::kController) {
    if (const auto refused = block::refuse_old_kernel("csi-nas", log)) return *refused;
  }
  const Status ended = run(options, environment, log);
  if (!ended) log.error("csi-nas cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}

}  // namespace holdfast::nas
