#include "cni-flannel/plugin/result_links.h"

#include <cstdint>
#include <optional>

namespace holdfast::flannel {

namespace {

std::optional<IpAddress> gateway_of(const cni::AddResult& result, IpFamily family) {
  for (const cni::AssignedIp& ip : result.ips) {
    if (ip.address.family() == family && ip.gateway) return ip.gateway;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Cidr> addresses_in(const cni::AddResult& result) {
  std::vector<Cidr> addresses;
  for (const cni::AssignedIp& ip : result.ips) addresses.push_back(ip.address);
  return addresses;
}

std::vector<Cidr> gateway_cidrs(const BridgeConf& conf, const cni::AddResult& result) {
  std::vector<Cidr> gateways;
  if (!conf.is_gateway) return gateways;
  for (const cni::AssignedIp& ip : result.ips) {
    if (ip.gateway) gateways.push_back(*Cidr::make(*ip.gateway, ip.address.prefix()));
  }
  return gateways;
}

std::string mac_text(const nl::Link& link) { return link.mac ? link.mac->to_string() : std::string(); }

nl::Route to_route(const cni::Route& route, const cni::AddResult& result) {
  const bool on_link = route.scope == static_cast<std::uint8_t>(nl::Scope::kLink);
  nl::Route out{.dst = route.dst.network()};
  out.gateway = route.gw || on_link ? route.gw : gateway_of(result, route.dst.family());
  if (route.scope) out.scope = static_cast<nl::Scope>(*route.scope);
  if (route.table) out.table = *route.table;
  out.priority = route.priority;
  out.mtu = route.mtu;
  out.advmss = route.advmss;
  return out;
}

}  // namespace holdfast::flannel
