#include "cni-flannel/daemon/options.h"

#include <algorithm>
#include <regex>
#include <string_view>
#include <utility>

namespace holdfast::flannel {
namespace {

constexpr std::int64_t kDaySeconds = 86400;

/// The join parameters of edge clusters: an interface by its name, or empty.
struct JoinInterfaces {
  std::string node;     ///< nodeIface: the node's address, kubelet's and ours
  std::string flannel;  ///< flannelIface, which nodeIface takes the place of
};

/// What is told by them counts alone: the node does not slip to another interface when it is not there.
void use_join_interfaces(const JoinInterfaces& told, UnderlayChoice& choice) {
  if (told.node.empty() && told.flannel.empty()) return;
  choice.interfaces = {told.node.empty() ? told.flannel : told.node};
  choice.interfaces_flag = told.node.empty() ? "--flannel-iface" : "--node-iface";
  choice.patterns.clear();
  choice.can_reach.reset();
}

/// Values that have a meaning only together.
struct Together {
  JoinInterfaces join;
  bool etcd = false;  ///< an etcd flag was given
  std::string ignored;
};

Status set_source(const std::string& value, Options& out) {
  for (const SourceKind source : {SourceKind::kAuto, SourceKind::kCrd, SourceKind::kNode, SourceKind::kDir}) {
    if (value == to_string(source)) {
      out.source = source;
      return {};
    }
  }
  return fail(Code::kInvalidArgument, "is none of auto, crd, node, dir");
}

Status set_pattern(const std::string& value, std::vector<std::string>& patterns) {
  try {
    const std::regex checked(value);
  } catch (const std::regex_error& error) {
    return fail(Code::kInvalidArgument, std::string("is no regular expression: ") + error.what());
  }
  patterns.push_back(value);
  return {};
}

Status set_checksum_offload(const std::string& value, Options& out) {
  const std::pair<const char*, ChecksumOffload> ways[] = {
      {"test", ChecksumOffload::kTest}, {"off", ChecksumOffload::kOff}, {"leave", ChecksumOffload::kLeave}};
  for (const auto& [name, way] : ways) {
    if (value != name) continue;
    out.checksum_offload = way;
    return {};
  }
  return fail(Code::kInvalidArgument, "is none of test, off, leave");
}

/// Empty text unsets: manifests give flags from variables that may be empty.
Flags::Set to_address(std::optional<IpAddress>& target, std::optional<IpFamily> family) {
  return [&target, family](const std::string& value) -> Status {
    target.reset();
    if (value.empty()) return {};
    const Result<IpAddress> address = IpAddress::parse(value);
    if (!address || (family && address->family() != *family)) {
      const std::string kind = !family ? "IP" : *family == IpFamily::kV4 ? "IPv4" : "IPv6";
      return fail(Code::kInvalidArgument, "is not an " + kind + " address");
    }
    target = *address;
    return {};
  };
}

/// One, or several with commas between.
Flags::Set to_ranges(std::vector<Cidr>& target) {
  return [&target](const std::string& value) -> Status {
    for (std::size_t at = 0; at <= value.size();) {
      const std::size_t end = std::min(value.find(',', at), value.size());
      const Result<Cidr> range = Cidr::parse(std::string_view(value).substr(at, end - at));
      if (!range) return fail(Code::kInvalidArgument, "is not a CIDR");
      target.push_back(range->network());
      at = end + 1;
    }
    return {};
  };
}

void add_seconds(Flags& flags, const char* name, const char* help, std::int64_t min,
                 std::chrono::seconds& target) {
  flags.integer(name, "SECONDS", help, min, kDaySeconds,
                [&target](std::int64_t number) { target = std::chrono::seconds(number); });
}

void add_interface_flags(Flags& flags, Options& out) {
  flags.heading("The external interface");
  flags.value("iface", "NAME|ADDRESS", "interface of the tunnels; may be repeated, the first that is there",
              [&out](const std::string& value) {
                if (!value.empty()) out.underlay.interfaces.push_back(value);
                return Status{};
              });
  flags.value("iface-regex", "REGEX", "the same by a pattern of address or name; tried after --iface",
              [&out](const std::string& value) { return set_pattern(value, out.underlay.patterns); });
  flags.value("iface-can-reach", "ADDRESS", "the interface by which this is reached; tried last",
              to_address(out.underlay.can_reach, std::nullopt));
  flags.value("public-ip", "ADDRESS", "what the peers send to, in place of the interface's address",
              to_address(out.underlay.public_ip, IpFamily::kV4));
  flags.value("public-ipv6", "ADDRESS", "the same for IPv6",
              to_address(out.underlay.public_ipv6, IpFamily::kV6));
}

void add_file_flags(Flags& flags, Options& out) {
  flags.heading("Files");
  flags.value("net-config-path", "FILE", "the network's configuration [/etc/kube-flannel/net-conf.json]",
              Flags::to_path(out.net_config_path));
  flags.value("subnet-file", "FILE", "what the CNI plugin reads [/run/flannel/subnet.env]",
              Flags::to_path(out.subnet_file));
}

void add_rule_flags(Flags& flags, Options& out) {
  flags.heading("Rules");
  flags.boolean("ip-masq", "masquerade what pods send out of the cluster's network", out.ip_masq);
  flags.boolean("ip-masq-fully-random-disable", "masquerade without --random-fully",
                out.ip_masq_fully_random_disable);
  flags.boolean("iptables-forward-rules", "accept what pods send and get, against a FORWARD policy [true]",
                out.iptables_forward_rules);
  add_seconds(flags, "iptables-resync", "how often the rules are looked at [5]", 1, out.iptables_resync);
  flags.boolean("ip-blackhole-route", "drop what is sent to addresses of ours that no pod has",
                out.ip_blackhole_route);
}

void add_health_flags(Flags& flags, Options& out) {
  flags.heading("Health");
  flags.value("healthz-ip", "ADDRESS", "where /healthz, /readyz and /metrics are served [0.0.0.0]",
              [&out](const std::string& value) -> Status {
                const Result<IpAddress> address = IpAddress::parse(value);
                if (!address) return fail(Code::kInvalidArgument, "is not an IP address");
                out.healthz_ip = *address;
                return {};
              });
  flags.integer("healthz-port", "PORT", "their port; 0: none of them [0]", 0, 65535,
                [&out](std::int64_t port) { out.healthz_port = static_cast<std::uint16_t>(port); });
}

void add_kube_flags(Flags& flags, Options& out) {
  flags.heading("The API server");
  flags.boolean("kube-subnet-mgr", "the node's subnet comes from the API server", out.kube_subnet_mgr);
  flags.text("kube-api-url", "URL", "in place of what the kubeconfig or the pod tells", out.kube_api_url);
  flags.text("kubeconfig-file", "FILE", "in place of the pod's own access", out.kubeconfig_file);
  flags.text("kube-annotation-prefix", "PREFIX", "of the Nodes' annotations [flannel.alpha.coreos.com]",
             out.kube_annotation_prefix);
  flags.boolean("set-node-network-unavailable", "set the Node's condition NetworkUnavailable [true]",
                out.set_node_network_unavailable);
}

void add_own_flags(Flags& flags, Options& out, JoinInterfaces& join) {
  flags.heading("Not of upstream");
  flags.text("node-iface", "NAME",
             "the interface of the node's address: in place of all that --iface... tell", join.node);
  flags.text("flannel-iface", "NAME", "the same, unless --node-iface is told", join.flannel);
  flags.value("source", "auto|crd|node|dir", "who tells of the cluster's nodes [auto]",
              [&out](const std::string& value) { return set_source(value, out); });
  flags.value("config-dir", "FOLDER", "their files, for --source=dir [/etc/kube-flannel/nodes]",
              Flags::to_path(out.config_dir));
  flags.text("node-name", "NAME", "this node's name [$NODE_NAME, or the host's name]", out.node_name);
  flags.value("state-dir", "FOLDER", "what outlives a reboot [/var/lib/cni/flannel-state]",
              Flags::to_path(out.state_dir));
  flags.value("ipam-dir", "FOLDER", "the plugin's ipam.dataDir, for the metrics [/var/lib/cni/networks]",
              Flags::to_path(out.ipam_dir));
  add_seconds(flags, "peer-removal-delay", "from a peer's removal to its end in the kernel [600]", 0,
              out.peer_removal_delay);
  add_seconds(flags, "resync", "how often all is looked at that no event told of [300]", 1, out.resync);
  flags.value("no-masq-cidr", "CIDR", "pods keep their source towards it; may be repeated",
              to_ranges(out.no_masq_cidrs));
  flags.value("service-cidr", "CIDR", "the cluster's services, which must overlap nothing; may be repeated",
              to_ranges(out.service_cidrs));
  flags.boolean("accept-cidr-conflicts", "join although the node's own network is in the pods' range",
                out.accept_cidr_conflicts);
  flags.value("no-masq-dir", "FOLDER", "files with more of them [/run/flannel/no-masq.d]",
              Flags::to_path(out.no_masq_dir));
  flags.value(
      "checksum-offload", "test|off|leave",
      "checksums of the tunnels' contents: tested, and off where they arrive wrong; always off [test]",
      [&out](const std::string& value) { return set_checksum_offload(value, out); });
  flags.boolean("path-mtu-check",
                "ask peers by and by whether packets as large as the tunnel's get there [true]",
                out.path_mtu_check);
  flags.boolean("network-drop-ins",
                "files that keep udev, systemd-networkd and NetworkManager off our links [true]",
                out.network_drop_ins);
  flags.value("run-dir", "FOLDER", "the host's, for these files [/run]", Flags::to_path(out.run_dir));
  flags.boolean("accept-unknown-peers", "take VXLAN packets from everybody, as upstream does",
                out.accept_unknown_peers);
}

/// What upstream takes and has no meaning here: etcd, and klog's.
void add_unserved_flags(Flags& flags, Together& together) {
  flags.heading("Taken for upstream's sake, without effect");
  for (const char* name : {"etcd-endpoints", "etcd-prefix", "etcd-keyfile", "etcd-certfile", "etcd-cafile",
                           "etcd-username", "etcd-password"}) {
    flags.value(name, "TEXT", "etcd is not served: see --source", [&together](const std::string& value) {
      together.etcd = together.etcd || !value.empty();
      return Status{};
    });
  }
  flags.integer("subnet-lease-renew-margin", "MINUTES", "of etcd's leases", 1, 1439, [](std::int64_t) {});
  for (const char* name : {"v", "vmodule", "log_backtrace_at"}) {
    flags.text(name, "TEXT", "see --log-level", together.ignored);
  }
}

void add_flags(Flags& flags, Options& out, Together& together) {
  add_interface_flags(flags, out);
  add_file_flags(flags, out);
  add_rule_flags(flags, out);
  add_health_flags(flags, out);
  add_kube_flags(flags, out);
  add_own_flags(flags, out, together.join);
  add_unserved_flags(flags, together);
  flags.heading("Other");
  add_program_flags(flags, out);
}

}  // namespace

std::string_view to_string(SourceKind source) {
  switch (source) {
    case SourceKind::kAuto:
      return "auto";
    case SourceKind::kCrd:
      return "crd";
    case SourceKind::kNode:
      return "node";
    case SourceKind::kDir:
      return "dir";
  }
  return "?";
}

Result<Options> parse_options(std::span<const std::string> arguments, const Flags::Lookup& environment) {
  Options out;
  Together together;
  Flags flags;
  add_flags(flags, out, together);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (out.only_tells()) return out;
  HOLDFAST_CHECK(flags.parse_environment("FLANNELD_", environment));
  if (out.node_name.empty()) out.node_name = environment("NODE_NAME").value_or("");
  use_join_interfaces(together.join, out.underlay);
  out.api_host = environment("KUBERNETES_SERVICE_HOST").value_or("");
  if (together.etcd && !out.kube_subnet_mgr && out.source == SourceKind::kAuto) {
    return fail(Code::kUnimplemented,
                "--etcd-endpoints: leases in etcd are not served; use --kube-subnet-mgr, or --source=dir");
  }
  return out;
}

std::string options_help() {
  Options options;
  Together together;
  Flags flags;
  add_flags(flags, options, together);
  return "flanneld: brings up the overlay network of a node and keeps it up, with or without the cloud.\n"
         "Every flag may also be set in the environment, as FLANNELD_IP_MASQ=true.\n" +
         flags.help();
}

}  // namespace holdfast::flannel
