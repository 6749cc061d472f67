#include "egw-gateway/tunnel/tunnel_keeper.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/first_error.h"
#include "common/base/link_name.h"
#include "common/base/sha.h"
#include "common/netlink/address.h"
#include "common/netlink/request.h"
#include "common/netlink/route.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t kDigestDigits = 10;
// What IPv6 gives a route that tells no metric.
constexpr std::uint32_t kDefaultMetric6 = 1024;

struct TunnelFacts {
  nl::Link link;
  std::vector<nl::Address> addresses;  ///< of the link
  std::vector<nl::Route> routes;       ///< by the link, that bear kTunnelProtocol
};

Cidr host(const IpAddress& address) { return Cidr::make(address, address.bits()).value_or(Cidr()); }

nl::Route route_to(const IpAddress& peer, int ifindex) {
  nl::Route out;
  out.dst = host(peer);
  out.ifindex = ifindex;
  out.protocol = kTunnelProtocol;
  out.priority = peer.is_v4() ? 0 : kDefaultMetric6;
  return out;
}

bool is_same_way(const nl::Route& a, const nl::Route& b) {
  return a.dst == b.dst && a.ifindex == b.ifindex && a.priority == b.priority && a.type == b.type &&
         !a.gateway;
}

// The address that each IPv6 link has by itself.
bool is_kernels(const nl::Address& address) {
  return !address.cidr.is_v4() && address.scope == nl::Scope::kLink;
}

bool is_wanted(const std::vector<Tunnel>& wanted, const std::string& name) {
  return std::ranges::any_of(wanted, [&](const Tunnel& tunnel) { return tunnel.link == name; });
}

std::string counted(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// What must be done to get from `actual` to `wanted`, in this order; WireGuard's own part apart. Addresses
/// that the kernel gave the link are left alone, and routes of others.
std::vector<nl::Request> plan_tunnel(const Tunnel& wanted, const TunnelFacts& actual) {
  std::vector<nl::Request> out;
  const int ifindex = actual.link.index;
  const bool resize = actual.link.mtu != wanted.mtu;
  if (resize) out.push_back(nl::change_link(ifindex, {.mtu = wanted.mtu}));
  for (const IpAddress& address : wanted.addresses) {
    const auto is_it = [&](const nl::Address& one) { return one.cidr == host(address); };
    if (std::ranges::none_of(actual.addresses, is_it))
      out.push_back(nl::put_address(ifindex, host(address), {.no_dad = true}));
  }
  if (!actual.link.up) out.push_back(nl::change_link(ifindex, {.up = true}));
  for (const IpAddress& peer : wanted.peers) {
    const nl::Route route = route_to(peer, ifindex);
    const auto is_it = [&](const nl::Route& one) { return is_same_way(one, route); };
    if (std::ranges::none_of(actual.routes, is_it)) out.push_back(nl::put_route(route));
  }
  for (const nl::Route& route : actual.routes) {
    const auto is_it = [&](const IpAddress& peer) { return is_same_way(route, route_to(peer, ifindex)); };
    if (std::ranges::none_of(wanted.peers, is_it)) out.push_back(nl::drop_route(route));
  }
  for (const nl::Address& address : actual.addresses) {
    const auto is_it = [&](const IpAddress& one) { return address.cidr == host(one); };
    if (!is_kernels(address) && std::ranges::none_of(wanted.addresses, is_it))
      out.push_back(nl::drop_address(ifindex, address.cidr));
  }
  return out;
}

Result<TunnelFacts> read_facts(nl::Socket& socket, const std::string& name) {
  HOLDFAST_TRY(std::optional<nl::Link> link, nl::find_link(socket, name));
  if (!link) return fail(Code::kNotFound, "the link is gone as soon as it was made");
  TunnelFacts out;
  out.link = *std::move(link);
  HOLDFAST_TRY(out.addresses, nl::list_addresses(socket, out.link.index));
  HOLDFAST_TRY(out.routes, nl::list_routes(socket, {.ifindex = out.link.index, .protocol = kTunnelProtocol}));
  return out;
}

}  // namespace

bool is_tunnel(const nl::Link& link) { return link.kind == "wireguard" || link.kind == "tun"; }

std::string tunnel_link(std::string_view prefix, std::string_view name) {
  std::string whole = std::string(prefix) + std::string(name);
  if (fault_of_link_name(whole).empty()) return whole;
  return std::string(prefix) + sha256_hex(name).substr(0, kDigestDigits);
}

