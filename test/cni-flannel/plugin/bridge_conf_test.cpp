#include "cni-flannel/plugin/bridge_conf.h"

#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"

namespace holdfast::flannel {
namespace {

cni::JsonPart json(const std::string& text) { return cni::parse_document(text, "test").value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
MacAddress mac(const char* text) { return MacAddress::parse(text).value(); }

TEST_CASE("the delegate of a real flannel is read", "[flannel]") {
  const cni::JsonPart delegate = json(test::fixture("cni/flannel/delegate.json"));
  const auto bridge = parse_bridge_conf(delegate, {});
  REQUIRE(bridge.has_value());
  CHECK(bridge->bridge == "cni0");
  CHECK(bridge->is_gateway);
  CHECK(bridge->is_default_gateway);
  CHECK(bridge->hairpin_mode);
  CHECK_FALSE(bridge->ip_masq);
  CHECK(bridge->mtu == 1450);
  const auto ipam = parse_host_local_conf(delegate, {}, {});
  REQUIRE(ipam.has_value());
  CHECK(ipam->ipam.data_dir == "/var/lib/cni/networks");
  REQUIRE(ipam->ipam.range_sets.size() == 1);
  REQUIRE(ipam->ipam.range_sets[0].size() == 1);
  const IpRange& range = ipam->ipam.range_sets[0][0];
  CHECK(range.subnet == cidr("10.244.0.0/24"));
  CHECK(range.first == ip("10.244.0.1"));
  CHECK(range.last == ip("10.244.0.254"));
  CHECK(range.gateway == ip("10.244.0.1"));
  REQUIRE(ipam->routes.size() == 1);
  CHECK(ipam->routes[0].dst == cidr("10.244.0.0/16"));
  CHECK_FALSE(ipam->resolv_conf.has_value());
  CHECK(ipam->requested.empty());
}

TEST_CASE("every field of bridge is read", "[flannel]") {
  const auto conf = parse_bridge_conf(
      json(R"({"type":"bridge","bridge":"br7","isDefaultGateway":true,"forceAddress":true,"ipMasq":true,
               "ipMasqBackend":"nftables","mtu":1400,"promiscMode":true,"vlanTrunk":[{"minID":10,"maxID":20},{"id":30}],
               "preserveDefaultVlan":false,"macspoofchk":true,"enabledad":true,"disableContainerInterface":true,
               "portIsolation":true})"),
      {});
  REQUIRE(conf.has_value());
  CHECK(conf->bridge == "br7");
  CHECK(conf->is_gateway);
  CHECK(conf->is_default_gateway);
  CHECK(conf->force_address);
  CHECK(conf->ip_masq);
  CHECK(conf->ip_masq_backend == MasqueradeBackend::kNftables);
  CHECK(conf->mtu == 1400);
  CHECK(conf->promisc_mode);
  CHECK_FALSE(conf->hairpin_mode);
  CHECK(conf->vlan == 0);
  CHECK(conf->vlan_trunk == std::vector<VlanRange>{{10, 20}, {30, 30}});
  CHECK_FALSE(conf->preserve_default_vlan);
  CHECK(conf->mac_spoof_check);
  CHECK(conf->enable_dad);
  CHECK(conf->disable_container_interface);
  CHECK(conf->port_isolation);
}

TEST_CASE("bridge without options is cni0 without anything", "[flannel]") {
  const auto conf = parse_bridge_conf(json(R"({"bridge":"","vlan":100,"ipMasqBackend":"iptables"})"), {});
  REQUIRE(conf.has_value());
  CHECK(conf->bridge == "cni0");
  CHECK_FALSE(conf->is_gateway);
  CHECK(conf->vlan == 100);
  CHECK(conf->preserve_default_vlan);
  CHECK(conf->ip_masq_backend == MasqueradeBackend::kIptables);
  CHECK_FALSE(conf->mac.has_value());
}

TEST_CASE("the MAC comes from runtimeConfig, else args.cni, else CNI_ARGS", "[flannel]") {
  cni::CniArgs args;
  args.mac = mac("02:00:00:00:00:01");
  CHECK(parse_bridge_conf(json("{}"), args)->mac == mac("02:00:00:00:00:01"));
  const std::string cni = R"("args":{"cni":{"mac":"02:00:00:00:00:02"}})";
  CHECK(parse_bridge_conf(json("{" + cni + "}"), args)->mac == mac("02:00:00:00:00:02"));
  CHECK(parse_bridge_conf(json("{" + cni + R"(,"runtimeConfig":{"mac":"02:00:00:00:00:03"}})"), args)->mac ==
        mac("02:00:00:00:00:03"));
}

TEST_CASE("range sets: runtimeConfig first, then the single range, then ranges", "[flannel]") {
  const auto conf = parse_host_local_conf(
      json(R"({"cniVersion":"1.0.0","runtimeConfig":{"ipRanges":[[{"subnet":"10.3.0.0/24"}]]},
               "ipam":{"type":"host-local","dataDir":"/d","resolvConf":"/etc/resolv.conf",
                       "subnet":"10.1.0.0/24","rangeStart":"10.1.0.10","rangeEnd":"10.1.0.20","gateway":"10.1.0.254",
                       "ranges":[[{"subnet":"10.2.0.0/30"},{"subnet":"10.4.0.0/24"}],[{"subnet":"2001:db8::/126"}]],
                       "routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.254","mtu":1400,"priority":5,"table":100,"scope":253}]}})"),
      {}, {});
  REQUIRE(conf.has_value());
  CHECK(conf->ipam.data_dir == "/d");
  CHECK(conf->resolv_conf == std::filesystem::path("/etc/resolv.conf"));
  const auto& sets = conf->ipam.range_sets;
  REQUIRE(sets.size() == 4);
  CHECK(sets[0][0].subnet == cidr("10.3.0.0/24"));
  CHECK(sets[1][0].first == ip("10.1.0.10"));
  CHECK(sets[1][0].last == ip("10.1.0.20"));
  CHECK(sets[1][0].gateway == ip("10.1.0.254"));
  REQUIRE(sets[2].size() == 2);
  CHECK(sets[2][0].first == ip("10.2.0.1"));
  CHECK(sets[2][0].last == ip("10.2.0.2"));
  CHECK(sets[3][0].first == ip("2001:db8::1"));
  CHECK(sets[3][0].last == ip("2001:db8::3"));
  CHECK(sets[3][0].gateway == ip("2001:db8::1"));
  REQUIRE(conf->routes.size() == 1);
  CHECK(conf->routes[0].gw == ip("10.1.0.254"));
  CHECK(conf->routes[0].table == 100U);
  CHECK(conf->routes[0].scope == std::uint8_t{253});
}

