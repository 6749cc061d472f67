#include "cni-flannel/inspect/pod_report.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "cni-flannel/ipam/binding_log_format.h"
#include "cni-flannel/plugin/host_machine.h"
#include "cni-flannel/plugin/names.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kMaxLogBytes = std::size_t{64} << 20;

Status add_network(Files& files, Clock& clock, nl::Socket& socket, const IpamConfig& places,
                   const std::string& network, PodReport& report) {
  HostMachine machine(socket);
  StickyIpam ipam(files, machine, clock, places);
  HOLDFAST_TRY(const std::vector<InUse> in_use, ipam.all_in_use(network));
  for (const InUse& use : in_use) {
    PodAddress pod{.network = network, .use = use, .link = use.host_link};
    if (pod.link.empty()) pod.link = host_link_name({network, use.container_id, use.ifname});
    HOLDFAST_TRY(pod.has_link, machine.link_exists(pod.link));
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

Result<PodReport> inspect_pods(Files& files, Clock& clock, nl::Socket& socket, const IpamConfig& places) {
  PodReport report;
  HOLDFAST_TRY(std::vector<std::string> networks, files.list(places.data_dir));
  std::ranges::sort(networks);
  for (const std::string& network : networks) {
    if (!std::filesystem::is_directory(std::filesystem::symlink_status(places.data_dir / network))) continue;
    HOLDFAST_CHECK(add_network(files, clock, socket, places, network, report));
    HOLDFAST_CHECK(add_remembered(files, places, network, report));
  }
  std::ranges::stable_sort(report.in_use, {},
                           [](const PodAddress& pod) { return std::tie(pod.network, pod.use.address); });
  return report;
}

}  // namespace holdfast::flannel
