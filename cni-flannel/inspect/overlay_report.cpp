#include "cni-flannel/inspect/overlay_report.h"

#include <algorithm>
#include <utility>

#include "cni-flannel/daemon/kernel_forwarding.h"
#include "cni-flannel/daemon/net_conf.h"
#include "cni-flannel/daemon/node_name.h"
#include "cni-flannel/daemon/overlay_plan.h"
#include "cni-flannel/daemon/overlay_store.h"
#include "cni-flannel/daemon/vxlan_device.h"
#include "common/base/read_only_files.h"
#include "common/netlink/address.h"
#include "common/netlink/link.h"

namespace holdfast::flannel {
namespace {

constexpr std::size_t kMaxConfBytes = std::size_t{1} << 20;

Result<NetConf> read_conf(Files& files, const std::filesystem::path& path) {
  HOLDFAST_TRY(const std::optional<std::string> text, files.read(path, kMaxConfBytes));
  if (!text) return fail(Code::kNotFound, path.native() + " is not there; name another by --net-config-path");
  Result<NetConf> conf = parse_net_conf(*text);
  if (!conf) return tl::unexpected(std::move(conf).error().within(path.native()));
  return conf;
}

std::string device_trouble(const std::optional<nl::Link>& link, const PeerEnd& own, std::uint32_t vni) {
  if (!link) return "is not there";
  if (link->kind != "vxlan" || !link->vxlan) return "is no VXLAN device";
  if (link->vxlan->vni != vni) return "has VNI " + std::to_string(link->vxlan->vni);
  if (link->mac != own.vtep_mac) {
    return "has MAC " + (link->mac ? link->mac->to_string() : "none") + ", the lease has " +
           own.vtep_mac.to_string();
  }
  if (link->master != 0) return "is a port of a bridge, which takes its packets";
  return link->up ? "" : "is down";
}

Result<ForwardingTables> read_tables(Forwarding& kernel, int ifindex, IpFamily family) {
  ForwardingTables out;
  HOLDFAST_TRY(out.routes, kernel.routes(family));
  HOLDFAST_TRY(out.neighbours, kernel.neighbours(ifindex, family));
  HOLDFAST_TRY(out.fdb, kernel.fdb(ifindex));
  return out;
}

/// Of the external interface; empty when packets can leave by it.
Result<std::string> underlay_trouble(nl::Socket& socket, const nl::Link& below, const IpAddress& local) {
  const std::string cure = "; its cable, driver and configuration are to be looked at";
  if (!below.up) return below.name + " is down: ip link set " + below.name + " up" + cure;
  if (!below.lower_up) return below.name + " has no carrier" + cure;
  HOLDFAST_TRY(const std::vector<nl::Address> addresses,
               nl::list_addresses(socket, below.index, local.family()));
  const auto has = [&](const nl::Address& address) { return address.cidr.address() == local; };
  if (std::ranges::any_of(addresses, has)) return std::string();
  return below.name + " has no address " + local.to_string() + ", from which the tunnels send" + cure;
}

/// What the device sends, from where and by which interface.
Status take_tunnel(nl::Socket& socket, const nl::Link& device, FamilyReport& report) {
  constexpr std::uint32_t kIpv6Extra = 20;  // its header is so much longer
  HOLDFAST_TRY(const std::optional<nl::Link> below, nl::find_link(socket, device.vxlan->device));
  if (!below) report.underlay_trouble = "that of " + report.device + " is not there";
  if (!below || !device.vxlan->local) return {};
  report.underlay = below->name;
  report.local = *device.vxlan->local;
  HOLDFAST_TRY(report.underlay_trouble, underlay_trouble(socket, *below, report.local));
  report.largest =
      std::min(below->mtu, device.mtu + kVxlanOverhead + (report.local.is_v4() ? 0 : kIpv6Extra));
  return {};
}

void tell_lacks(const OverlayPlan& plan, FamilyReport& report) {
  for (const auto* part : {&plan.neighbours, &plan.fdb, &plan.routes}) {
    for (const OverlayPlan::PeerChange& one : *part) {
      report.peers[one.peer].lacks.push_back(to_string(one.change));
    }
  }
  report.strangers = plan.stale_routes.size() + plan.stale_entries.size();
}

Status compare_with_kernel(nl::Socket& socket, const OverlayLink& link, const WantedPeers& wanted,
                           FamilyReport& report) {
  KernelForwarding kernel(socket);
  HOLDFAST_TRY(const ForwardingTables actual, read_tables(kernel, link.ifindex, report.family));
  tell_lacks(plan_overlay(link, wanted.peers, actual), report);
  return {};
}

/// nullopt when the node has no subnet of the family, or the lease is not whole.
Result<std::optional<FamilyReport>> inspect_family(nl::Socket& socket, const NetConf& conf,
                                                   const AddressPool& pool, const OverlayReport& overlay) {
  const IpFamily family = pool.network.family();
  const Result<std::optional<PeerEnd>> own = peer_end(*overlay.own, family);
  if (!own || !*own) return std::optional<FamilyReport>();
  FamilyReport report{.family = family, .device = vxlan_device_name(family, conf.vxlan.vni), .own = **own};
  HOLDFAST_TRY(const std::optional<nl::Link> link, nl::find_link(socket, report.device));
  report.trouble = device_trouble(link, **own, conf.vxlan.vni);
  if (link && link->vxlan) HOLDFAST_CHECK(take_tunnel(socket, *link, report));

  std::vector<const NodeNetwork*> published;
  for (const NodeNetwork& node : overlay.nodes) published.push_back(&node);
  WantedPeers wanted = wanted_peers({overlay.own->node, pool.network, **own, conf.vxlan.vni}, published);
  report.rejected = std::move(wanted.rejected);
  report.shared = std::move(wanted.shared);
  if (!link) {
    for (const WantedPeer& peer : wanted.peers) report.peers.push_back({peer, {"make " + report.device}});
    return std::optional(std::move(report));
  }
  if (conf.vxlan.direct_routing) {
    KernelForwarding kernel(socket);
    HOLDFAST_TRY(const std::vector<nl::Route> routes, kernel.routes(family));
    route_directly(wanted, routes, link->index);
  }
  for (const WantedPeer& peer : wanted.peers) report.peers.push_back({peer, {}});
  HOLDFAST_CHECK(compare_with_kernel(socket, {link->index, pool.network}, wanted, report));
  return std::optional(std::move(report));
}

/// As flanneld is told it, or names itself.
Result<std::string> node_name(Files& files, const OverlayPlaces& places) {
  if (!places.node_name.empty()) return places.node_name;
  HOLDFAST_TRY(const std::optional<StoreOwner> owner, stored_owner(files, places.state_dir));
  if (owner) return owner->node_name;
  return host_node_name();
}

}  // namespace

std::size_t other_nodes(const OverlayReport& overlay) {
  return static_cast<std::size_t>(
      std::ranges::count_if(overlay.nodes, [&](const NodeNetwork& n) { return n.node != overlay.node; }));
}

Result<OverlayReport> inspect_overlay(Files& files, nl::Socket& socket, const OverlayPlaces& places) {
  ReadOnlyFiles looked_at(files);
  HOLDFAST_TRY(const NetConf conf, read_conf(looked_at, places.net_config));
  HOLDFAST_TRY(const std::string node, node_name(looked_at, places));
  OverlayStore store(looked_at, places.state_dir, {"", node, places.machine_id});
  HOLDFAST_TRY(OverlayStore::Loaded loaded, store.load());
  OverlayReport report{.conf = conf,
                       .node = node,
                       .cluster_id = loaded.state.cluster_id,
                       .own = std::move(loaded.state.own),
                       .nodes = {},
                       .notes = std::move(loaded.notes),
                       .former = std::move(loaded.state.former_underlay),
                       .families = {}};
  for (NodeNetworkObject& peer : loaded.state.peers) report.nodes.push_back(std::move(peer.network));
  if (!report.own) return report;
  for (const std::optional<AddressPool>& pool : {conf.ipv4, conf.ipv6}) {
    if (!pool) continue;
    HOLDFAST_TRY(std::optional<FamilyReport> family, inspect_family(socket, conf, *pool, report));
    if (family) report.families.push_back(*std::move(family));
  }
  return report;
}

}  // namespace holdfast::flannel
