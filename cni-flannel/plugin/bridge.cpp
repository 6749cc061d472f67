#include "cni-flannel/plugin/bridge.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "cni-flannel/plugin/names.h"
#include "common/base/sha.h"
#include "common/netlink/address.h"
#include "common/netlink/ipv6_forwarding.h"
#include "common/netlink/sysctl.h"

namespace holdfast::flannel {

namespace {

constexpr std::uint16_t kDefaultVlan = 1;  // what the kernel puts every port of a filtering bridge into

bool wants_vlans(const BridgeConf& conf) { return conf.vlan != 0 || !conf.vlan_trunk.empty(); }

/// Kernels without IPv6 have no such key.
Status ignore_router_advertisements(const std::string& link) {
  Status done = nl::set_sysctl("net/ipv6/conf/" + link + "/accept_ra", "0");
  if (!done && done.error().code == Code::kNotFound) return {};
  return done;
}

Result<nl::Link> make_bridge(nl::Socket& host, const BridgeConf& conf, const std::vector<Cidr>& gateways) {
  nl::BridgeSpec spec{.name = conf.bridge, .mtu = conf.mtu, .vlan_filtering = wants_vlans(conf)};
  if (!gateways.empty()) spec.mac = mac_for(gateways.front().address());
  auto made = nl::create_bridge(host, spec);
  if (!made) return made;
  if (!spec.mac) HOLDFAST_CHECK(host.run(nl::change_link(made->index, {.mac = made->mac})));
  return made;
}

/// Another ADD may make the bridge between our look and our creating it.
Result<nl::Link> find_or_make_bridge(nl::Socket& host, const BridgeConf& conf,
                                     const std::vector<Cidr>& gateways) {
  HOLDFAST_TRY(auto found, nl::find_link(host, conf.bridge));
  if (!found) {
    auto made = make_bridge(host, conf, gateways);
    if (made || made.error().code != Code::kAlreadyExists) return made;
    HOLDFAST_TRY(found, nl::find_link(host, conf.bridge));
    if (!found) return fail(Code::kUnavailable, "bridge \"" + conf.bridge + "\" appeared and vanished again");
  }
  if (found->kind != "bridge") {
    return fail(Code::kFailedPrecondition,
                "\"" + conf.bridge +
                    "\" already exists but is not a bridge; remove it or name another in the configuration");
  }
  return *std::move(found);
}

/// Brings a bridge to what the configuration asks for; costs next to nothing when it is there already.
Status settle_bridge(nl::Socket& host, const nl::Link& bridge, const BridgeConf& conf) {
  if (!bridge.up || (conf.promisc_mode && !bridge.promiscuous)) {
    nl::LinkChange change{.up = true};
    if (conf.promisc_mode) change.promiscuous = true;
    HOLDFAST_CHECK(host.run(nl::change_link(bridge.index, change)));
  }
  if (wants_vlans(conf) && bridge.vlan_filtering != true) {
    HOLDFAST_CHECK(host.run(nl::set_vlan_filtering(bridge.index, true)));
  }
  return ignore_router_advertisements(conf.bridge);
}

std::vector<nl::Request> vlan_requests(int port, const BridgeConf& conf) {
  std::vector<nl::Request> requests;
  if (!wants_vlans(conf)) return requests;
  if (!conf.preserve_default_vlan) {
    requests.push_back(nl::drop_bridge_vlan(port, {.first = kDefaultVlan, .last = kDefaultVlan}));
  }
  if (conf.vlan != 0) {
    requests.push_back(
        nl::put_bridge_vlan(port, {.first = conf.vlan, .last = conf.vlan, .pvid = true, .untagged = true}));
  }
  for (const VlanRange& range : conf.vlan_trunk) {
    requests.push_back(nl::put_bridge_vlan(port, {.first = range.first, .last = range.last}));
  }
  return requests;
}

/// The end of the gateway's veth pair that is a port of the bridge, in its VLAN. Nothing to do for a pair
/// whose other end is elsewhere: it is not of our making.
Status settle_gateway_port(nl::Socket& host, const nl::Link& bridge, const BridgeConf& conf,
                           const nl::Link& gateway) {
  if (gateway.kind != "veth" || gateway.peer == 0 || gateway.peer_netnsid) return {};
  HOLDFAST_TRY(const auto port, nl::find_link(host, gateway.peer));
  if (!port) return fail(Code::kUnavailable, "the bridge's end of \"" + gateway.name + "\" vanished");
  if (!port->up || port->master != bridge.index) {
    HOLDFAST_CHECK(host.run(nl::change_link(port->index, {.up = true, .master = bridge.index})));
  }
  std::vector<nl::Request> requests = vlan_requests(port->index, conf);
  return host.run_whole(requests);
}

Status settle_gateway(nl::Socket& host, const nl::Link& bridge, const BridgeConf& conf,
                      const nl::Link& gateway) {
  HOLDFAST_CHECK(settle_gateway_port(host, bridge, conf, gateway));
  HOLDFAST_CHECK(ignore_router_advertisements(gateway.name));
  return gateway.up ? Status{} : host.run(nl::change_link(gateway.index, {.up = true}));
}

/// With a VLAN the gateway is not the bridge itself but "<bridge>.<vlan>": one end of a veth pair whose other
/// end is a port of the bridge in that VLAN. Another ADD may make it between our look and our creating it,
/// and one that was killed may have left it half made.
Result<nl::Link> find_or_make_gateway(nl::Socket& host, const nl::Link& bridge, const BridgeConf& conf) {
  if (conf.vlan == 0) return bridge;
  const std::string name = gateway_link_name(conf);
  HOLDFAST_TRY(auto found, nl::find_link(host, name));
  if (!found) {
    const nl::VethSpec spec{.name = "veth" + sha512_hex(name).substr(0, 11),
                            .mtu = bridge.mtu,
                            .master = bridge.index,
                            .alias = name,
                            .peer_name = name};
    const auto made = nl::create_veth(host, spec);
    HOLDFAST_TRY(found, nl::find_link(host, name));
    if (!found && !made) return tl::unexpected(made.error());
    if (!found) return fail(Code::kUnavailable, "gateway link \"" + name + "\" vanished while it was made");
  }
  HOLDFAST_CHECK(settle_gateway(host, bridge, conf, *found));
  return *std::move(found);
}

/// An IPv4 gateway has one address; IPv6 links have others by right, so only those of our subnet are in the
/// way.
bool in_the_way(const Cidr& existing, const Cidr& gateway) {
  return existing.family() == gateway.family() && (gateway.is_v4() || existing.overlaps(gateway));
}

Status ensure_gateway_address(nl::Socket& host, const nl::Link& link, const Cidr& gateway, bool force) {
  HOLDFAST_TRY(const auto addresses, nl::list_addresses(host, link.index, gateway.family()));
  if (std::ranges::any_of(addresses, [&](const nl::Address& a) { return a.cidr == gateway; })) return {};
  for (const nl::Address& existing : addresses) {
    if (!in_the_way(existing.cidr, gateway)) continue;
    if (!force) {
      return fail(Code::kAlreadyExists, "\"" + link.name + "\" already has an IP address different from " +
                                            gateway.to_string() + ": " + existing.cidr.to_string() +
                                            "; remove it (ip addr del) or set forceAddress");
    }
    HOLDFAST_CHECK(host.run(nl::drop_address(link.index, existing.cidr)));
  }
  HOLDFAST_CHECK(host.run(nl::put_address(link.index, gateway, {.no_dad = true})));
  // A bridge made by other hands may not have its MAC pinned.
  return host.run(nl::change_link(link.index, {.mac = link.mac}));
}

Status turn_on_forwarding(nl::Socket& host, const Cidr& gateway) {
  return gateway.is_v4() ? nl::set_sysctl("net/ipv4/ip_forward", "1") : nl::forward_ipv6(host);
}

}  // namespace

std::string gateway_link_name(const BridgeConf& conf) {
  return conf.vlan == 0 ? conf.bridge : conf.bridge + "." + std::to_string(conf.vlan);
}

Result<BridgeLinks> ensure_bridge(nl::Socket& host, const BridgeConf& conf,
                                  const std::vector<Cidr>& gateways) {
  HOLDFAST_TRY(nl::Link bridge, find_or_make_bridge(host, conf, gateways));
  HOLDFAST_CHECK(settle_bridge(host, bridge, conf));
  if (gateways.empty()) return BridgeLinks{bridge, bridge};
  HOLDFAST_TRY(nl::Link gateway_link, find_or_make_gateway(host, bridge, conf));
  for (const Cidr& gateway : gateways) {
    HOLDFAST_CHECK(ensure_gateway_address(host, gateway_link, gateway, conf.force_address));
    HOLDFAST_CHECK(turn_on_forwarding(host, gateway));
  }
  return BridgeLinks{std::move(bridge), std::move(gateway_link)};
}

Result<PodLinkState> connect_pod(nl::Socket& host, nl::Socket& pod, const nl::Link& bridge,
                                 const BridgeConf& conf, const PodLink& link) {
  const nl::VethSpec spec{.name = link.host_link,
                          .mtu = conf.mtu,
                          .master = bridge.index,
                          .peer_name = link.ifname,
                          .peer_netns_fd = link.netns_fd,
                          .peer_mac = link.mac};
  HOLDFAST_TRY(nl::Link host_end, nl::create_veth(host, spec));

  std::vector<nl::Request> requests = vlan_requests(host_end.index, conf);
  requests.push_back(nl::change_link(host_end.index, {.alias = link.alias}));
  if (conf.hairpin_mode || conf.port_isolation) {
    requests.push_back(nl::change_bridge_port(
        host_end.index, {.hairpin = conf.hairpin_mode, .isolated = conf.port_isolation}));
  }
  auto finish = [&]() -> Result<PodLinkState> {
    HOLDFAST_CHECK(host.run_whole(requests));
    HOLDFAST_TRY(auto pod_end, nl::find_link(pod, link.ifname));
    if (!pod_end) return fail(Code::kUnavailable, "interface " + link.ifname + " vanished from the pod");
    return PodLinkState{host_end, *std::move(pod_end)};
  };
  auto connected = finish();
  if (!connected) (void)host.run(nl::delete_link(host_end.index));
  return connected;
}

Status wait_until_forwarding(nl::Socket& host, int host_link, Clock& clock,
                             std::chrono::milliseconds patience) {
  const auto deadline = clock.since_boot() + patience;
  std::chrono::microseconds pause{50};
  for (;;) {
    HOLDFAST_TRY(const auto link, nl::find_link(host, host_link));
    if (!link) return fail(Code::kUnavailable, "the pod's host link vanished while it came up");
    if (link->port && link->port->state == nl::PortState::kForwarding) return {};
    if (clock.since_boot() >= deadline) {
      return fail(Code::kDeadlineExceeded, "bridge port " + link->name + " does not forward after " +
                                               std::to_string(patience.count()) + " ms; is STP on?");
    }
    clock.sleep(pause);
    pause = std::min(pause * 2, std::chrono::microseconds{20000});
  }
}

}  // namespace holdfast::flannel
