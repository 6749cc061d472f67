#include "cni-flannel/inspect/pod_report.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "cni-flannel/daemon/pod_addresses.h"
#include "cni-flannel/ipam/binding_log_format.h"
#include "cni-flannel/plugin/host_machine.h"
#include "cni-flannel/plugin/names.h"
#include "common/netlink/link.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kMaxLogBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxSubnetEnv = 64 * 1024;

bool is_outside(const std::optional<SubnetEnv>& lease, const IpAddress& address) {
  return lease && PodLease{lease->networks, subnets_of(*lease)}.is_outside(address);
}

Result<PodState> state_of(nl::Socket& socket, const PodAddress& pod, const std::optional<SubnetEnv>& lease) {
  HOLDFAST_TRY(const std::optional<nl::Link> link, nl::find_link(socket, pod.link));
  if (!link || link->kind != "veth") return PodState::kNoLink;  // what else has the name is no pod's
  if (is_outside(lease, pod.use.address)) return PodState::kOutside;
  return link->master == 0 ? PodState::kNoBridge : PodState::kConnected;
}

Status add_network(Files& files, Clock& clock, nl::Socket& socket, const IpamConfig& places,
                   const std::optional<SubnetEnv>& lease, const std::string& network, PodReport& report) {
  HostMachine machine(socket);
  StickyIpam ipam(files, machine, clock, places);
  HOLDFAST_TRY(const std::vector<InUse> in_use, ipam.all_in_use(network));
  for (const InUse& use : in_use) {
    PodAddress pod{.network = network, .use = use, .link = use.host_link};
    if (pod.link.empty()) pod.link = host_link_name({network, use.container_id, use.ifname});
    HOLDFAST_TRY(pod.state, state_of(socket, pod, lease));
    report.in_use.push_back(std::move(pod));
  }
  return {};
}

bool is_in_use(const PodReport& report, const std::string& network, const Binding& binding) {
  return std::ranges::any_of(report.in_use, [&](const PodAddress& pod) {
    return pod.network == network && pod.use.container_id == binding.container_id &&
           pod.use.ifname == binding.key.ifname;
  });
}

Status add_remembered(Files& files, const IpamConfig& places, const std::string& network, PodReport& report) {
  HOLDFAST_TRY(const auto text, files.read(places.state_dir / (network + ".bindings"), kMaxLogBytes));
  if (!text) return {};
  for (Binding& binding : parse_binding_log(*text).bindings) {
    if (!is_in_use(report, network, binding)) report.remembered.push_back({network, std::move(binding)});
  }
  return {};
}

}  // namespace

std::string name_of(const InUse& use) {
  return use.pod ? use.pod->name_space + "/" + use.pod->name : use.container_id;
}

std::vector<Cidr> subnets_of(const SubnetEnv& lease) {
  std::vector<Cidr> out;
  for (const std::optional<Cidr>& subnet : {lease.subnet, lease.subnet6}) {
    if (subnet) out.push_back(subnet->network());
  }
  return out;
}

Result<std::optional<SubnetEnv>> read_lease(Files& files, const std::filesystem::path& subnet_file) {
  HOLDFAST_TRY(const std::optional<std::string> text, files.read(subnet_file, kMaxSubnetEnv));
  if (!text) return std::optional<SubnetEnv>();
  HOLDFAST_TRY(SubnetEnv lease, parse_subnet_env(*text));
  return std::optional(std::move(lease));
}

Result<PodReport> inspect_pods(Files& files, Clock& clock, nl::Socket& socket, const IpamConfig& places,
                               const std::optional<SubnetEnv>& lease) {
  PodReport report;
  HOLDFAST_TRY(std::vector<std::string> networks, files.list(places.data_dir));
  std::ranges::sort(networks);
  for (const std::string& network : networks) {
    if (!std::filesystem::is_directory(std::filesystem::symlink_status(places.data_dir / network))) continue;
    HOLDFAST_CHECK(add_network(files, clock, socket, places, lease, network, report));
    HOLDFAST_CHECK(add_remembered(files, places, network, report));
  }
  std::ranges::stable_sort(report.in_use, {},
                           [](const PodAddress& pod) { return std::tie(pod.network, pod.use.address); });
  return report;
}

}  // namespace holdfast::flannel
