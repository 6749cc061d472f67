#include "csi-lvm/nrm/options.h"

#include <utility>

namespace holdfast::nrm {
namespace {

constexpr std::int64_t kDaySeconds = 86400;

void add_config_flags(Flags& flags, ManagerOptions& out) {
  flags.heading("The configuration");
  flags.text("node-id", "NAME", "the node's name [$NODE_ID, $NODE_NAME or $KUBE_NODE_NAME]", out.node_id);
  flags.value("config-file", "FILE|FOLDER",
              "the ConfigMap as a file, or its keys as files: no cluster is asked",
              Flags::to_path(out.config_file));
  flags.value("node-labels", "K=V,...", "labels of the node; count before all others",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.node_labels, parse_labels(value));
                return {};
              });
  flags.value("node-labels-file", "FILE", "the same in a file, for --config-file",
              Flags::to_path(out.node_labels_file));
  flags.text("config-map", "NAME", "in the cluster [node-resource-topo]", out.config_map);
  flags.text("cm-name", "NAME", "the same", out.config_map);
  flags.text("namespace", "NAME", "of the ConfigMap [kube-system]", out.name_space);
  flags.value("kubeconfig", "FILE", "in place of the pod's own access", Flags::to_path(out.kubeconfig));
}

void add_run_flags(Flags& flags, ManagerOptions& out) {
  flags.heading("The passes");
  flags.boolean("dry-run", "change nothing: print one plan, and end", out.dry_run);
  flags.boolean("once", "one pass; its table is printed", out.once);
  flags.integer("interval", "SECONDS", "between passes that no disk and no change asked for [60]", 1,
                kDaySeconds, [&out](std::int64_t number) { out.interval = std::chrono::seconds(number); });
  flags.value("state-dir", "FOLDER", "what outlives a reboot [/var/lib/holdfast/node-resources]",
              Flags::to_path(out.state_dir));
  flags.heading("LVM");
  flags.value("lvmcmd", "FILE", "the program lvmcmd [lvm(8) is run for each command]",
              Flags::to_path(out.lvmcmd));
  flags.text("devices-file", "NAME", "of /etc/lvm/devices, with our disks [holdfast.devices]",
             out.devices_file);
  flags.heading("Other");
  flags.value("metrics-address", "ADDRESS:PORT", "where /healthz, /readyz and /metrics are served [nowhere]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.metrics_address, http::parse_listen_address(value));
                return {};
              });
  add_program_flags(flags, out);
}

}  // namespace

Result<ManagerOptions> parse_manager_options(std::span<const std::string> arguments,
                                             const Flags::Lookup& environment) {
  ManagerOptions out;
  Flags flags;
  add_config_flags(flags, out);
  add_run_flags(flags, out);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (out.only_tells()) return out;
  for (const char* name : {"NODE_ID", "NODE_NAME", "KUBE_NODE_NAME"}) {
    if (out.node_id.empty()) out.node_id = environment(name).value_or("");
  }
  if (out.node_id.empty()) {
    return fail(Code::kInvalidArgument, "--node-id is missing: it tells the node's name");
  }
  const bool plain = !out.devices_file.empty() && out.devices_file.find('/') == std::string::npos;
  if (!plain || out.devices_file == "system.devices") {
    return fail(Code::kInvalidArgument, "--devices-file: '" + out.devices_file +
                                            "' must be a plain name, and not the host's system.devices");
  }
  return out;
}

std::string manager_help() {
  ManagerOptions options;
  Flags flags;
  add_config_flags(flags, options);
  add_run_flags(flags, options);
  return "node-resource-manager: makes LVM volume groups and quota folders of the disks that the ConfigMap "
         "node-resource-topo names for this node. Never removes any.\n" +
         flags.help();
}

}  // namespace holdfast::nrm
