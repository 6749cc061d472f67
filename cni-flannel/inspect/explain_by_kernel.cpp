#include "cni-flannel/inspect/explain_by_kernel.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/kernel_forwarding.h"
#include "cni-flannel/inspect/explain.h"
#include "cni-flannel/inspect/pod_report.h"
#include "common/netlink/link.h"
#include "common/netlink/route_lookup.h"

namespace holdfast::flannel {
namespace {

Explanation broken(std::string text, const std::string& why) {
  return {std::move(text) + "  " + why + "\n", false};
}

/// By the device of an overlay: through the neighbour `gateway` to a public address.
Result<Explanation> explain_tunnel(Forwarding& kernel, const nl::Link& device, const IpAddress& gateway,
                                   std::string text) {
  HOLDFAST_TRY(const std::vector<nl::Neighbour> neighbours,
               kernel.neighbours(device.index, gateway.family()));
  const auto neighbour = std::ranges::find(neighbours, gateway, &nl::Neighbour::address);
  if (neighbour == neighbours.end()) {
    return broken(std::move(text), "no neighbour " + gateway.to_string() + " there: nothing is sent");
  }
  text += "  " + to_string(*neighbour) + "\n";
  HOLDFAST_TRY(const std::vector<nl::FdbEntry> fdb, kernel.fdb(device.index));
  const auto entry = std::ranges::find_if(
      fdb, [&](const nl::FdbEntry& each) { return each.mac == neighbour->mac && each.dst.has_value(); });
  if (entry == fdb.end()) {
    return broken(std::move(text), "no fdb " + neighbour->mac.to_string() + " there: nothing is sent");
  }
  return Explanation{text + "  " + to_string(*entry) + ": the machine to which it is sent\n"};
}

/// `text` says whose the address is.
Result<Explanation> explain_way(nl::Socket& socket, const Cidr& network, const IpAddress& address,
                                std::string text) {
  KernelForwarding kernel(socket);
  HOLDFAST_TRY(const std::vector<nl::Route> routes, kernel.routes(address.family()));
  const nl::Route* route = nl::best_route(routes, address);
  if (route == nullptr || route->dst.contains(network)) {
    return broken(std::move(text), "no route of the overlay leads to it: no node with that range is known");
  }
  text += "  " + to_string(*route);
  if (route->type != nl::RouteType::kUnicast) return broken(text + "\n", "which refuses it");
  HOLDFAST_TRY(const std::optional<nl::Link> link, nl::find_link(socket, route->ifindex));
  text += link ? " dev " + link->name + "\n" : "\n";
  if (!link || link->kind != "vxlan" || !route->gateway) return Explanation{std::move(text)};
  return explain_tunnel(kernel, *link, *route->gateway, std::move(text));
}

}  // namespace

Result<Explanation> explain_by_kernel(nl::Socket& socket, const SubnetEnv& lease,
                                      const std::string& subject) {
  const Result<IpAddress> address = IpAddress::parse(subject);
  if (!address) return Explanation{};
  const auto holds_it = [&](const Cidr& range) { return range.contains(*address); };
  const std::vector<Cidr> own = subnets_of(lease);
  if (const auto part = std::ranges::find_if(own, holds_it); part != own.end()) {
    return Explanation{subject + ": of this node, whose pods are in " + part->to_string() + "\n" +
                       no_pod_has(subject)};
  }
  const auto network = std::ranges::find_if(lease.networks, holds_it);
  if (network == lease.networks.end()) return Explanation{};
  return explain_way(socket, *network, *address,
                     subject + ": in the pod network " + network->to_string() +
                         ", of another node; its overlay is another flanneld's, so by the kernel:\n");
}

}  // namespace holdfast::flannel
