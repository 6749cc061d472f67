#include "test/egw-gateway/inspect/report_scene.h"

namespace holdfast::test {
namespace {

using gateway::EdgeGateway;
using gateway::GatewayReport;

constexpr int kEth0 = 2;
constexpr int kBridge = 3;
constexpr int kOverlay = 4;

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

EdgeGateway pool() {
  EdgeGateway out{.pool = "hangzhou",
                  .pod_cidrs = {cidr("10.244.0.0/16")},
                  .vpc_cidrs = {cidr("172.16.0.0/12")},
                  .cloud_pod_cidrs = {cidr("10.200.0.0/16")},
                  .exempt_cidrs = {cidr("172.20.0.0/16")}};
  out.access_points = {{.name = "two", .address = ip("203.0.113.2"), .port = 51820, .priority = 10},
                       {.name = "one", .address = ip("203.0.113.1"), .port = 51820, .priority = 20}};
  out.gateways = {{.name = "a", .node = "node1", .pod_addresses = {ip("10.244.1.7")}, .priority = 2},
                  {.name = "b", .node = "node2", .pod_addresses = {ip("10.244.2.7")}, .priority = 1}};
  out.gateways[0].tunnel = 7;
  out.gateways[0].tunnel_addresses = {ip("198.18.0.7")};
  out.gateways[1].tunnel = 8;
  out.gateways[1].tunnel_addresses = {ip("198.18.0.8")};
  return out;
}

nl::Route connected(const char* dst, int ifindex) {
  nl::Route out;
  out.dst = cidr(dst);
  out.ifindex = ifindex;
  out.protocol = 2;
  return out;
}

nl::Route via(const char* dst, const char* gateway, int ifindex) {
  nl::Route out;
  out.dst = cidr(dst);
  out.gateway = ip(gateway);
  out.ifindex = ifindex;
  out.onlink = ifindex == kOverlay;
  return out;
}

}  // namespace

nl::Route foreign_route(const char* dst, const char* gateway) { return via(dst, gateway, kEth0); }

GatewayReport well_report() {
  GatewayReport out{.store = "/var/lib/egw/helper.json",
                    .helper = gateway::HelperRun{.pid = 77},
                    .state = gateway::HelperState{.gateway = pool()},
                    .link_names = {{kEth0, "eth0"}, {kBridge, "cni0"}, {kOverlay, "flannel.1"}}};
  out.helper->page.ready = true;
  out.facts.links = {{"flannel.1", kOverlay}, {"cni0", kBridge}};
  out.facts.routes = {via("0.0.0.0/0", "192.168.77.254", kEth0), connected("192.168.77.0/24", kEth0),
                      connected("10.244.3.0/24", kBridge), via("10.244.1.0/24", "10.244.1.0", kOverlay),
                      via("10.244.2.0/24", "10.244.2.0", kOverlay)};
  complete(out);
  const gateway::NextHops by_a = ways_to(out.state->gateway.gateways.front(), out.facts, out.links);
  const gateway::RoutesWanted wanted =
      routes_wanted(node_ranges(out.state->gateway, out.routed), by_a, {}, out.links);
  out.facts.routes.insert(out.facts.routes.end(), wanted.routes.begin(), wanted.routes.end());
  out.facts.rules = wanted.rules;
  out.up = {{"a", true}, {"b", true}};
  gateway::CoreReport core;
  core.page.ready = true;
  core.access_points = {{"one", {true, 12.4}}, {"two", {true, 90}}};
  out.cores = {{"a", core}, {"b", core}};
  complete(out);
  return out;
}

}  // namespace holdfast::test
