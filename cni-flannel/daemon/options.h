#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cni-flannel/daemon/offload_keeper.h"
#include "cni-flannel/daemon/underlay.h"
#include "common/base/cidr.h"
#include "common/base/flags.h"
#include "common/base/program_options.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Who tells of the cluster's nodes.
enum class SourceKind : std::uint8_t {
  kAuto,  ///< node, until the cluster is seen to have NodeNetworkConfigurations
  kCrd,   ///< NodeNetworkConfigurations of the API server
  kNode,  ///< annotations of the API server's Nodes, as upstream's
  kDir,   ///< NodeNetworkConfigurations in a folder
};

/// "auto", "crd", "node", "dir".
[[nodiscard]] std::string_view to_string(SourceKind source);

/// What flanneld is told at its start. Upstream's flags keep their names, meaning and defaults; those of ours
/// stand under a heading of their own in the help.
struct Options : ProgramOptions {
  UnderlayChoice underlay;
  std::string node_name;  ///< --node-name, or NODE_NAME in the environment; empty: the host's name
  std::filesystem::path net_config_path = "/etc/kube-flannel/net-conf.json";
  std::filesystem::path subnet_file = "/run/flannel/subnet.env";
  std::filesystem::path state_dir = "/var/lib/cni/flannel-state";
  std::filesystem::path ipam_dir = "/var/lib/cni/networks";  ///< the plugin's ipam.dataDir, for the metrics
  std::filesystem::path config_dir = "/etc/kube-flannel/nodes";  ///< for kDir
  std::filesystem::path run_dir = "/run";                        ///< of the host, for drop-in files
  std::filesystem::path no_masq_dir = "/run/flannel/no-masq.d";
  std::vector<Cidr> no_masq_cidrs;
  std::vector<Cidr> service_cidrs;  ///< of the cluster, to be held against the others
  std::string api_host;             ///< KUBERNETES_SERVICE_HOST in the environment
  std::string kube_api_url;
  std::string kubeconfig_file;
  std::string kube_annotation_prefix = "flannel.alpha.coreos.com";

  std::chrono::seconds iptables_resync{5};
  std::chrono::seconds peer_removal_delay{600};
  std::chrono::seconds resync{300};  ///< between looks at all that no event told of
  IpAddress healthz_ip;              ///< 0.0.0.0
  std::uint16_t healthz_port = 0;    ///< 0: not served
  SourceKind source = SourceKind::kAuto;

  bool ip_masq = false;
  bool ip_masq_fully_random_disable = false;
  bool iptables_forward_rules = true;
  bool ip_blackhole_route = false;
  bool accept_unknown_peers = false;
  bool accept_cidr_conflicts = false;
  ChecksumOffload checksum_offload = ChecksumOffload::kTest;
  bool network_drop_ins = true;
  bool path_mtu_check = true;
  bool kube_subnet_mgr = false;
  bool set_node_network_unavailable = true;
};

/// From the arguments behind the program's name, and for what they do not tell from the environment
/// (FLANNELD_<NAME>, and NODE_NAME). Errors: kInvalidArgument, naming flag, value and what would do;
/// kUnimplemented for upstream's etcd.
[[nodiscard]] Result<Options> parse_options(std::span<const std::string> arguments,
                                            const Flags::Lookup& environment);

[[nodiscard]] std::string options_help();

}  // namespace holdfast::flannel
