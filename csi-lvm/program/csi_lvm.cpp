#include "csi-lvm/program/csi_lvm.h"

#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/base/version.h"
#include "common/block/filesystem.h"
#include "csi-lvm/program/lvm_plugin.h"
#include "csi-lvm/program/options.h"

namespace holdfast::lvm {
namespace {

Status run(const Options& options, Logger& log) {
  HOLDFAST_CHECK(block::check_kernel(block::running_kernel()));
  HOLDFAST_TRY(const Configuration configuration, read_configuration(options.host.config));
  PluginOptions plugin;
  HOLDFAST_TRY(plugin.profile, local_profile(configuration, options.driver_name));
  plugin.mode = options.mode;
  plugin.node_id = options.host.node_id;
  plugin.kubelet_dir = options.host.kubelet_dir;
  plugin.state_dir = options.host.state_dir;
  plugin.socket = options.socket;
  plugin.lvmcmd = options.lvmcmd;
  csi::HostSettings settings;
  settings.metrics_address = options.host.metrics_address;
  log.info("csi-lvm begins",
           {{"version", version()}, {"node", plugin.node_id}, {"driver", plugin.profile.driver_name}});
  const auto make =
      [&](const csi::HostContext& context) -> Result<std::vector<std::unique_ptr<csi::HostedDriver>>> {
    std::vector<std::unique_ptr<csi::HostedDriver>> drivers;
    HOLDFAST_TRY(auto driver, make_lvm_plugin(context, plugin, configuration));
    drivers.push_back(std::move(driver));
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
  const Status ended = run(options, log);
  if (!ended) log.error("csi-lvm cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}

}  // namespace holdfast::lvm
