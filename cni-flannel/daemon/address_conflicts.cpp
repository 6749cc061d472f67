#include "cni-flannel/daemon/address_conflicts.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "cni-flannel/daemon/overlay_plan.h"
#include "cni-flannel/daemon/vxlan_device.h"

namespace holdfast::flannel {
namespace {

// Source: linux/rtnetlink.h, RTPROT_KERNEL: what the kernel adds for an interface's address.
constexpr std::uint8_t kKernelProtocol = 2;

struct SpecialRange {
  std::string_view range;
  std::string_view what;
  Harm harm;
};
// Source: RFC 3927, RFC 4291, RFC 2544.
constexpr SpecialRange kSpecialRanges[] = {
    {"169.254.0.0/16", "link-local addresses, which nodes use for a local API cache and proxies",
     Harm::kDoubtful},
    {"fe80::/10", "link-local addresses", Harm::kUnreachable},
    {"198.18.0.0/15", "the range in which managed clusters have their API server", Harm::kDoubtful},
    {"127.0.0.0/8", "loopback addresses", Harm::kUnreachable},
    {"224.0.0.0/4", "multicast addresses", Harm::kUnreachable},
    {"ff00::/8", "multicast addresses", Harm::kUnreachable},
};

struct NodeLocal {
  std::string_view address;
  std::string_view what;
};
// Of the node's own pod range: its pods would never ask the host for them.
constexpr NodeLocal kNodeLocals[] = {
    {"169.254.2.1/32", "the address of the local API cache"},
    {"169.254.20.11/32", "the address of the tunnel proxy"},
};

constexpr std::string_view kOtherNetwork =
    "give the cluster another pod network (Network in net-conf.json and the cluster's pod CIDR)";

Cidr range_of(std::string_view text) { return Cidr::parse(text).value_or(Cidr{}); }

Cidr host_range(const IpAddress& address) { return Cidr::make(address, address.bits()).value_or(Cidr{}); }

bool any_contains(const std::vector<Cidr>& ranges, const Cidr& inner) {
  return std::ranges::any_of(ranges, [&](const Cidr& range) { return range.contains(inner); });
}

class Finder {
 public:
  Finder(const AddressPlan& plan, const UnderlayTables& tables) : plan_(plan), tables_(tables) {}

  std::vector<AddressConflict> find() {
    for (const Cidr& network : plan_.networks) {
      for (const nl::Address& address : tables_.addresses) look_at_address(network, address);
      for (const nl::Route& route : tables_.routes) look_at_route(network, route);
      for (const NodeNetwork* peer : plan_.peers) look_at_public_address(network, *peer);
      look_at_api_server(network);
    }
    for (const Cidr& services : plan_.services) look_at_services(services);
    look_at_special_ranges();
    for (const Cidr& pods : plan_.pod_cidrs) look_at_own(pods);
    std::ranges::stable_sort(found_, std::ranges::greater{}, &AddressConflict::harm);
    return std::move(found_);
  }

 private:
  void add(Harm harm, const Cidr& ours, const std::string& whose, const Cidr& other,
           const std::string& text) {
    found_.push_back({harm, ours, other, whose + " " + ours.to_string() + " overlaps " + text});
  }

