#include "egw-gateway/inspect/kernel_ways.h"

#include <array>
#include <cstdio>
#include <set>
#include <utility>

#include "common/netlink/route_lookup.h"
#include "common/netlink/rule.h"
#include "egw-gateway/model/gateway_names.h"

namespace holdfast::gateway {
namespace {

KernelWay ask(nl::Socket& socket, std::string sender, const nl::PacketToRoute& packet) {
  Result<std::optional<nl::Route>> route = nl::find_way(socket, packet);
  if (!route) return {.sender = std::move(sender), .silence = route.error().message};
  return {.sender = std::move(sender), .route = *std::move(route)};
}

/// An address of the bridge's network that is not the bridge's own: some pod's, be it there or not.
std::optional<nl::PacketToRoute> of_a_pod(const GatewayReport& report, const IpAddress& to) {
  const int bridge = report.facts.link(report.links.bridge);
  if (bridge == 0) return std::nullopt;
  const std::optional<IpAddress> own = report.facts.address_of(bridge, to.family());
  const std::optional<IpAddress> next = own ? own->plus(1) : std::nullopt;
  if (!next) return std::nullopt;
  return nl::PacketToRoute{.to = to, .from = next, .in_link = bridge};
}

std::set<std::uint32_t> marks_before_ours(nl::Socket& socket, IpFamily family) {
  std::set<std::uint32_t> out;
  for (const nl::Rule& rule : nl::list_rules(socket, family).value_or(std::vector<nl::Rule>{})) {
    if (rule.mark != 0 && rule.protocol != kRouteProtocol && rule.priority < kRangesRulePriority) {
      out.insert(rule.mark);
    }
  }
  return out;
}

std::string sender_of(std::uint32_t mark) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "a packet with mark 0x%x", mark);
  return text.data();
}

}  // namespace

std::vector<KernelWay> ask_kernel_ways(nl::Socket& socket, const GatewayReport& report, const IpAddress& to) {
  std::vector<KernelWay> out{ask(socket, "this node", {.to = to})};
  if (const auto packet = of_a_pod(report, to)) out.push_back(ask(socket, "a pod here", *packet));
  for (const std::uint32_t mark : marks_before_ours(socket, to.family())) {
    out.push_back(ask(socket, sender_of(mark), {.to = to, .mark = mark}));
  }
  return out;
}

}  // namespace holdfast::gateway
