#include "cni-flannel/daemon/overlay_keeper.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "cni-flannel/daemon/name_list.h"
#include "cni-flannel/daemon/vtep_mac.h"

namespace holdfast::flannel {
namespace {

// Behind the route of the bridge to the pods, which has metric 0.
constexpr std::uint32_t kBlackholeMetric = 4096;

/// "node-7: WHY", of several the first and how many more.
std::string first_and_count(const std::map<std::string, std::string>& reasons) {
  if (reasons.empty()) return "";
  const auto& [node, why] = *reasons.begin();
  const std::string more =
      reasons.size() == 1 ? "" : " (and " + std::to_string(reasons.size() - 1) + " more)";
  return node + ": " + why + more;
}

void append(std::string& out, const std::string& text) {
  if (!text.empty()) out += (out.empty() ? "" : "; ") + text;
}

void append(std::string& out, const Status& done) {
  if (!done) append(out, done.error().message);
}

std::string name_of(IpFamily family) { return family == IpFamily::kV4 ? "IPv4" : "IPv6"; }

}  // namespace

OverlayKeeper::OverlayKeeper(const Tools& tools, NetConf conf, UnderlayChoice choice, bool blackhole)
    : tools_(tools), conf_(std::move(conf)), choice_(std::move(choice)), blackhole_(blackhole) {
  choice_.ipv4 = conf_.ipv4.has_value();
  choice_.ipv6 = conf_.ipv6.has_value();
  choice_.own_links = overlay_links(conf_.vxlan.vni);
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    if (!pool(family)) continue;
    families_.push_back(std::make_unique<Family>(family, tools_));
  }
}

const std::optional<AddressPool>& OverlayKeeper::pool(IpFamily family) const {
  return family == IpFamily::kV4 ? conf_.ipv4 : conf_.ipv6;
}

void OverlayKeeper::recall_former(FormerUnderlay former) {
  former_ = choice_.is_told() ? FormerUnderlay{} : std::move(former);
}

Status OverlayKeeper::take_former(const NodeNetwork& published) {
  if (!former_.interface.empty()) return {};
  HOLDFAST_TRY(const UnderlayTables tables, read_underlay_tables(tools_.socket));
  std::optional<FormerUnderlay> found = find_former_underlay(choice_, tables, published, conf_.vxlan.vni);
  if (!found) return {};
  former_ = *std::move(found);
  tools_.log.info("external interface of the flannel that was here is kept",
                  {{"interface", former_.interface},
                   {"because", "its device is this node's and sends by that, and no flag tells another"}});
  return {};
}

Status OverlayKeeper::find_underlay() {
  HOLDFAST_TRY(tables_, read_underlay_tables(tools_.socket));
  Result<Underlay> chosen = choose_underlay(with_former(choice_, former_), tables_, underlay());
  if (!chosen) {
    underlay_.reset();
    return tl::unexpected(std::move(chosen).error());
  }
  if (!underlay_ || underlay_->link.name != chosen->link.name || underlay_->local != chosen->local ||
      underlay_->local6 != chosen->local6) {
    const auto text = [](const std::optional<IpAddress>& a) { return a ? a->to_string() : std::string(); };
    tools_.log.info("external interface", {{"interface", chosen->link.name},
                                           {"address", text(chosen->local)},
                                           {"address6", text(chosen->local6)},
                                           {"mtu", chosen->link.mtu}});
  }
  underlay_ = *std::move(chosen);
  return {};
}

Result<std::optional<MacAddress>> OverlayKeeper::device_mac(IpFamily family) {
  return device_vtep_mac(tools_.socket, vxlan_device_name(family, conf_.vxlan.vni));
}

Result<bool> OverlayKeeper::has_device() {
  HOLDFAST_TRY(const auto mac, device_mac(IpFamily::kV4));
  HOLDFAST_TRY(const auto mac6, device_mac(IpFamily::kV6));
  return mac.has_value() || mac6.has_value();
}

Result<VxlanDeviceSpec> OverlayKeeper::device_of(const NodeNetwork& own, IpFamily family) const {
  const Cidr* subnet = own.pod_cidr(family);
  if (subnet == nullptr || !own.backend(family)) {
    return fail(Code::kFailedPrecondition, name_of(family) + ": this node has no pod CIDR of it");
  }
  const std::optional<IpAddress>& local = family == IpFamily::kV4 ? underlay_->local : underlay_->local6;
  if (!local) {
    return fail(Code::kFailedPrecondition,
                name_of(family) + ": " + underlay_->link.name + " has no address of it");
  }
  HOLDFAST_TRY(const std::uint32_t mtu, overlay_mtu(conf_, underlay_->link.mtu));
  return VxlanDeviceSpec{conf_.vxlan, mtu,     own.backend(family)->vtep_mac, underlay_->link.index,
                         *local,      *subnet, pool(family)->network};
}