  [[nodiscard]] const nl::Link* link_of(int index) const {
    const auto found = std::ranges::find(tables_.links, index, &nl::Link::index);
    return found == tables_.links.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::string name_of(int index) const {
    const nl::Link* link = link_of(index);
    return link == nullptr ? "link " + std::to_string(index) : link->name;
  }
  [[nodiscard]] bool is_overlay(int index) const {
    const nl::Link* link = link_of(index);
    return link != nullptr && std::ranges::find(plan_.devices, link->name) != plan_.devices.end();
  }
  /// A link made by software that is not the external interface: what pods are behind.
  [[nodiscard]] bool may_be_of_pods(int index) const {
    const nl::Link* link = link_of(index);
    return link != nullptr && !link->kind.empty() && index != plan_.uplink;
  }

  void look_at_address(const Cidr& network, const nl::Address& address);
  void look_at_route(const Cidr& network, const nl::Route& route);
  [[nodiscard]] bool is_way_to_peer(const nl::Route& route) const;
  void look_at_public_address(const Cidr& network, const NodeNetwork& peer);
  void look_at_api_server(const Cidr& network);
  void look_at_services(const Cidr& services);
  void look_at_special_ranges();
  void look_at_own(const Cidr& pods);

  const AddressPlan& plan_;
  const UnderlayTables& tables_;
  std::vector<AddressConflict> found_;
};

void Finder::look_at_address(const Cidr& network, const nl::Address& address) {
  const Cidr theirs = address.cidr.network();
  if (is_overlay(address.ifindex) || theirs.prefix() == 0 || !network.overlaps(theirs)) return;
  if (may_be_of_pods(address.ifindex) && any_contains(plan_.pod_cidrs, theirs)) return;
  const std::string name = name_of(address.ifindex);
  const std::string what = address.cidr.to_string() + " of " + name + ": ";
  const bool tunnels_from = address.ifindex == plan_.uplink &&
                            std::ranges::find(plan_.locals, address.cidr.address()) != plan_.locals.end();
  if (tunnels_from && network.contains(address.cidr.address())) {
    return add(Harm::kCutsOff, network, "the pod network", theirs,
               what + "a node that is given pods' addresses of that network would cut this one off; " +
                   std::string(kOtherNetwork) + ", or choose another interface by --iface");
  }
  if (!network.contains(theirs)) {
    return add(
        Harm::kDoubtful, network, "the pod network", theirs,
        what + "hosts there that have addresses of pods cannot be reached; " + std::string(kOtherNetwork));
  }
  std::string cure = std::string(kOtherNetwork) + ", or " + name + " another address";
  // deleted with its address the bridge would let go of every pod that runs
  if (may_be_of_pods(address.ifindex)) {
    cure += "; if it is left of an earlier pod CIDR, new pods start after ip addr del " +
            address.cidr.to_string() + " dev " + name + ", and those that run here are to be restarted";
  }
  add(Harm::kUnreachable, network, "the pod network", theirs,
      what + "hosts there and pods cannot both be reached; " + cure);
}

/// Upstream's direct routes and ours.
bool Finder::is_way_to_peer(const nl::Route& route) const {
  if (route.protocol == kOverlayRouteProtocol) return true;
  return std::ranges::any_of(plan_.peers, [&](const NodeNetwork* peer) {
    const Cidr* pods = peer->pod_cidr(route.dst.family());
    return pods != nullptr && *pods == route.dst && route.gateway == peer->public_address(route.dst.family());
  });
}

void Finder::look_at_route(const Cidr& network, const nl::Route& route) {
  if (route.dst.prefix() == 0) {
    if (!route.gateway || route.ifindex != plan_.uplink || !network.contains(*route.gateway)) return;
    return add(Harm::kCutsOff, network, "the pod network", host_range(*route.gateway),
               route.gateway->to_string() + ", the default gateway by " + name_of(route.ifindex) +
                   ": a node that is given pods' addresses around it would cut this one off; " +
                   std::string(kOtherNetwork));
  }
  // those of the kernel's own are told by the interface's address
  if (route.protocol == kKernelProtocol || route.type != nl::RouteType::kUnicast) return;
  if (is_overlay(route.ifindex) || !network.overlaps(route.dst) || is_way_to_peer(route)) return;
  if (may_be_of_pods(route.ifindex) && any_contains(plan_.pod_cidrs, route.dst)) return;
  const std::string way = (route.gateway ? " by " + route.gateway->to_string() : "") +
                          (route.ifindex != 0 ? " on " + name_of(route.ifindex) : "");
  const Harm harm = network.contains(route.dst) ? Harm::kUnreachable : Harm::kDoubtful;
  add(harm, network, "the pod network", route.dst,
      "the route to " + route.dst.to_string() + way + ": hosts there and pods cannot both be reached; " +
          std::string(kOtherNetwork) + ", or take the route away");
}

void Finder::look_at_public_address(const Cidr& network, const NodeNetwork& peer) {
  const std::optional<IpAddress>& address = peer.public_address(network.family());
  if (peer.node == plan_.node || !address || !network.contains(*address)) return;
  add(Harm::kUnreachable, network, "the pod network", host_range(*address),
      address->to_string() + ", the public address of node " + peer.node +
          ": what is sent to it may go into the tunnel; " + std::string(kOtherNetwork) +
          ", or that node another address (--iface, --public-ip)");
}

void Finder::look_at_api_server(const Cidr& network) {
  if (!plan_.api_server || !network.contains(*plan_.api_server)) return;
  add(Harm::kUnreachable, network, "the pod network", host_range(*plan_.api_server),
      plan_.api_server->to_string() +
          ", the API server (KUBERNETES_SERVICE_HOST): it cannot be reached once "
          "a pod has its address; " +
          std::string(kOtherNetwork));
}

void Finder::look_at_services(const Cidr& services) {
  for (const Cidr& network : plan_.networks) {
    if (!network.overlaps(services)) continue;
    add(Harm::kUnreachable, services, "the services' range", network,
        "the pod network " + network.to_string() +
            ": a service answers in place of pods that have its address; the cluster needs another pod "
            "network, or another service range (--service-cluster-ip-range of its API server)");
  }
  for (const nl::Address& address : tables_.addresses) {
    const Cidr theirs = address.cidr.network();
    const bool of_service = theirs.prefix() == theirs.address().bits();
    if (of_service || theirs.prefix() == 0 || !services.overlaps(theirs)) continue;
    add(Harm::kUnreachable, services, "the services' range", theirs,
        address.cidr.to_string() + " of " + name_of(address.ifindex) +
            ": hosts there and services cannot both be reached; give the interface another address, or the "
            "cluster another service range");
  }
}

void Finder::look_at_special_ranges() {
  const auto hold_against = [&](const std::vector<Cidr>& ranges, const std::string& whose) {
    for (const Cidr& ours : ranges) {
      for (const SpecialRange& special : kSpecialRanges) {
        const Cidr range = range_of(special.range);
        if (!ours.overlaps(range)) continue;
        add(special.harm, ours, whose, range,
            range.to_string() + ", " + std::string(special.what) + "; give the cluster another range");
      }
    }
  };
  hold_against(plan_.networks, "the pod network");
  hold_against(plan_.services, "the services' range");
}

void Finder::look_at_own(const Cidr& pods) {
  for (const NodeLocal& local : kNodeLocals) {
    const Cidr range = range_of(local.address);
    if (!pods.contains(range)) continue;
    add(Harm::kUnreachable, pods, "the pod CIDR of this node", range,
        range.address().to_string() + ", " + std::string(local.what) +
            ": a pod could be given it; give this node another pod CIDR");
  }
  for (const NodeNetwork* peer : plan_.peers) {
    const Cidr* theirs = peer->pod_cidr(pods.family());
    if (peer->node == plan_.node || theirs == nullptr || !theirs->overlaps(pods)) continue;
    add(Harm::kUnreachable, pods, "the pod CIDR of this node", *theirs,
        theirs->to_string() + ", the pod CIDR of node " + peer->node +
            ": neither's pods can reach the other's; give one of the nodes another pod CIDR");
  }
}

}  // namespace

std::vector<AddressConflict> find_address_conflicts(const AddressPlan& plan, const UnderlayTables& tables) {
  return Finder(plan, tables).find();
}

std::string summary(std::span<const AddressConflict> conflicts) {
  if (conflicts.empty()) return "";
  const std::string more =
      conflicts.size() == 1 ? "" : " (and " + std::to_string(conflicts.size() - 1) + " more)";
  return conflicts.front().message + more;
}

AddressPlan address_plan(const NetConf& conf, std::vector<Cidr> services, const std::string& api_host) {
  AddressPlan out;
  out.services = std::move(services);
  if (const Result<IpAddress> api = IpAddress::parse(api_host)) out.api_server = *api;
  for (const std::optional<AddressPool>& pool : {conf.ipv4, conf.ipv6}) {
    if (!pool) continue;
    out.networks.push_back(pool->network);
    out.devices.push_back(vxlan_device_name(pool->network.family(), conf.vxlan.vni));
  }
  return out;
}

}  // namespace holdfast::flannel
