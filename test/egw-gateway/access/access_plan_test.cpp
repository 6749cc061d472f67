#include "egw-gateway/access/access_plan.h"

#include <algorithm>
#include <optional>

#include "egw-gateway/access/access_rules.h"
#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using wireguard::PeerState;
using wireguard::PublicKey;
using wireguard::SecretKey;
using Objects = std::map<std::string, EdgeGateway>;

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

PublicKey key(std::uint8_t value) {
  wireguard::KeyBytes bytes{};
  bytes.fill(value);
  return PublicKey(bytes);
}

/// A pool with gateways a and b, tunnels 2 * number and 2 * number + 1, and access point "one".
EdgeGateway pool(const std::string& name, int number) {
  const std::string n = std::to_string(number);
  EdgeGateway out{.pool = name};
  out.pod_cidrs = {cidr("10." + n + ".0.0/16"), cidr("fd00:" + n + "::/48")};
  out.vpc_cidrs = {cidr("172.16.0.0/16"), cidr("fd00:20::/48")};
  AccessPoint point{.name = "one", .address = ip("192.0.2.2"), .port = 51820};
  point.tunnel_addresses = {ip("198.18.0.1"), ip("fd00:99::1")};
  out.access_points = {point};
  for (int each = 0; each < 2; ++each) {
    Gateway gateway{.name = each == 0 ? "a" : "b"};
    gateway.priority = 200 - each;
    gateway.tunnel = static_cast<std::uint16_t>(2 * number + each);
    gateway.public_keys = {key(static_cast<std::uint8_t>(2 * number + each)).to_string()};
    gateway.tunnel_addresses = {ip("198.18." + n + "." + std::to_string(10 + each))};
    out.gateways.push_back(gateway);
  }
  return out;
}

Objects objects(const std::vector<EdgeGateway>& pools) {
  Objects out;
  for (const EdgeGateway& each : pools) out[each.pool] = each;
  return out;
}

TEST_CASE("each gateway of a pool has a tunnel with a port of its own", "[access]") {
  const AccessPlan plan = plan_access(objects({pool("hz", 1)}), "one", {});
  REQUIRE(plan.pools.size() == 1);
  CHECK(plan.troubles.empty());
  CHECK(plan.pools[0].preferred);
  REQUIRE(plan.ways().size() == 2);
  const GatewayWay& a = *plan.ways()[0];
  CHECK(a.name.to_string() == "hz/a");
  CHECK(a.link == "egw-hz-a");
  CHECK(a.port == 51822);
  CHECK(a.local == ip("198.18.0.1"));
  CHECK(a.peer == ip("198.18.1.10"));
  CHECK(a.interval == std::chrono::milliseconds(100));
}

TEST_CASE("liveness is slower where bytes cost", "[access]") {
  EdgeGateway metered = pool("hz", 1);
  metered.access_points[0].link = LinkKind::kMetered;
  const AccessPlan plan = plan_access(objects({metered}), "one", {});
  CHECK(plan.ways().at(0)->interval == std::chrono::seconds(1));
}

TEST_CASE("a pool that does not name the access point is none of its business", "[access]") {
  const AccessPlan plan = plan_access(objects({pool("hz", 1)}), "two", {});
  CHECK(plan.pools.empty());
  CHECK(plan.troubles.empty());
}

TEST_CASE("a gateway without number, key or address is left out, and the other is served", "[access]") {
  EdgeGateway half = pool("hz", 1);
  SECTION("number") { half.gateways[0].tunnel.reset(); }
  SECTION("key") { half.gateways[0].public_keys.clear(); }
  SECTION("address") { half.gateways[0].tunnel_addresses.clear(); }
  SECTION("address of a family that the access point has") {
    half.access_points[0].tunnel_addresses = {ip("198.18.0.1")};
    half.gateways[0].tunnel_addresses = {ip("fd00:99::7")};
  }
  const AccessPlan plan = plan_access(objects({half}), "one", {});
  REQUIRE(plan.ways().size() == 1);
  CHECK(plan.ways()[0]->name.gateway == "b");
}

TEST_CASE("a pool whose pods lie where they cannot be is refused, but not when it was served before",
          "[access]") {
  EdgeGateway wrong = pool("hz", 1);
  std::vector<OwnRange> own{{cidr("192.168.7.0/24"), "a network of this machine"},
                            {cidr("203.0.113.1/32"), "its router"}};
  std::string why;
  SECTION("in what they are to reach") {
    wrong.pod_cidrs = {cidr("172.16.128.0/17")};
    why = "its pods 172.16.128.0/17 overlap 172.16.0.0/16, what they are to reach in the VPC";
  }
  SECTION("in a network of the machine") {
    wrong.pod_cidrs = {cidr("192.168.0.0/16")};
    why = "its pods 192.168.0.0/16 overlap 192.168.7.0/24, a network of this machine";
  }
  SECTION("half of all addresses") {
    wrong.pod_cidrs = {cidr("128.0.0.0/1")};
    wrong.vpc_cidrs = {cidr("10.200.0.0/16")};
    own.erase(own.begin());
    why = "its pods 128.0.0.0/1 overlap 203.0.113.1/32, its router";
  }
  SECTION("where an access point is") {
    wrong.pod_cidrs = {cidr("192.0.2.0/24")};
    why = "its pods 192.0.2.0/24 overlap 192.0.2.2/32, the address of access point one";
  }
  EdgeGateway other = pool("other", 2);
  other.vpc_cidrs = {cidr("10.201.0.0/16")};
  const Objects all = objects({wrong, other});
  const AccessPlan plan = plan_access(all, "one", {}, own);
  REQUIRE(plan.pools.size() == 1);
  CHECK(plan.pools[0].name == "other");
  CHECK(plan.troubles == std::map<std::string, std::string>{{"hz", why}});
  const AccessPlan before = plan_access(all, "one", {"hz", "other"}, own);
  CHECK(before.pools.size() == 2);
  CHECK(before.troubles.at("hz") == why + "; it goes on, as it was served before");
}

