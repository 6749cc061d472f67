#include "egw-gateway/core/core_plan.h"

#include <chrono>

#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

constexpr const char* kKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

EdgeGateway pool() {
  EdgeGateway out;
  out.pool = "hangzhou";
  out.pod_cidrs = {cidr("10.244.0.0/16"), cidr("fd00:244::/48")};
  out.vpc_cidrs = {cidr("172.16.0.0/12")};
  out.cloud_pod_cidrs = {cidr("10.200.0.0/16")};
  out.access_points = {{.name = "one",
                        .address = ip("203.0.113.9"),
                        .port = 51820,
                        .public_key = kKey,
                        .priority = 20,
                        .tunnel_addresses = {ip("198.18.0.1"), ip("fd00:99::1")}},
                       {.name = "two",
                        .address = ip("2001:db8::9"),
                        .port = 51900,
                        .public_key = kKey,
                        .link = LinkKind::kMetered,
                        .tunnel_addresses = {ip("fd00:99::2")}}};
  out.gateways = {{.name = "a",
                   .node = "box-1",
                   .pod_addresses = {ip("10.244.1.7")},
                   .public_keys = {kKey},
                   .tunnel = 7,
                   .tunnel_addresses = {ip("198.18.0.7"), ip("fd00:99::7")}}};
  out.nodes = {{"box-1", {cidr("10.244.1.0/24"), cidr("fd00:244:0:1::/64")}, {ip("192.168.1.11")}}};
  return out;
}

CoreSelf self() {
  return {.name = "a",
          .private_key = wireguard::SecretKey(wireguard::KeyBytes{1}),
          .edge_mtu = 1450,
          .edge_networks = {cidr("10.244.1.0/24")}};
}

TEST_CASE("A gateway has a tunnel to each access point, by its own port there", "[egw-core]") {
  const CorePlan plan = plan_core(pool(), self());
  CHECK(plan.faults.empty());
  REQUIRE(plan.tunnels.size() == 2);
  const Tunnel& one = plan.tunnels[0];
  CHECK(one.link == "wg-one");
  CHECK(one.mtu == 1390);
  CHECK(one.addresses == pool().gateways[0].tunnel_addresses);
  CHECK(one.peers == pool().access_points[0].tunnel_addresses);
  REQUIRE(one.wireguard.peers.size() == 1);
  CHECK(one.wireguard.peers[0].endpoint->to_string() == "203.0.113.9:51827");
  CHECK(one.wireguard.peers[0].allowed == std::vector{cidr("0.0.0.0/0"), cidr("::/0")});
  CHECK(plan.tunnels[1].mtu == 1370);
  CHECK(plan.tunnels[1].wireguard.peers[0].endpoint->to_string() == "[2001:db8::9]:51907");
  CoreSelf told = self();
  told.tunnel_mtu = 1300;
  CHECK(plan_core(pool(), told).tunnels[0].mtu == 1300);
  EdgeGateway narrow = pool();
  narrow.access_points[0].mtu = 1280;  // as its line has it
  CHECK(plan_core(narrow, told).tunnels[0].mtu == 1280);
  CHECK(plan_core(narrow, told).tunnels[1].mtu == 1300);
  CoreSelf jumbo = self();
  jumbo.edge_mtu = 8950;  // of the site's network, not of the line
  CHECK(plan_core(pool(), jumbo).tunnels[0].mtu == 1440);
  CHECK(plan_core(pool(), jumbo).tunnels[1].mtu == 1420);
}

TEST_CASE("Access points are watched by the first family that both ends have, and metered ones slowly",
          "[egw-core]") {
  const std::vector<AccessTarget> access = plan_core(pool(), self()).access;
  REQUIRE(access.size() == 2);
  CHECK(access[0] == AccessTarget{.name = "one",
                                  .link = "wg-one",
                                  .priority = 20,
                                  .local = ip("198.18.0.7"),
                                  .peer = ip("198.18.0.1"),
                                  .timers = {100ms, 100ms, 3}});
  CHECK(access[1].local == ip("fd00:99::7"));
  CHECK(access[1].peer == ip("fd00:99::2"));
  CHECK(access[1].timers == bfd::Timers{1s, 1s, 3});
}

