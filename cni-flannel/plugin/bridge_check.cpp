#include "cni-flannel/plugin/bridge_check.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cni-flannel/plugin/bridge.h"
#include "cni-flannel/plugin/mac_spoof.h"
#include "cni-flannel/plugin/masquerade.h"
#include "cni-flannel/plugin/masquerade_iptables.h"
#include "cni-flannel/plugin/pod_interface.h"
#include "cni-flannel/plugin/result_links.h"
#include "common/netlink/address.h"
#include "common/netlink/link.h"
#include "common/netlink/route.h"

namespace holdfast::flannel {

namespace {

using cni::AddResult;
using cni::CniStatus;
using cni::to_cni;

CniStatus missing(std::string what) { return cni::cni_fail(cni::own_code(Code::kNotFound), std::move(what)); }

CniStatus check_addresses(nl::Socket& socket, const nl::Link& link, const std::vector<Cidr>& wanted) {
  HOLDFAST_TRY(const auto addresses, to_cni(nl::list_addresses(socket, link.index)));
  for (const Cidr& cidr : wanted) {
    const auto same = [&](const nl::Address& address) { return address.cidr == cidr; };
    if (std::ranges::none_of(addresses, same)) {
      return missing("address " + cidr.to_string() + " is not on " + link.name);
    }
  }
  return {};
}

CniStatus check_gateways(nl::Socket& host, const BridgeConf& conf, const AddResult& previous) {
  const std::vector<Cidr> gateways = gateway_cidrs(conf, previous);
  if (gateways.empty()) return {};
  const std::string name = gateway_link_name(conf);
  HOLDFAST_TRY(const auto link, to_cni(nl::find_link(host, name)));
  if (!link) return missing("gateway \"" + name + "\" is not there");
  return check_addresses(host, *link, gateways);
}

bool uses_vlans(const BridgeConf& conf) { return conf.vlan != 0 || !conf.vlan_trunk.empty(); }

CniStatus check_bridge(nl::Socket& host, const BridgeConf& conf, const AddResult& previous) {
  HOLDFAST_TRY(const auto bridge, to_cni(nl::find_link(host, conf.bridge)));
  if (!bridge || bridge->kind != "bridge") return missing("bridge \"" + conf.bridge + "\" is not there");
  if (!bridge->up) return missing("bridge \"" + conf.bridge + "\" is down");
  if (uses_vlans(conf) && bridge->vlan_filtering != true) {
    return missing("bridge \"" + conf.bridge + "\" does not filter VLANs");
  }
  return check_gateways(host, conf, previous);
}

/// Whether untagged frames of the port are in the network's VLAN, and the trunk's VLANs pass it.
CniStatus check_vlans(nl::Socket& host, const BridgeConf& conf, const nl::Link& port) {
  if (!uses_vlans(conf)) return {};
  HOLDFAST_TRY(const auto have, to_cni(nl::list_bridge_vlans(host, port.index)));
  const auto lacks = [&](std::uint16_t id, bool own) {
    return std::ranges::none_of(have, [&](const nl::BridgeVlan& vlan) {
      return vlan.first <= id && id <= vlan.last && (vlan.pvid || !own);
    });
  };
  if (conf.vlan != 0 && lacks(conf.vlan, true)) {
    return missing("host interface " + port.name + " is not in VLAN " + std::to_string(conf.vlan));
  }
  for (const VlanRange& range : conf.vlan_trunk) {
    for (std::uint16_t id = range.first; id <= range.last; ++id) {
      if (lacks(id, false)) {
        return missing("host interface " + port.name + " does not carry VLAN " + std::to_string(id));
      }
    }
  }
  return {};
}

CniStatus check_ports(nl::Socket& host, const BridgeConf& conf, const AddResult& previous) {
  HOLDFAST_TRY(const auto bridge, to_cni(nl::find_link(host, conf.bridge)));
  for (const cni::Interface& expected : previous.interfaces) {
    if (!expected.sandbox.empty()) continue;
    HOLDFAST_TRY(const auto link, to_cni(nl::find_link(host, expected.name)));
    if (!link) return missing("host interface " + expected.name + " is not there");
    if (link->kind != "veth") continue;
    if (!bridge || link->master != bridge->index) {
      return missing("host interface " + expected.name + " is not a port of " + conf.bridge);
    }
    HOLDFAST_CHECK(check_vlans(host, conf, *link));
  }
  return {};
}

CniStatus check_mac(const nl::Link& inside, const AddResult& previous) {
  const std::string mac = mac_text(inside);
  for (const cni::Interface& expected : previous.interfaces) {
    const bool is_it = !expected.sandbox.empty() && expected.name == inside.name;
    if (is_it && !expected.mac.empty() && mac != expected.mac) {
      return missing("interface " + inside.name + " has MAC " + mac + ", not " + expected.mac);
    }
  }
  return {};
}

CniStatus check_routes(nl::Socket& pod, const AddResult& previous) {
  for (const cni::Route& route : previous.routes) {
    const nl::Route wanted = to_route(route, previous);
    HOLDFAST_TRY(const auto routes, to_cni(nl::list_routes(pod, {.table = wanted.table})));
    const auto same = [&](const nl::Route& have) {
      return have.dst == wanted.dst && have.gateway == wanted.gateway;
    };
    if (std::ranges::none_of(routes, same)) {
      return missing("route " + wanted.dst.to_string() + " is not in the pod");
    }
  }
  return {};
}

CniStatus check_pod(const BridgeCall& call, const AddResult& previous) {
  const std::string& ifname = call.attachment.ifname;
  auto opened = open_pod_namespace(call.netns, call.may_be_own_netns);
  HOLDFAST_TRY(PodNamespace pod, to_cni(std::move(opened), cni::CniCode::kInvalidNetns));
  HOLDFAST_TRY(const auto inside, to_cni(nl::find_link(pod.netlink, ifname)));
  if (!inside) return missing("interface " + ifname + " is not in " + call.netns);
  if (!inside->up && !call.bridge.disable_container_interface) {
    return missing("interface " + ifname + " is down");
  }
  HOLDFAST_CHECK(check_mac(*inside, previous));
  HOLDFAST_CHECK(check_addresses(pod.netlink, *inside, addresses_in(previous)));
  return check_routes(pod.netlink, previous);
}

Result<bool> has_masquerade_rules(nl::Socket& nft, Executor& executor, const BridgeCall& call,
                                  const std::vector<Cidr>& addresses) {
  const RuleOwner owner = owner_of(call.attachment);
  const MasqueradeBackend backend = call.bridge.ip_masq_backend;
  if (backend == MasqueradeBackend::kIptables) return has_masquerade_iptables(executor, owner, addresses);
  HOLDFAST_TRY(const bool by_nft, has_masquerade(nft, owner, addresses));
  if (by_nft || backend == MasqueradeBackend::kNftables) return by_nft;
  // Nothing was asked for: upstream, whose default it is, may have started the pod with iptables.
  Result<bool> by_iptables = has_masquerade_iptables(executor, owner, addresses);
  if (!by_iptables && by_iptables.error().code == Code::kNotFound) return false;  // it is not installed
  return by_iptables;
}

CniStatus check_rules(Executor& executor, const BridgeCall& call, const AddResult& previous) {
  if (!call.bridge.mac_spoof_check && !call.bridge.ip_masq) return {};
  const RuleOwner owner = owner_of(call.attachment);
  HOLDFAST_TRY(nl::Socket nft, to_cni(nl::Socket::open(nl::Protocol::kNetfilter)));
  if (call.bridge.mac_spoof_check) {
    HOLDFAST_TRY(const bool there, to_cni(has_mac_spoof_check(nft, owner)));
    if (!there) return missing("the macspoofchk rules of " + owner.container_id + " are not there");
  }
  if (call.bridge.ip_masq) {
    HOLDFAST_TRY(const bool there, to_cni(has_masquerade_rules(nft, executor, call, addresses_in(previous))));
    if (!there) return missing("the ipMasq rules of " + owner.container_id + " are not there");
  }
  return {};
}

}  // namespace

CniStatus check_kernel(nl::Socket& host, Executor& executor, const BridgeCall& call,
                       const AddResult& previous) {
  HOLDFAST_CHECK(check_bridge(host, call.bridge, previous));
  // The pod's end before the host's: both go together, and the pod's is the one that people know.
  HOLDFAST_CHECK(check_pod(call, previous));
  HOLDFAST_CHECK(check_ports(host, call.bridge, previous));
  return check_rules(executor, call, previous);
}

}  // namespace holdfast::flannel
