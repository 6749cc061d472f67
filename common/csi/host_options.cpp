#include "common/csi/host_options.h"

#include <unistd.h>

#include <array>

#include "common/base/version.h"
#include "common/csi/names.h"

namespace holdfast::csi {
namespace {

constexpr int kWrongUse = 2;

std::string machine_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

}  // namespace

void add_host_flags(Flags& flags, HostOptions& out) {
  flags.heading("The node");
  flags.value("node-id", "NAME", "this node's name in the cluster [$NODE_NAME, or the machine's name]",
              to_node_name(out.node_id));
  flags.value("kubelet-dir", "FOLDER", "kubelet's [/var/lib/kubelet]", Flags::to_path(out.kubelet_dir));
  flags.value("state-dir", "FOLDER", "ours, that outlives a reboot [/var/lib/holdfast/csi]",
              Flags::to_path(out.state_dir));
  flags.value("config", "FILE", "profiles of drivers and settings, as JSON", Flags::to_path(out.config));
  flags.heading("What it tells");
  flags.value("metrics-address", "ADDRESS:PORT", "where /healthz, /readyz and /metrics are served [nowhere]",
              [&out](const std::string& value) -> Status {
                out.metrics_address.reset();
                if (value.empty()) return {};
                HOLDFAST_TRY(out.metrics_address, http::parse_listen_address(value));
                return {};
              });
  flags.heading("Other");
  add_program_flags(flags, out);
}

Status complete(HostOptions& options, const Flags::Lookup& environment) {
  if (options.node_id.empty()) {
    const std::string told = environment("NODE_NAME").value_or("");
    const Status done = to_node_name(options.node_id)(told);
    if (!done) return tl::unexpected(Error(done.error()).within("NODE_NAME '" + told + "'"));
  }
  if (options.node_id.empty()) options.node_id = machine_name();
  return {};
}

Status check_topology(const HostOptions& options) {
  if (is_topology_value(options.node_id)) return {};
  return fail(Code::kInvalidArgument, "the node's name '" + options.node_id +
                                          "' cannot be told as its topology (letters, digits, '-', '_', "
                                          "'.', at most 63): tell another by --node-id");
}

Result<std::filesystem::path> parse_endpoint(const std::string& text) {
  std::string_view path = text;
  if (path.starts_with("unix:")) path.remove_prefix(std::string_view("unix:").size());
  if (path.starts_with("//")) path.remove_prefix(2);
  if (!path.starts_with('/') || path.ends_with('/')) {
    return fail(Code::kInvalidArgument, "is not the path of a UNIX socket, unix:///run/csi.sock");
  }
  return std::filesystem::path(path);
}

std::optional<int> answer_before_start(std::string_view program, const Status& parsed,
                                       const HostOptions& options, const std::string& help, std::ostream& out,
                                       std::ostream& error) {
  if (!parsed) {
    error << program << ": " << parsed.error().message << "\n";
    return kWrongUse;
  }
  if (!options.only_tells()) return std::nullopt;
  out << (options.help ? help : std::string(version()) + "\n");
  return 0;
}

}  // namespace holdfast::csi