TEST_CASE("What a gateway lets through follows from its pool", "[egw-core]") {
  const CorePlan plan = plan_core(pool(), self());
  CHECK(plan.reachability.edge_link == "eth0");
  CHECK(plan.reachability.tunnels == firewall::LinkMatch{"wg-", true});
  CHECK(plan.reachability.translations == pool().gateways[0].tunnel_addresses);
  CHECK(plan.reachability.node_subnets == std::vector{cidr("10.244.1.0/24"), cidr("fd00:244:0:1::/64")});
  CHECK(plan.reachability.nodes == std::vector{ip("192.168.1.11")});
  CHECK(plan.ranges == std::vector{cidr("10.200.0.0/16"), cidr("172.16.0.0/12")});
}

TEST_CASE("Without nodes the subnet of the gateway's own link tells the size of all", "[egw-core]") {
  EdgeGateway without = pool();
  without.nodes.clear();
  CHECK(plan_core(without, self()).reachability.node_subnets == std::vector{cidr("10.244.1.0/24")});
}

TEST_CASE("What a pool lacks is named, and the rest is done", "[egw-core]") {
  EdgeGateway changed = pool();
  const char* fault = "";
  std::size_t tunnels = 0;
  SECTION("this gateway") {
    changed.gateways.clear();
    fault = "EdgeGateway hangzhou has no gateway a";
  }
  SECTION("its tunnel") {
    changed.gateways[0].tunnel.reset();
    fault = "gateway a has no tunnel number";
  }
  SECTION("a common family with one access point") {
    changed.gateways[0].tunnel_addresses = {ip("198.18.0.7")};
    fault = "access point two and gateway a have no tunnel addresses of one family";
    tunnels = 1;
  }
  SECTION("room between the ranges") {
    changed.vpc_cidrs = {cidr("10.0.0.0/8")};
    fault = "10.0.0.0/8 overlaps";
    tunnels = 2;
  }
  const CorePlan plan = plan_core(changed, self());
  REQUIRE(plan.faults.size() == 1);
  CHECK_THAT(plan.faults[0], Catch::Contains(fault));
  CHECK(plan.tunnels.size() == tunnels);
  CHECK(plan.access.size() == tunnels);
}

TEST_CASE("A node's own addresses are told from its pods'", "[egw-core]") {
  const Reachability reachability = plan_core(pool(), self()).reachability;
  const auto own = [&](const char* address) { return is_nodes_own(reachability, ip(address)); };
  CHECK(own("192.168.1.11"));
  CHECK(own("10.244.1.0"));
  CHECK(own("10.244.1.1"));
  CHECK(own("10.244.77.1"));  // of a node that is not told
  CHECK(own("fd00:244:0:5::1"));
  CHECK_FALSE(own("10.244.1.2"));
  CHECK_FALSE(own("10.244.1.255"));
  CHECK_FALSE(own("fd00:244:0:5::2"));
  CHECK_FALSE(own("192.168.1.12"));
  CHECK_FALSE(own("172.16.0.1"));
}

TEST_CASE("A key that access points are not told of is not taken into use", "[egw-core]") {
  const auto key = wireguard::PublicKey::parse(kKey).value();
  const auto other = public_key_of(self().private_key).value();
  CHECK(is_known_key(pool(), "a", key));
  CHECK_FALSE(is_known_key(pool(), "a", other));
  EdgeGateway untold = pool();
  untold.gateways[0].public_keys.clear();
  CHECK(is_known_key(untold, "a", other));
  CHECK(is_known_key(untold, "b", other));
}

}  // namespace
}  // namespace holdfast::gateway
