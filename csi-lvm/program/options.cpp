#include "csi-lvm/program/options.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/json.h"
#include "common/base/linked_file.h"
#include "common/csi/names.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/volumes/parameters.h"

namespace holdfast::lvm {
namespace {

constexpr std::size_t kMostConfigBytes = std::size_t{1} << 20;
constexpr std::string_view kVariables = "CSI_";
constexpr std::int64_t kDaySeconds = 86400;
constexpr const char* kControllerSocket = "/csi/csi.sock";  // of a pod's own folder, where sidecars look

Status set_mode(const std::string& value, Mode& mode) {
  constexpr std::pair<std::string_view, Mode> kModes[] = {
      {"all", Mode::kAll}, {"node", Mode::kNode}, {"controller", Mode::kController}};
  for (const auto& [name, each] : kModes) {
    if (value != name) continue;
    mode = each;
    return {};
  }
  return fail(Code::kInvalidArgument, "is none of all, node, controller");
}

void add_seconds(Flags& flags, std::string name, std::string help, std::chrono::milliseconds& target) {
  flags.integer(std::move(name), "SECONDS", std::move(help), 1, kDaySeconds,
                [&target](std::int64_t number) { target = std::chrono::seconds(number); });
}

void add_controller_flags(Flags& flags, ControllerOptions& out) {
  flags.heading("The controller of a cluster");
  flags.text("namespace", "NAME", "of its Lease and of capacities [the pod's own; kube-system]",
             out.name_space);
  add_seconds(flags, "node-stale-after", "of silence: nothing is asked of the node [90]",
              out.node_stale_after);
  add_seconds(flags, "node-gone-grace",
              "of a stale node whose Node was deleted or is out of service: its volumes may be deleted [300]",
              out.node_gone_grace);
}

void add_flags(Flags& flags, Options& out) {
  flags.heading("The driver");
  flags.value("mode", "all|node|controller",
              "all: node and controller of this machine; node: what kubelet calls; controller: of a cluster "
              "[all]",
              [&out](const std::string& value) { return set_mode(value, out.mode); });
  flags.value("driver-name", "NAME", "[localplugin.csi.alibabacloud.com]",
              csi::to_driver_name(out.driver_name));
  flags.value("endpoint", "unix://PATH",
              "its socket [csi.sock in the driver's folder below kubelet's; of a controller /csi/csi.sock]",
              [&out](const std::string& value) -> Status {
                HOLDFAST_TRY(out.socket, csi::parse_endpoint(value));
                return {};
              });
  add_lvmcmd_flag(flags, out.lvmcmd);
  add_cluster_flags(flags, out.cluster);
  add_controller_flags(flags, out.controller);
  csi::add_host_flags(flags, out.host);
}

Status check_keys(const JsonObject& object, std::initializer_list<std::string_view> known) {
  for (const std::string& key : object.keys()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    return fail(Code::kInvalidArgument,
                (object.path().empty() ? key : object.path() + "." + key) + " is not known");
  }
  return {};
}

Status read_lvm(const JsonObject& lvm, Configuration& out) {
  HOLDFAST_CHECK(check_keys(lvm, {"devicesFile", "udev", "spare"}));
  HOLDFAST_TRY(out.devices_file, lvm["devicesFile"].string_or(out.devices_file));
  if (!check_name(out.devices_file) || out.devices_file == "system.devices") {
    return lvm["devicesFile"].refuse("is not the name of a file of ours in /etc/lvm/devices");
  }
  HOLDFAST_TRY(out.udev, lvm["udev"].boolean_or(out.udev));
  HOLDFAST_TRY(const JsonObject spare, lvm["spare"].object_or_empty());
  for (const std::string& group : spare.keys()) {
    const Status named = check_name(group);
    if (!named) return tl::unexpected(Error(named.error()).within("lvm.spare"));
    HOLDFAST_TRY(const std::string size, spare[group].string());
    const auto bytes = parse_bytes(size);
    if (!bytes) return spare[group].refuse("is not a size, 10Gi");
    out.spare_bytes[group] = *bytes;
  }
  return {};
}

}  // namespace

void add_lvmcmd_flag(Flags& flags, std::filesystem::path& target) {
  flags.value("lvmcmd", "FILE", "LVM's worker [lvmcmd beside this program; the host's lvm(8) if it has none]",
              Flags::to_path(target));
}

void add_cluster_flags(Flags& flags, ClusterOptions& target) {
  flags.heading("The cluster");
  flags.value("kubeconfig", "FILE", "how the API server is reached [as a pod; of a node with neither: none]",
              Flags::to_path(target.kubeconfig));
  add_seconds(flags, "heartbeat", "between two signs of life of a node [30]", target.heartbeat);
}

Status parse_options(std::span<const std::string> arguments, const Flags::Lookup& environment,
                     Options& options) {
  Flags flags;
  add_flags(flags, options);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (options.host.only_tells()) return {};
  HOLDFAST_CHECK(flags.parse_environment(kVariables, environment));
  HOLDFAST_CHECK(csi::complete(options.host, environment));
  if (options.mode != Mode::kController) HOLDFAST_CHECK(csi::check_topology(options.host));
  if (options.mode == Mode::kController && options.socket.empty()) options.socket = kControllerSocket;
  return {};
}

std::string options_help() {
  Options options;
  Flags flags;
  add_flags(flags, options);
  return "csi-lvm: volumes on this machine's own disks, by LVM, for whoever speaks CSI.\n"
         "Every flag may also be set in the environment, as CSI_ENDPOINT=unix:///run/csi-lvm.sock.\n" +
         flags.help();
}

Result<Configuration> parse_configuration(const nlohmann::json& document) {
  HOLDFAST_TRY(const JsonObject object, JsonObject::of(document));
  HOLDFAST_CHECK(check_keys(object, {"profiles", "lvm"}));
  Configuration out;
  HOLDFAST_TRY(out.profiles, csi::parse_profiles(document));
  HOLDFAST_TRY(const JsonObject lvm, object["lvm"].object_or_empty());
  HOLDFAST_CHECK(read_lvm(lvm, out));
  return out;
}

Result<Configuration> read_configuration(const std::filesystem::path& file) {
  if (file.empty()) return Configuration{};
  PosixFiles files;
  HOLDFAST_TRY(const std::string text, read_linked_file(files, file, kMostConfigBytes));
  auto document = parse_json(text);
  if (!document) return tl::unexpected(std::move(document).error().within(file.native()));
  auto configuration = parse_configuration(*document);
  if (!configuration) return tl::unexpected(std::move(configuration).error().within(file.native()));
  return configuration;
}

Result<csi::Profile> local_profile(const Configuration& configuration, const std::string& driver_name) {
  const auto told = std::ranges::find(configuration.profiles, driver_name, &csi::Profile::driver_name);
  csi::Profile out{.driver_name = driver_name, .topology_keys = {"kubernetes.io/hostname"}};
  if (told != configuration.profiles.end()) {
    out = *told;
  } else if (auto known = csi::known_profile(driver_name)) {
    out = *std::move(known);
  }
  if (out.kind != csi::DriverKind::kLocal) {
    return fail(Code::kInvalidArgument, driver_name + " is not a driver of volumes on the node's own disks");
  }
  if (out.topology_keys.empty()) out.topology_keys = {"kubernetes.io/hostname"};
  return out;
}

}  // namespace holdfast::lvm