TEST_CASE("what another pool has is refused, and whoever had it keeps it", "[access]") {
  EdgeGateway second = pool("b-second", 2);
  std::string why;
  SECTION("pods") {
    second.pod_cidrs = {cidr("10.1.128.0/17")};
    why = "10.1.128.0/17 overlaps 10.1.0.0/16, pods of pool c-first";
  }
  SECTION("pods in the other's cloud") {
    second.pod_cidrs = {cidr("172.16.5.0/24")};
    second.vpc_cidrs = {cidr("172.20.0.0/16")};
    why = "172.16.5.0/24 overlaps 172.16.0.0/16, what is reached in the cloud by pool c-first";
  }
  SECTION("the other's pods as cloud") {
    second.vpc_cidrs = {cidr("10.1.0.0/24")};
    why = "10.1.0.0/24 overlaps 10.1.0.0/16, pods of pool c-first";
  }
  SECTION("a tunnel's number") {
    second.gateways[1].tunnel = 2;
    why = "its gateway b has the tunnel number of a gateway of pool c-first";
  }
  SECTION("a tunnel's address") {
    second.gateways[0].tunnel_addresses = {ip("198.18.1.11")};
    why = "tunnel address 198.18.1.11 is that of a gateway of pool c-first";
  }
  const AccessPlan plan = plan_access(objects({pool("c-first", 1), second}), "one", {"c-first"});
  REQUIRE(plan.pools.size() == 1);
  CHECK(plan.pools[0].name == "c-first");
  CHECK(plan.troubles.at("b-second") == why);
}

TEST_CASE("a pool that asks for what another has from now on takes nothing from it", "[access]") {
  const Objects first = objects({pool("a-greedy", 1), pool("b-honest", 2)});
  const AccessPlan before = plan_access(first, "one", {});
  REQUIRE(before.pools.size() == 2);
  EdgeGateway greedy = pool("a-greedy", 1);
  SECTION("pods") { greedy.pod_cidrs.push_back(cidr("10.2.0.0/24")); }
  SECTION("a tunnel's number") { greedy.gateways[1].tunnel = 4; }
  SECTION("a tunnel's address") { greedy.gateways[0].tunnel_addresses = {ip("198.18.2.10")}; }
  SECTION("the other's pods as cloud") { greedy.vpc_cidrs.push_back(cidr("10.2.0.0/16")); }
  const Objects now = objects({greedy, pool("b-honest", 2)});
  const AccessPlan plan = plan_access(now, "one", {"a-greedy", "b-honest"}, {}, before.pools);
  REQUIRE(plan.pools.size() == 1);
  CHECK(plan.pools[0].name == "b-honest");
  CHECK_THAT(plan.troubles.at("a-greedy"), Catch::EndsWith("pool b-honest"));
  CHECK(plan.troubles.size() == 1);
}

TEST_CASE("one access point of a pool is the preferred one", "[access]") {
  EdgeGateway two = pool("hz", 1);
  AccessPoint other = two.access_points[0];
  other.name = "two";
  other.priority = two.access_points[0].priority;
  two.access_points.push_back(other);
  CHECK(plan_access(objects({two}), "one", {}).pools.at(0).preferred);
  CHECK_FALSE(plan_access(objects({two}), "two", {}).pools.at(0).preferred);
  two.access_points[1].priority = 7;
  CHECK_FALSE(plan_access(objects({two}), "one", {}).pools.at(0).preferred);
}

TEST_CASE("the key with the latest handshake is sent to", "[access]") {
  const auto at = [](int seconds) {
    return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
  };
  GatewayWay way;
  way.keys = {key(1), key(2)};
  const auto peer = [&](std::uint8_t value, std::optional<std::chrono::system_clock::time_point> handshake) {
    PeerState out;
    out.peer.key = key(value);
    out.last_handshake = handshake;
    return out;
  };
  CHECK(key_in_use(way, {}, {}) == key(1));
  CHECK(key_in_use(way, {}, key(2)) == key(2));
  CHECK(key_in_use(way, {}, key(9)) == key(1));
  CHECK(key_in_use(way, {peer(1, at(10)), peer(2, {})}, key(1)) == key(1));
  CHECK(key_in_use(way, {peer(1, at(10)), peer(2, at(11))}, key(1)) == key(2));
  CHECK(key_in_use(way, {peer(9, at(12)), peer(1, at(10))}, key(2)) == key(1));
}

