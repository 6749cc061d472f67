#include "cni-flannel/plugin/bridge_chain.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "cni-flannel/ipam/results_cache.h"
#include "cni-flannel/plugin/bridge.h"
#include "cni-flannel/plugin/bridge_check.h"
#include "cni-flannel/plugin/host_machine.h"
#include "cni-flannel/plugin/link_removal.h"
#include "cni-flannel/plugin/mac_spoof.h"
#include "cni-flannel/plugin/masquerade.h"
#include "cni-flannel/plugin/masquerade_iptables.h"
#include "cni-flannel/plugin/names.h"
#include "cni-flannel/plugin/result_links.h"

namespace holdfast::flannel {

namespace {

using cni::AddResult;
using cni::CniCode;
using cni::CniResult;
using cni::CniStatus;
using cni::to_cni;

constexpr std::chrono::milliseconds kPortPatience{2550};        // as long as upstream's bridge waits in all
constexpr std::chrono::milliseconds kDetectionPatience{10000};  // as upstream's SettleAddresses
constexpr std::size_t kMaxResolvConf = 64 * 1024;

std::optional<Pod> pod_of(const cni::CniArgs& args) {
  if (args.pod_name.empty() || args.pod_namespace.empty()) return std::nullopt;
  return Pod{args.pod_namespace, args.pod_name, args.pod_uid};
}

/// A gateway that the IPAM plugin left out is the first address of the subnet.
void complete_gateways(const BridgeConf& conf, AddResult& result) {
  if (!conf.is_gateway) return;
  for (cni::AssignedIp& ip : result.ips) {
    if (!ip.gateway) ip.gateway = ip.address.first().plus(1);
  }
}

void add_default_routes(const BridgeConf& conf, AddResult& result) {
  if (!conf.is_default_gateway) return;
  for (const cni::AssignedIp& ip : result.ips) {
    const Cidr everything = *Cidr::make(ip.address.is_v4() ? IpAddress() : IpAddress::v6({}), 0);
    const auto is_default = [&](const cni::Route& route) { return route.dst == everything; };
    if (ip.gateway && std::ranges::none_of(result.routes, is_default)) {
      result.routes.push_back({.dst = everything, .gw = ip.gateway});
    }
  }
}

PodInterface pod_interface_of(const BridgeConf& conf, const AddResult& result) {
  PodInterface wanted{.duplicate_detection = conf.enable_dad};
  for (const cni::AssignedIp& ip : result.ips) wanted.addresses.push_back(ip.address);
  for (const cni::Route& route : result.routes) wanted.routes.push_back(to_route(route, result));
  return wanted;
}

CniResult<cni::Dns> read_resolv_conf(Files& files, const std::filesystem::path& path) {
  HOLDFAST_TRY(const auto text, to_cni(files.read(path, kMaxResolvConf), CniCode::kIo));
  if (text) return parse_resolv_conf(*text);
  return cni::cni_fail(CniCode::kIo, "ipam.resolvConf: " + path.string() + " is missing",
                       "put the file there, or leave the key out: pods then have no dns of it");
}

}  // namespace

BridgeChain::BridgeChain(Files& files, Clock& clock, Executor& executor, nl::Socket& host,
                         cni::Delegates& delegates)
    : files_(files), clock_(clock), executor_(executor), host_(host), delegates_(delegates) {}

template <class Ask>
std::invoke_result_t<Ask, StickyIpam&> BridgeChain::with_ipam(const BridgeCall& call, Ask ask) {
  HostMachine machine(host_);
  StickyIpam ipam(files_, machine, clock_, call.host_local.ipam);
  auto answer = ask(ipam);
  notices_.insert(notices_.end(), ipam.notices().begin(), ipam.notices().end());
  return answer;
}

CniResult<AddResult> BridgeChain::assign_addresses(const BridgeCall& call) {
  if (!call.kind.has_ipam()) return AddResult{};
  if (!call.kind.is_host_local()) return ask_for_addresses(call);

  AddResult result;
  result.routes = call.host_local.routes;
  if (call.host_local.resolv_conf) {
    HOLDFAST_TRY(result.dns, read_resolv_conf(files_, *call.host_local.resolv_conf));
  }
  const AllocationRequest request{.attachment = call.attachment,
                                  .pod = pod_of(call.args),
                                  .requested = call.host_local.requested,
                                  .host_link = host_link_name(call.attachment)};
  HOLDFAST_TRY(const Allocation allocation,
               to_cni(with_ipam(call, [&](StickyIpam& ipam) { return ipam.allocate(request); })));
  for (const AssignedAddress& given : allocation.addresses) {
    result.ips.push_back({.address = given.address, .gateway = given.gateway});
  }
  for (const std::string& stale : allocation.stale_host_links) {
    if (Status gone = delete_told_link(stale, call.attachment.network + "/"); !gone) {
      (void)give_addresses_back(call);
      return tl::unexpected(to_cni(std::move(gone).error()));
    }
  }
  return result;
}

CniStatus BridgeChain::give_addresses_back(const BridgeCall& call) {
  if (!call.kind.has_ipam()) return {};
  const std::string host_link = host_link_name(call.attachment);
  if (!call.kind.is_host_local()) {
    HOLDFAST_TRY(const bool has_won, to_cni(HostMachine(host_).link_exists(host_link)));
    return has_won ? CniStatus() : delegates_.del(call.kind.ipam_type, call.delegate);
  }
  return to_cni(with_ipam(call, [&](StickyIpam& ipam) { return ipam.undo(call.attachment, host_link); }));
}

CniResult<AddResult> BridgeChain::ask_for_addresses(const BridgeCall& call) {
  const std::string& type = call.kind.ipam_type;
  HOLDFAST_TRY(AddResult result, delegates_.add(type, call.delegate));
  if (!result.ips.empty()) return result;
  (void)delegates_.del(type, call.delegate);
  return cni::cni_fail(CniCode::kDecode, "result of plugin " + type + ": it has no address",
                       "an IPAM plugin must give one: see its configuration in \"ipam\"");
}

CniStatus BridgeChain::release_addresses(const BridgeCall& call) {
  if (!call.kind.has_ipam()) return {};
  if (!call.kind.is_host_local()) return delegates_.del(call.kind.ipam_type, call.delegate);
  return to_cni(with_ipam(call, [&](StickyIpam& ipam) { return ipam.release(call.attachment); }));
}

CniStatus BridgeChain::confirm_addresses(const BridgeCall& call, const AddResult& result) {
  if (!call.kind.is_host_local()) return {};
  std::vector<IpAddress> addresses;
  for (const cni::AssignedIp& ip : result.ips) addresses.push_back(ip.address.address());
  HOLDFAST_TRY(
      const bool holds,
      to_cni(with_ipam(call, [&](StickyIpam& ipam) { return ipam.holds(call.attachment, addresses); })));
  if (holds) return {};
  return cni::cni_fail(CniCode::kTryAgainLater,
                       "the addresses of " + call.attachment.container_id + " " + call.attachment.ifname +
                           " were freed during ADD",
                       "a GC or a DEL of this attachment ran beside it, which a runtime must not do");
}

CniStatus BridgeChain::connect(const BridgeCall& call, AddResult& result) {
  auto opened = open_pod_namespace(call.netns, call.may_be_own_netns);
  HOLDFAST_TRY(PodNamespace pod, to_cni(std::move(opened), CniCode::kInvalidNetns));
  complete_gateways(call.bridge, result);
  add_default_routes(call.bridge, result);

  HOLDFAST_TRY(const BridgeLinks bridge,
               to_cni(ensure_bridge(host_, call.bridge, gateway_cidrs(call.bridge, result))));
  PodLink link{.host_link = host_link_name(call.attachment),
               .alias = host_link_alias(call.attachment),
               .ifname = call.attachment.ifname,
               .netns_fd = pod.netns.get(),
               .mac = call.bridge.mac};
  if (!link.mac && !result.ips.empty()) link.mac = mac_for(result.ips.front().address.address());
  HOLDFAST_TRY(const PodLinkState ends,
               to_cni(connect_pod(host_, pod.netlink, bridge.bridge, call.bridge, link)));
  CniStatus brought_up = bring_up(call, pod, ends, result);
  if (!brought_up) {
    (void)host_.run(nl::delete_link(ends.host.index));
    return brought_up;
  }
  result.interfaces = {
      {.name = bridge.bridge.name, .mac = mac_text(bridge.bridge), .mtu = bridge.bridge.mtu},
      {.name = ends.host.name, .mac = mac_text(ends.host), .mtu = ends.host.mtu},
      {.name = ends.pod.name, .mac = mac_text(ends.pod), .mtu = ends.pod.mtu, .sandbox = call.netns}};
  for (cni::AssignedIp& ip : result.ips) ip.interface = 2;
  return {};
}

CniStatus BridgeChain::bring_up(const BridgeCall& call, PodNamespace& pod, const PodLinkState& ends,
                                const AddResult& result) {
  if (call.bridge.disable_container_interface) return {};
  HOLDFAST_CHECK(to_cni(configure_pod_interface(pod, ends.pod.index, call.attachment.ifname,
                                                pod_interface_of(call.bridge, result))));
  HOLDFAST_CHECK(to_cni(wait_until_forwarding(host_, ends.host.index, clock_, kPortPatience)));
  if (call.bridge.enable_dad) {
    HOLDFAST_CHECK(to_cni(wait_for_duplicate_detection(pod, ends.pod.index, clock_, kDetectionPatience)));
  }
  return to_cni(announce(pod, ends.pod));
}

Status BridgeChain::put_rules(const BridgeCall& call, const AddResult& result) {
  const RuleOwner owner = owner_of(call.attachment);
  if (call.bridge.ip_masq && call.bridge.ip_masq_backend == MasqueradeBackend::kIptables) {
    HOLDFAST_CHECK(put_masquerade_iptables(executor_, owner, addresses_in(result)));
  }
  const bool masq_by_nft = call.bridge.ip_masq && call.bridge.ip_masq_backend != MasqueradeBackend::kIptables;
  if (!masq_by_nft && !call.bridge.mac_spoof_check) return {};
  HOLDFAST_TRY(nl::Socket nft, nl::Socket::open(nl::Protocol::kNetfilter));
  if (masq_by_nft) HOLDFAST_CHECK(put_masquerade(nft, owner, addresses_in(result)));
  if (call.bridge.mac_spoof_check) {
    HOLDFAST_TRY(const MacAddress mac, MacAddress::parse(result.interfaces.back().mac));
    HOLDFAST_CHECK(put_mac_spoof_check(nft, owner, host_link_name(call.attachment), mac));
  }
  return {};
}

Status BridgeChain::drop_rules(const BridgeCall& call) {
  if (!call.bridge.ip_masq && !call.bridge.mac_spoof_check) return {};
  const RuleOwner owner = owner_of(call.attachment);
  HOLDFAST_TRY(nl::Socket nft, nl::Socket::open(nl::Protocol::kNetfilter));
  if (call.bridge.ip_masq) {
    // Whatever back end ADD chose: upstream's, whose default it is, may have made the rules by iptables.
    if (call.bridge.ip_masq_backend != MasqueradeBackend::kIptables) {
      HOLDFAST_CHECK(drop_masquerade(nft, owner));
    }
    HOLDFAST_CHECK(drop_masquerade_iptables(executor_, owner));
  }
  if (call.bridge.mac_spoof_check) HOLDFAST_CHECK(drop_mac_spoof_check(nft, owner));
  return {};
}

Status BridgeChain::delete_told_link(const std::string& name, const std::string& alias) {
  HOLDFAST_TRY(const auto link, nl::find_link(host_, name));
  const bool may_be_it =
      link && link->kind == "veth" && (link->alias.empty() || link->alias.starts_with(alias));
  return may_be_it ? host_.run(nl::delete_link(link->index)) : Status();
}

/// GC has no namespace to look into, but what upstream made may still be up and answer for the address: the
/// runtime's cache names the host end.
Status BridgeChain::delete_remembered_link(const BridgeCall& call) {
  ResultsCache cache(files_, call.host_local.ipam.results_dir);
  const std::optional<CachedAttachment> cached = cache.find(call.attachment);
  if (!cached || cached->host_link.empty()) return {};
  HOLDFAST_TRY(const auto link, nl::find_link(host_, cached->host_link));
  // A host end with an alias is of ours, and of another attachment.
  if (!link || link->kind != "veth" || !link->alias.empty()) return {};
  return remove_link(host_, link->index);
}

Status BridgeChain::delete_links(const BridgeCall& call) {
  const std::string name = host_link_name(call.attachment);
  HOLDFAST_TRY(const auto ours, nl::find_link(host_, name));
  if (ours && ours->kind == "veth") return remove_link(host_, ours->index);
  if (call.netns.empty()) return delete_remembered_link(call);
  // Made by upstream, whose host ends have random names: go by the pod's end.
  auto pod = open_pod_namespace(call.netns);
  if (!pod) return {};  // the namespace is gone, and the link with it
  HOLDFAST_TRY(const auto inside, nl::find_link(pod->netlink, call.attachment.ifname));
  if (!inside || inside->kind != "veth") return {};
  // A host end with an alias is of ours, and of another attachment: the path has come to name another pod.
  const auto outside = nl::find_link(host_, inside->peer);
  if (outside && *outside && !(*outside)->alias.empty()) return {};
  return pod->netlink.run(nl::delete_link(inside->index));
}

CniResult<AddResult> BridgeChain::add(const BridgeCall& call) {
  HOLDFAST_TRY(AddResult result, assign_addresses(call));
  if (call.bridge.dns) result.dns = *call.bridge.dns;
  CniStatus done = connect(call, result);
  if (done) {
    done = to_cni(put_rules(call, result));
    if (done) done = confirm_addresses(call, result);
    if (!done) {
      (void)drop_rules(call);
      (void)host_.run(nl::delete_link(host_link_name(call.attachment)));
    }
  }
  if (!done) {
    (void)give_addresses_back(call);
    return tl::unexpected(std::move(done).error());
  }
  return result;
}

CniStatus BridgeChain::del(const BridgeCall& call) {
  cni::FirstError errors;
  Status unlinked = delete_links(call);
  // An address is free only when nobody answers for it any more.
  if (unlinked) errors.add(release_addresses(call));
  errors.add(std::move(unlinked));
  errors.add(drop_rules(call));
  return errors.result();
}

CniStatus BridgeChain::check_addresses_held(const BridgeCall& call) {
  if (!call.kind.has_ipam()) return {};
  if (!call.kind.is_host_local()) return delegates_.check(call.kind.ipam_type, call.delegate);
  HOLDFAST_TRY(const auto held,
               to_cni(with_ipam(call, [&](StickyIpam& ipam) { return ipam.addresses_of(call.attachment); })));
  if (!held.empty()) return {};
  return cni::cni_fail(
      cni::own_code(Code::kNotFound),
      "no address is allocated to " + call.attachment.container_id + " " + call.attachment.ifname);
}

CniStatus BridgeChain::check(const BridgeCall& call, const AddResult& previous) {
  HOLDFAST_CHECK(check_addresses_held(call));
  return check_kernel(host_, executor_, call, previous);
}

void BridgeChain::collect_addresses(const BridgeCall& network, const std::vector<Attachment>& valid,
                                    cni::FirstError& errors) {
  const std::string& name = network.attachment.network;
  auto freed = with_ipam(network, [&](StickyIpam& ipam) { return ipam.collect(name, valid); });
  if (!freed) return errors.add(Status(tl::unexpected(std::move(freed).error())));
  for (const InUse& gone : *freed) {
    const Attachment was{name, gone.container_id, gone.ifname};
    errors.add(delete_told_link(gone.host_link.empty() ? host_link_name(was) : gone.host_link,
                                host_link_alias(was)));
  }
}

CniStatus BridgeChain::gc(const BridgeCall& network, const std::vector<Attachment>& valid) {
  cni::FirstError errors;
  if (network.kind.is_host_local()) collect_addresses(network, valid, errors);
  auto nft = nl::Socket::open(nl::Protocol::kNetfilter);
  if (nft && network.bridge.ip_masq) {
    std::vector<RuleOwner> owners(valid.size());
    std::ranges::transform(valid, owners.begin(), owner_of);
    if (auto done = collect_masquerade(*nft, network.attachment.network, owners); !done) {
      errors.add(Status(tl::unexpected(std::move(done).error())));
    }
  }
  return errors.result();
}

CniStatus BridgeChain::status(const BridgeCall& network) {
  if (network.kind.has_ipam() && !network.kind.is_host_local()) {
    return delegates_.status(network.kind.ipam_type, network.delegate);
  }
  if (!network.kind.is_host_local()) return {};
  auto used = with_ipam(network, [&](StickyIpam& ipam) { return ipam.usage(network.attachment.network); });
  HOLDFAST_TRY(const PoolUsage usage, to_cni(std::move(used), CniCode::kNotAvailable));
  if (usage.used >= usage.size) {
    return cni::cni_fail(CniCode::kNotAvailable,
                         "no address is left in network " + network.attachment.network,
                         std::to_string(usage.used) + " of " + std::to_string(usage.size) + " are in use");
  }
  return check_bridge_is_free(network);
}

/// A bridge that keeps an address of another subnet would make ADD fail.
CniStatus BridgeChain::check_bridge_is_free(const BridgeCall& network) {
  HOLDFAST_TRY(const auto bridge, to_cni(nl::find_link(host_, network.bridge.bridge)));
  if (!bridge || network.bridge.force_address || !network.bridge.is_gateway || network.bridge.vlan != 0)
    return {};
  HOLDFAST_TRY(const auto addresses, to_cni(nl::list_addresses(host_, bridge->index, IpFamily::kV4)));
  for (const nl::Address& address : addresses) {
    const auto holds = [&](const RangeSet& set) {
      return std::ranges::any_of(
          set, [&](const IpRange& range) { return range.subnet.contains(address.cidr.address()); });
    };
    if (std::ranges::none_of(network.host_local.ipam.range_sets, holds)) {
      return cni::cni_fail(CniCode::kNotAvailable,
                           "\"" + bridge->name + "\" has address " + address.cidr.to_string() +
                               ", which is not in this node's subnet; remove it (ip addr del)");
    }
  }
  return {};
}

}  // namespace holdfast::flannel