TEST_CASE("requested addresses come from CNI_ARGS, args.cni and runtimeConfig, each once", "[flannel]") {
  cni::CniArgs args;
  args.ip = ip("10.1.0.5");
  const auto conf = parse_host_local_conf(
      json(R"({"args":{"cni":{"ips":["10.1.0.6/24","10.1.0.5"]}},"runtimeConfig":{"ips":["2001:db8::7/64"]},
               "ipam":{"ranges":[[{"subnet":"10.1.0.0/24"}]]}})"),
      args, {});
  REQUIRE(conf.has_value());
  CHECK(conf->requested == std::vector{ip("10.1.0.5"), ip("10.1.0.6"), ip("2001:db8::7")});
}

TEST_CASE("our own options reach the address manager", "[flannel]") {
  OwnConf own;
  own.state_dir = "/s";
  own.results_dir = "/r";
  own.reserved = {cidr("10.1.0.9/32")};
  own.binding_ttl = std::chrono::seconds(60);
  const auto conf = parse_host_local_conf(json(R"({"ipam":{"subnet":"10.1.0.0/24"}})"), {}, own);
  REQUIRE(conf.has_value());
  CHECK(conf->ipam.state_dir == "/s");
  CHECK(conf->ipam.results_dir == "/r");
  CHECK(conf->ipam.reserved == own.reserved);
  CHECK(conf->ipam.binding_ttl == own.binding_ttl);
}

TEST_CASE("two sets of a family are one address too many before 0.3.0", "[flannel]") {
  const std::string ranges = R"("ipam":{"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"10.2.0.0/24"}]]}})";
  CHECK(parse_host_local_conf(json(R"({"cniVersion":"0.3.0",)" + ranges), {}, {}).has_value());
  const auto old = parse_host_local_conf(json(R"({"cniVersion":"0.2.0",)" + ranges), {}, {});
  REQUIRE_FALSE(old.has_value());
  CHECK(old.error().msg ==
        "ipam.ranges[1]: CNI version 0.2.0 does not support more than 1 address per family");
  CHECK(parse_host_local_conf(
            json(R"({"ipam":{"ranges":[[{"subnet":"10.1.0.0/24"}],[{"subnet":"2001:db8::/64"}]]}})"), {}, {})
            .has_value());
}

TEST_CASE("dns counts when it sets something, if only an empty list", "[flannel]") {
  struct Case {
    const char* conf;
    std::optional<cni::Dns> dns;
  };
  const Case cases[] = {
      {"{}", std::nullopt},
      {R"({"dns":null})", std::nullopt},
      {R"({"dns":{}})", std::nullopt},
      {R"({"dns":{"domain":"","search":null}})", std::nullopt},
      {R"({"dns":{"nameservers":[]}})", cni::Dns{}},
      {R"({"dns":{"options":[]}})", cni::Dns{}},
      {R"({"DNS":{"domain":"a.b"}})", cni::Dns{{}, "a.b", {}, {}}},
      {R"({"dns":{"search":["a","b"],"options":["ndots:5"]}})", cni::Dns{{}, "", {"a", "b"}, {"ndots:5"}}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.conf) {
      const auto conf = parse_bridge_conf(cni::parse_document(c.conf, "test").value(), {});
      REQUIRE(conf.has_value());
      CHECK(conf->dns == c.dns);
    }
  }
}

TEST_CASE("resolv.conf gives dns", "[flannel]") {
  const cni::Dns dns = parse_resolv_conf(
      "# comment\nnameserver 10.0.0.10\r\n nameserver\t2001:db8::1 \nsearch old\ndomain cluster.local\n"
      "search a.b  c\noptions ndots:5\noptions edns0 trust-ad\nsortlist 1.2.3.4\nnameserver\n;x y");
  CHECK(dns ==
        cni::Dns{
            {"10.0.0.10", "2001:db8::1"}, "cluster.local", {"a.b", "c"}, {"ndots:5", "edns0", "trust-ad"}});
  CHECK(parse_resolv_conf("") == cni::Dns{});
}

}  // namespace
}  // namespace holdfast::flannel