TunnelKeeper::Look TunnelKeeper::look(const std::vector<Tunnel>& wanted) {
  Look out;
  FirstError errors;
  for (const Tunnel& tunnel : wanted) {
    TunnelView view{.link = tunnel.link, .ifindex = 0, .peers = {}};
    Status done = put(tunnel, view, out.news);
    if (!done) done = tl::unexpected(std::move(done).error().within("tunnel " + tunnel.link));
    errors.add(std::move(done));
    out.tunnels.push_back(std::move(view));
  }
  errors.add(remove_others(wanted, out.news));
  out.done = errors.result();
  return out;
}

TunnelKeeper::Look TunnelKeeper::see(const std::vector<std::string>& links) {
  Look out;
  for (const std::string& name : links) {
    TunnelView view{.link = name, .ifindex = 0, .peers = {}};
    const auto link = nl::find_link(socket_, name);
    if (link && *link && is_tunnel(**link)) view.ifindex = (*link)->index;
    if (!link) out.done = tl::unexpected(link.error());
    auto state = view.ifindex == 0 ? Result<wireguard::TunnelState>() : wireguard_.read(name);
    if (state) view.peers = std::move(state->peers);
    out.tunnels.push_back(std::move(view));
  }
  return out;
}

Status TunnelKeeper::forget(const Tunnel& wanted, std::vector<std::string>& news) {
  if (wanted.forgotten.empty()) return {};
  HOLDFAST_TRY(const wireguard::TunnelState state, wireguard_.read(wanted.link));
  wireguard::Change change;
  for (const wireguard::PeerState& each : state.peers) {
    if (std::ranges::find(wanted.forgotten, each.peer.key) == wanted.forgotten.end()) continue;
    wireguard::PeerChange removal{.key = each.peer.key};
    removal.remove = true;
    change.peers.push_back(std::move(removal));
    wireguard::PeerChange again{.key = each.peer.key};
    again.endpoint = each.peer.endpoint;
    change.peers.push_back(std::move(again));
  }
  if (change.peers.empty()) return {};
  news.push_back(wanted.link + ": nothing comes; earlier handshakes are forgotten");
  return wireguard_.change(wanted.link, change);
}

/// Whether the link is there, and this engine's. The kernel's links outlive a container: they may be of one
/// that took the other engine.
Result<bool> TunnelKeeper::clear_other_engine(const std::string& link, std::vector<std::string>& news) {
  HOLDFAST_TRY(const std::optional<nl::Link> found, nl::find_link(socket_, link));
  if (!found) return false;
  if (!is_tunnel(*found) || found->kind == wireguard_.link_kind()) return true;
  HOLDFAST_CHECK(socket_.run(nl::delete_link(found->index)));
  news.push_back(link + ": another engine's, removed");
  return false;
}

Status TunnelKeeper::put(const Tunnel& wanted, TunnelView& view, std::vector<std::string>& news) {
  HOLDFAST_TRY(const bool before, clear_other_engine(wanted.link, news));
  if (before) HOLDFAST_CHECK(forget(wanted, news));
  HOLDFAST_CHECK(wireguard::apply(wireguard_, wanted.link, wanted.wireguard));
  if (!before) news.push_back(wanted.link + ": made");
  HOLDFAST_TRY(const TunnelFacts facts, read_facts(socket_, wanted.link));
  view.ifindex = facts.link.index;
  HOLDFAST_TRY(wireguard::TunnelState state, wireguard_.read(wanted.link));
  view.peers = std::move(state.peers);
  std::vector<nl::Request> requests = plan_tunnel(wanted, facts);
  if (requests.empty()) return {};
  if (before) news.push_back(wanted.link + ": " + counted(requests.size(), "change"));
  return socket_.run_whole(requests);
}

Status TunnelKeeper::remove(const std::string& link, std::vector<std::string>& news) {
  HOLDFAST_TRY(const bool ours, clear_other_engine(link, news));
  if (!ours) return {};
  HOLDFAST_CHECK(wireguard_.remove(link));
  news.push_back(link + ": removed");
  return {};
}

Status TunnelKeeper::remove_others(const std::vector<Tunnel>& wanted, std::vector<std::string>& news) {
  HOLDFAST_TRY(const std::vector<nl::Link> links, nl::list_links(socket_));
  FirstError errors;
  for (const nl::Link& link : links) {
    if (!concerned_by(link) || !is_tunnel(link) || is_wanted(wanted, link.name)) continue;
    errors.add(remove(link.name, news));
  }
  return errors.result();
}

}  // namespace holdfast::gateway
