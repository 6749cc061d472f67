#include "cni-flannel/plugin/pod_interface.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/netlink/address.h"
#include "common/netlink/netns.h"
#include "common/netlink/sysctl.h"

namespace holdfast::flannel {

namespace {

bool has_v6(const PodInterface& wanted) {
  return std::ranges::any_of(wanted.addresses, [](const Cidr& address) { return !address.is_v4(); });
}

/// Runtimes that default to no IPv6 leave disable_ipv6 on in new namespaces. keep_addr_on_down: an operator
/// who sets the link down and up again does not lose the pod's address. ndisc_notify: see announce().
Status prepare_v6(const PodNamespace& pod, const std::string& ifname) {
  return nl::in_netns(pod.netns.get(), [&ifname]() -> Status {
    const std::string base = "net/ipv6/conf/" + ifname;
    HOLDFAST_CHECK(nl::set_sysctl(base + "/disable_ipv6", "0"));
    HOLDFAST_CHECK(nl::set_sysctl(base + "/keep_addr_on_down", "1"));
    HOLDFAST_CHECK(nl::set_sysctl(base + "/ndisc_notify", "1"));
    return {};
  });
}

}  // namespace

Result<PodNamespace> open_pod_namespace(const std::string& path, bool may_be_own) {
  HOLDFAST_TRY(Fd netns, nl::open_netns(path));
  HOLDFAST_TRY(const bool own, nl::same_netns(netns.get()));
  if (own && !may_be_own) {
    return fail(Code::kFailedPrecondition,
                "'" + path + "' is the network namespace that the plugin itself runs in");
  }
  HOLDFAST_TRY(nl::Socket netlink, nl::Socket::open_in(netns.get()));
  return PodNamespace{std::move(netns), std::move(netlink)};
}

Status configure_pod_interface(PodNamespace& pod, int ifindex, const std::string& ifname,
                               const PodInterface& wanted) {
  if (has_v6(wanted)) HOLDFAST_CHECK(prepare_v6(pod, ifname));

  std::vector<nl::Request> requests;
  for (const Cidr& address : wanted.addresses) {
    requests.push_back(nl::put_address(ifindex, address, {.no_dad = !wanted.duplicate_detection}));
  }
  requests.push_back(nl::change_link(ifindex, {.up = true, .arp_notify = true}));
  for (nl::Route route : wanted.routes) {
    route.ifindex = ifindex;
    requests.push_back(nl::put_route(route));
  }
  return pod.netlink.run_whole(requests);
}

// arp_notify and ndisc_notify are on: the kernel announces all addresses of a link whose MAC is set, be it to
// what it was. Source: net/ipv4/devinet.c, inetdev_event(); net/ipv6/ndisc.c, ndisc_netdev_event().
Status announce(PodNamespace& pod, const nl::Link& link) {
  return pod.netlink.run(nl::change_link(link.index, {.mac = link.mac}));
}

Status wait_for_duplicate_detection(PodNamespace& pod, int ifindex, Clock& clock,
                                    std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{20};
  const auto deadline = clock.since_boot() + patience;
  for (;;) {
    HOLDFAST_TRY(const auto addresses, nl::list_addresses(pod.netlink, ifindex, IpFamily::kV6));
    const auto failed = std::ranges::find_if(addresses, &nl::Address::dad_failed);
    if (failed != addresses.end()) {
      return fail(Code::kAlreadyExists,
                  failed->cidr.to_string() + " is used by another host on this network");
    }
    if (std::ranges::none_of(addresses, &nl::Address::tentative)) return {};
    if (clock.since_boot() >= deadline) {
      return fail(Code::kDeadlineExceeded, "duplicate address detection has not ended after " +
                                               std::to_string(patience.count()) + " ms");
    }
    clock.sleep(kPause);
  }
}

}  // namespace holdfast::flannel