Result<WantedPeers> OverlayKeeper::wanted(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes,
                                          Family& family) const {
  HOLDFAST_TRY(const std::optional<PeerEnd> end, peer_end(own, family.family));
  if (!end) return fail(Code::kFailedPrecondition, name_of(family.family) + ": our own lease is not whole");
  WantedPeers out = wanted_peers({own.node, pool(family.family)->network, *end, conf_.vxlan.vni}, nodes);
  if (conf_.vxlan.direct_routing) route_directly(out, tables_.routes, family.overlay.ifindex());
  return out;
}

Status OverlayKeeper::put_family(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes,
                                 Family& family, Strangers strangers) {
  HOLDFAST_TRY(const VxlanDeviceSpec device, device_of(own, family.family));
  HOLDFAST_TRY(WantedPeers peers, wanted(own, nodes, family));
  HOLDFAST_TRY(const FamilyOverlay::DeviceNews news,
               family.overlay.put_right(device, std::move(peers), strangers));
  tell_device(family, news);
  if (family.overlay.device_right()) return {};
  return fail(Code::kAborted, vxlan_device_name(family.family, conf_.vxlan.vni) + " has MAC " +
                                  family.overlay.contest().contested_by()->to_string() +
                                  ", which somebody else sets");
}

bool OverlayKeeper::put_right(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes,
                              Strangers strangers) {
  const auto begun = tools_.clock.since_boot();
  std::string trouble;
  for (const auto& family : families_) append(trouble, put_family(own, nodes, *family, strangers));
  if (blackhole_) append(trouble, put_blackhole(own));
  set_up_ = trouble.empty();
  tools_.conditions.set(kDeviceRight, "DeviceWrong", trouble);
  const std::chrono::duration<double> took = tools_.clock.since_boot() - begun;
  tools_.metrics.whole_seconds.observe(took.count());
  return tell_conditions() && set_up_;
}

bool OverlayKeeper::put_peers(const NodeNetwork& own, std::span<const NodeNetwork* const> nodes,
                              Strangers strangers) {
  const auto begun = tools_.clock.since_boot();
  std::string trouble;
  for (const auto& family : families_) {
    Result<WantedPeers> peers = wanted(own, nodes, *family);
    if (peers) {
      family->overlay.put_peers(*std::move(peers), strangers);
    } else {
      append(trouble, peers.error().message);
    }
  }
  const std::chrono::duration<double> took = tools_.clock.since_boot() - begun;
  tools_.metrics.change_seconds.observe(took.count());
  if (!trouble.empty()) tools_.conditions.unwell(kDeviceRight, "DeviceWrong", trouble);
  return tell_conditions() && trouble.empty();
}

Status OverlayKeeper::put_blackhole(const NodeNetwork& own) {
  for (const Cidr& subnet : own.pod_cidrs) {
    nl::Route route;
    route.dst = subnet;
    route.type = nl::RouteType::kBlackhole;
    route.priority = kBlackholeMetric;
    route.protocol = kOverlayRouteProtocol;
    HOLDFAST_CHECK(tools_.socket.run(nl::put_route(route)));
  }
  return {};
}

void OverlayKeeper::tell_device(const Family& family, const FamilyOverlay::DeviceNews& news) {
  const std::string name = vxlan_device_name(family.family, conf_.vxlan.vni);
  if (news.created) {
    tools_.metrics.device_made.add();
    if (news.replaced.empty()) {
      tools_.log.info("device made", {{"device", name}});
    } else {
      tools_.log.info("device made in the place of one that could not serve",
                      {{"device", name}, {"because", news.replaced}});
    }
  }
  if (news.corrected) {
    tools_.metrics.mac_corrections.add();
    tools_.log.warning("device had another MAC; it has ours again",
                       {{"device", name}, {"mac", news.corrected->to_string()}});
  }
}

