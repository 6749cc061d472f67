#include "csi-nas/program/csi_nas.h"

#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/base/version.h"
#include "common/block/filesystem.h"
#include "csi-nas/program/nas_plugin.h"
#include "csi-nas/program/options.h"

namespace holdfast::nas {
namespace {

Status run(const Options& options, Logger& log) {
  HOLDFAST_CHECK(block::check_kernel(block::running_kernel()));
  HOLDFAST_TRY(const auto configured, read_profiles(options.host.config));
  PluginOptions plugin;
  HOLDFAST_TRY(plugin.profile, nas_profile(configured, options.driver_name));
  plugin.node_id = options.host.node_id;
  plugin.kubelet_dir = options.host.kubelet_dir;
  plugin.socket = options.socket;
  plugin.nascmd = options.nascmd;
  csi::HostSettings settings;
  settings.metrics_address = options.host.metrics_address;
  log.info("csi-nas begins",
           {{"version", version()}, {"node", plugin.node_id}, {"driver", plugin.profile.driver_name}});
  const auto make =
      [&](const csi::HostContext& context) -> Result<std::vector<std::unique_ptr<csi::HostedDriver>>> {
    std::vector<std::unique_ptr<csi::HostedDriver>> drivers;
    HOLDFAST_TRY(auto driver, make_nas_plugin(context, plugin));
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
  const Status ended = run(options, log);
  if (!ended) log.error("csi-nas cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}

}  // namespace holdfast::nas
