#include "egw-gateway/inspect/route_text.h"

namespace holdfast::gateway {

std::string route_text(const nl::Route& route, const std::map<int, std::string>& link_names) {
  std::string out = route.type == nl::RouteType::kUnicast ? "" : "unreachable ";
  if (route.type == nl::RouteType::kBlackhole) out = "blackhole ";
  if (route.type == nl::RouteType::kProhibit) out = "prohibit ";
  out += route.dst.prefix() == 0 ? "default" : route.dst.to_string();
  if (route.multipath) return out + " by several next hops";
  if (route.gateway) out += " via " + route.gateway->to_string();
  const auto link = link_names.find(route.ifindex);
  if (route.type == nl::RouteType::kUnicast && link != link_names.end()) out += " dev " + link->second;
  if (route.onlink) out += " onlink";
  if (route.priority != 0) out += " metric " + std::to_string(route.priority);
  if (route.table != nl::kMainTable) out += " table " + std::to_string(route.table);
  return out;
}

std::string list_text(const std::vector<Cidr>& ranges) {
  std::string out;
  for (const Cidr& range : ranges) out += (out.empty() ? "" : ", ") + range.to_string();
  return out.empty() ? "none" : out;
}

}  // namespace holdfast::gateway