bool OverlayKeeper::tell_conditions() {
  std::string trouble;
  std::map<std::string, std::string> rejected;
  std::string contested;
  for (const auto& family : families_) {
    append(trouble, first_and_count(family->overlay.failed()));
    append(trouble, family->overlay.trouble());
    for (const RejectedPeer& peer : family->overlay.rejected()) rejected[peer.node] = peer.why;
    if (const auto& mac = family->overlay.contest().contested_by()) {
      append(contested, vxlan_device_name(family->family, conf_.vxlan.vni) + " is given MAC " +
                            mac->to_string() +
                            " again and again by somebody else; find it (another flanneld? systemd's "
                            "MACAddressPolicy?) and stop it");
    }
  }
  tools_.conditions.set(kPeersProgrammed, "KernelRefused", trouble);
  tools_.conditions.set(kPeersRejected, "NodesConflict", first_and_count(rejected));
  tools_.conditions.set(kVtepMacContested, "SetBySomebodyElse", contested);
  tools_.metrics.mac_contested.set(contested.empty() ? 0 : 1);
  for (const auto& family : families_) tell_shared(*family);
  tell_metrics();
  return trouble.empty();
}

void OverlayKeeper::tell_shared(Family& family) {
  for (const SharedAddress& one : family.overlay.shared()) {
    if (std::ranges::find(family.shared_told, one) != family.shared_told.end()) continue;
    tools_.log.warning("several nodes have published one public address",
                       {{"address", one.address.to_string()},
                        {"nodes", name_list(one.nodes)},
                        {"cure", kSharedAddressCure}});
  }
  family.shared_told = family.overlay.shared();
}

void OverlayKeeper::tell_metrics() {
  for (const auto& family : families_) {
    DaemonMetrics::Peers& peers = tools_.metrics.peers(family->family);
    const FamilyOverlay& overlay = family->overlay;
    peers.wanted.set(static_cast<double>(overlay.peers().size()));
    peers.failed.set(static_cast<double>(overlay.failed().size()));
    peers.programmed.set(static_cast<double>(overlay.peers().size() - overlay.failed().size()));
    peers.rejected.set(static_cast<double>(overlay.rejected().size()));
    peers.shared_addresses.set(static_cast<double>(overlay.shared().size()));
    tools_.metrics.netlink_errors.add(static_cast<double>(
        overlay.netlink_errors() - std::exchange(family->errors_told, overlay.netlink_errors())));
  }
}

bool OverlayKeeper::underlay_concerned_by(const nl::Event& event) const {
  if (const auto* link = std::get_if<nl::LinkEvent>(&event)) {
    if (!underlay_) return true;
    const bool ours = link->link.index == underlay_->link.index;
    return ours && (link->gone || link->link.mtu != underlay_->link.mtu);
  }
  if (const auto* address = std::get_if<nl::AddressEvent>(&event)) {
    return !underlay_ || address->address.ifindex == underlay_->link.index;
  }
  if (const auto* route = std::get_if<nl::RouteEvent>(&event)) {
    const bool by_us = route->route.protocol == kOverlayRouteProtocol;
    return !by_us && (!underlay_ || conf_.vxlan.direct_routing || route->route.dst.prefix() == 0);
  }
  return std::holds_alternative<nl::Resync>(event);
}

bool OverlayKeeper::concerned_by(const nl::Event& event) {
  return underlay_concerned_by(event) || std::ranges::any_of(families_, [&](const auto& family) {
           return family->overlay.contradicted_by(event);
         });
}

std::optional<std::chrono::nanoseconds> OverlayKeeper::next_contest_look() const {
  std::optional<std::chrono::nanoseconds> out;
  for (const auto& family : families_) {
    const MacContest& contest = family->overlay.contest();
    if (!contest.contested_by()) continue;
    const auto look = contest.next_look(tools_.clock.since_boot());
    if (!out || look < *out) out = look;
  }
  return out;
}

std::vector<std::string> OverlayKeeper::devices() const {
  std::vector<std::string> out;
  for (const auto& family : families_) out.push_back(vxlan_device_name(family->family, conf_.vxlan.vni));
  return out;
}

std::span<const WantedPeer> OverlayKeeper::peers(IpFamily family) const {
  const auto found =
      std::ranges::find_if(families_, [&](const auto& entry) { return entry->family == family; });
  return found == families_.end() ? std::span<const WantedPeer>() : (*found)->overlay.peers();
}

std::vector<IpAddress> OverlayKeeper::peer_addresses() const {
  std::vector<IpAddress> out;
  for (const auto& family : families_) {
    for (const WantedPeer& peer : family->overlay.peers()) out.push_back(peer.end.public_address);
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace holdfast::flannel