TEST_CASE("only the key in use has addresses, and only those of its pool and its gateway", "[access]") {
  EdgeGateway rotating = pool("hz", 1);
  rotating.gateways[0].public_keys = {key(1).to_string(), key(2).to_string()};
  const AccessPlan plan = plan_access(objects({rotating}), "one", {});
  const Tunnel tunnel =
      tunnel_of(plan.pools.at(0), *plan.ways().at(0), SecretKey(key(7).bytes()), key(2), 1380);
  CHECK(tunnel.wireguard.listen_port == 51822);
  CHECK(tunnel.mtu == 1380);
  rotating.access_points[0].mtu = 1300;
  const AccessPlan narrow = plan_access(objects({rotating}), "one", {});
  CHECK(tunnel_of(narrow.pools.at(0), *narrow.ways().at(0), SecretKey(key(7).bytes()), key(2), 1380).mtu ==
        1300);
  CHECK(tunnel.peers == std::vector{ip("198.18.1.10")});
  REQUIRE(tunnel.wireguard.peers.size() == 2);
  CHECK(tunnel.wireguard.peers[0].allowed.empty());
  CHECK(tunnel.wireguard.peers[1].allowed ==
        std::vector{cidr("10.1.0.0/16"), cidr("fd00:1::/48"), cidr("198.18.1.10/32")});
}

using firewall::ChainLink;
using firewall::Hook;

const firewall::Chain* chain_of(const firewall::RuleSet& set, Hook hook,
                                const std::optional<ChainLink>& link) {
  const auto found = std::ranges::find_if(
      set.chains, [&](const firewall::Chain& chain) { return chain.hook == hook && chain.link == link; });
  return found == set.chains.end() ? nullptr : &*found;
}

bool holds(const std::optional<firewall::AddressMatch>& match, const Cidr& range) {
  return match && (match->range == range || std::ranges::find(match->others, range) != match->others.end());
}

TEST_CASE("rules let each tunnel's own pool through, and end with a drop", "[access]") {
  const AccessPlan plan = plan_access(objects({pool("hz", 1), pool("sh", 2)}), "one", {});
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const firewall::RuleSet set = access_rules(plan, {}, family);
    for (const Hook hook : {Hook::kInput, Hook::kForward}) {
      const firewall::Chain* trunk = chain_of(set, hook, std::nullopt);
      REQUIRE(trunk != nullptr);
      CHECK(trunk->rules.back().target == firewall::Target::kDrop);
      CHECK(trunk->rules.back().counted);
    }
    const bool v4 = family == IpFamily::kV4;
    const Cidr own = cidr(v4 ? "10.1.0.0/16" : "fd00:1::/48");
    const Cidr cloud = cidr(v4 ? "172.16.0.0/16" : "fd00:20::/48");
    for (const ServedPool& served : plan.pools) {
      for (const GatewayWay& way : served.ways) {
        const firewall::Chain* in = chain_of(set, Hook::kForward, ChainLink{ChainLink::Side::kIn, way.link});
        const firewall::Chain* out =
            chain_of(set, Hook::kForward, ChainLink{ChainLink::Side::kOut, way.link});
        REQUIRE(in != nullptr);
        REQUIRE(out != nullptr);
        REQUIRE(in->rules.size() == 1);
        CHECK(holds(in->rules[0].source, own) == (served.name == "hz"));
        CHECK(holds(in->rules[0].destination, cloud));
        CHECK(holds(out->rules[0].source, cloud));
        CHECK(holds(out->rules[0].destination, own) == (served.name == "hz"));
      }
    }
  }
}

TEST_CASE("no packet meets more rules where there are more pools", "[access]") {
  Objects many;
  for (int number = 21; number <= 120; ++number) {  // the VPC has fd00:20::/48
    const std::string name = "p" + std::to_string(number);
    many[name] = pool(name, number);
  }
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const firewall::RuleSet one =
        access_rules(plan_access(objects({pool("p21", 21)}), "one", {}), {}, family);
    const AccessPlan plan = plan_access(many, "one", {});
    REQUIRE(plan.pools.size() == 100);
    const firewall::RuleSet set = access_rules(plan, {}, family);
    for (const firewall::Chain& chain : one.chains) {
      const firewall::Chain* same = chain_of(set, chain.hook, chain.link);
      REQUIRE(same != nullptr);
      CHECK(same->rules.size() == chain.rules.size());
    }
    for (const firewall::Chain& chain : set.chains) {
      CHECK(chain.iptables_name.size() <= 28);
      CHECK(chain.rules.size() <= 5);
      CHECK((chain.link || chain.hook == Hook::kRaw ||
             std::ranges::all_of(chain.rules, [](const firewall::Rule& rule) { return !rule.source; })));
    }
  }
}

}  // namespace
}  // namespace holdfast::gateway
