#include "programs/csi_node/csi_node.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/version.h"
#include "common/block/filesystem.h"
#include "common/kube/cluster_link.h"
#include "csi-disk/program/disk_plugin.h"
#include "csi-lvm/program/lvm_plugin.h"
#include "csi-lvm/program/options.h"
#include "csi-nas/program/nas_plugin.h"
#include "csi-nas/program/options.h"

namespace holdfast {
namespace {

using Drivers = std::vector<std::unique_ptr<csi::HostedDriver>>;

void add_flags(Flags& flags, CsiNodeOptions& out) {
  flags.heading("Drivers");
  flags.value("profile", "NAME", "a driver to serve; may be repeated [all of --config]",
              [&out](const std::string& value) {
                if (!value.empty()) out.profiles.push_back(value);
                return Status{};
              });
  lvm::add_lvmcmd_flag(flags, out.lvmcmd);
  nas::add_nascmd_flag(flags, out.nascmd);
  nas::add_rpc_slots_flag(flags, out.rpc_slots);
  nas::add_nas_directories_flag(flags, out.nas_directories);
  lvm::add_cluster_flags(flags, out.cluster);
  disk::add_node_flags(flags, out.disks);
  csi::add_host_flags(flags, out.host);
}

Result<csi::Profile> profile_named(const std::string& name, const std::vector<csi::Profile>& configured) {
  const auto told = std::ranges::find(configured, name, &csi::Profile::driver_name);
  if (told != configured.end()) return *told;
  if (auto known = csi::known_profile(name)) return *std::move(known);
  return fail(Code::kInvalidArgument,
              "--profile '" + name + "' is neither known nor in the file that --config names");
}

Result<std::unique_ptr<csi::HostedDriver>> make_local(const csi::HostContext& context,
                                                      const CsiNodeOptions& options,
                                                      const csi::Profile& profile,
                                                      const lvm::Configuration& configuration,
                                                      const std::optional<kube::Config>& cluster) {
  lvm::PluginOptions plugin;
  HOLDFAST_TRY(plugin.profile, lvm::local_profile(configuration, profile.driver_name));
  plugin.mode = lvm::Mode::kNode;
  plugin.node_id = options.host.node_id;
  plugin.kubelet_dir = options.host.kubelet_dir;
  plugin.state_dir = options.host.state_dir;
  plugin.lvmcmd = options.lvmcmd;
  plugin.heartbeat = options.cluster.heartbeat;
  plugin.cluster = cluster;
  return lvm::make_lvm_plugin(context, plugin, configuration);
}

Result<std::unique_ptr<csi::HostedDriver>> make_nas(const csi::HostContext& context,
                                                    const CsiNodeOptions& options,
                                                    const csi::Profile& profile,
                                                    const std::optional<kube::Config>& cluster) {
  nas::PluginOptions plugin;
  plugin.profile = profile;
  plugin.node_id = options.host.node_id;
  plugin.kubelet_dir = options.host.kubelet_dir;
  plugin.state_dir = options.host.state_dir;
  plugin.nascmd = options.nascmd;
  plugin.rpc_slots = options.rpc_slots;
  plugin.nas_directories = options.nas_directories;
  plugin.cluster = cluster;
  return nas::make_nas_plugin(context, plugin);
}

Result<std::unique_ptr<csi::HostedDriver>> make_disk(const csi::HostContext& context,
                                                     const CsiNodeOptions& options,
                                                     const csi::Profile& profile) {
  return disk::make_disk_plugin(context, {.profile = profile,
                                          .node_id = options.host.node_id,
                                          .kubelet_dir = options.host.kubelet_dir,
                                          .state_dir = options.host.state_dir,
                                          .node = options.disks});
}

Result<std::unique_ptr<csi::HostedDriver>> make_driver(const csi::HostContext& context,
                                                       const CsiNodeOptions& options,
                                                       const csi::Profile& profile,
                                                       const lvm::Configuration& configuration,
                                                       const std::optional<kube::Config>& cluster) {
  if (profile.kind == csi::DriverKind::kNas) return make_nas(context, options, profile, cluster);
  if (profile.kind == csi::DriverKind::kDisk) return make_disk(context, options, profile);
  return make_local(context, options, profile, configuration, cluster);
}

Result<Drivers> make_drivers(const csi::HostContext& context, const CsiNodeOptions& options,
                             const std::vector<csi::Profile>& profiles,
                             const lvm::Configuration& configuration,
                             const std::optional<kube::Config>& cluster) {
  Drivers drivers;
  for (const csi::Profile& profile : profiles) {
    HOLDFAST_TRY(auto driver, make_driver(context, options, profile, configuration, cluster));
    drivers.push_back(std::move(driver));
  }
  return drivers;
}

// A LogicalVolume tells its node, and no driver.
Status check_cluster(const std::vector<csi::Profile>& profiles) {
  const csi::Profile* first = nullptr;
  for (const csi::Profile& profile : profiles) {
    if (profile.kind != csi::DriverKind::kLocal) continue;
    if (first != nullptr) {
      return fail(Code::kInvalidArgument, first->driver_name + " and " + profile.driver_name +
                                              " cannot both make a node's volumes in a cluster");
    }
    first = &profile;
  }
  return {};
}

Status run(const CsiNodeOptions& options, const Flags::Lookup& environment, Logger& log) {
  HOLDFAST_TRY(const lvm::Configuration configuration, lvm::read_configuration(options.host.config));
  HOLDFAST_TRY(const auto profiles, chosen_profiles(options.profiles, configuration.profiles));
  PosixFiles files;
  HOLDFAST_TRY(const std::optional<kube::Config> cluster,
               kube::find_cluster(files, options.cluster.kubeconfig, environment));
  if (cluster) HOLDFAST_CHECK(check_cluster(profiles));
  const bool local =
      std::ranges::find(profiles, csi::DriverKind::kLocal, &csi::Profile::kind) != profiles.end();
  if (local) HOLDFAST_CHECK(csi::check_topology(options.host));
  csi::HostSettings settings;
  settings.metrics_address = options.host.metrics_address;
  log.info("csi-node begins", {{"version", version()}, {"node", options.host.node_id}});
  return csi::host_drivers(
      settings,
      [&](const csi::HostContext& context) {
        return make_drivers(context, options, profiles, configuration, cluster);
      },
      log, ::_exit);
}

}  // namespace

Status parse_csi_node_options(std::span<const std::string> arguments, const Flags::Lookup& environment,
                              CsiNodeOptions& options) {
  Flags flags;
  add_flags(flags, options);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (options.host.only_tells()) return {};
  HOLDFAST_CHECK(flags.parse_environment("CSI_", environment));
  HOLDFAST_CHECK(csi::complete(options.host, environment));
  return {};
}

std::string csi_node_help() {
  CsiNodeOptions options;
  Flags flags;
  add_flags(flags, options);
  return "csi-node: the node's side of all CSI drivers of a machine, in one process.\n"
         "Every flag may also be set in the environment, as CSI_NODE_ID=edge-1.\n" +
         flags.help();
}

Result<std::vector<csi::Profile>> chosen_profiles(const std::vector<std::string>& names,
                                                  const std::vector<csi::Profile>& configured) {
  std::vector<csi::Profile> out = names.empty() ? configured : std::vector<csi::Profile>{};
  for (const std::string& name : names) {
    HOLDFAST_TRY(csi::Profile profile, profile_named(name, configured));
    if (std::ranges::find(out, name, &csi::Profile::driver_name) != out.end()) {
      return fail(Code::kInvalidArgument, "--profile '" + name + "' is told twice");
    }
    out.push_back(std::move(profile));
  }
  if (out.empty()) {
    return fail(Code::kInvalidArgument, "no driver to serve: name one by --profile, or several by --config");
  }
  return out;
}

int csi_node(std::span<const std::string> arguments, const Flags::Lookup& environment, std::ostream& out,
             std::ostream& error) {
  CsiNodeOptions options;
  const Status parsed = parse_csi_node_options(arguments, environment, options);
  const auto answer = csi::answer_before_start("csi-node", parsed, options.host, csi_node_help(), out, error);
  if (answer) return *answer;
  SystemClock clock;
  FdLogger log(options.host.log_level, clock);
  if (const auto refused = block::refuse_old_kernel("csi-node", log)) return *refused;
  const Status ended = run(options, environment, log);
  if (!ended) log.error("csi-node cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}

}  // namespace holdfast
