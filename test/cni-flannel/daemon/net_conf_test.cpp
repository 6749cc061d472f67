#include "cni-flannel/daemon/net_conf.h"

#include <string>

#include "test/catch.h"

namespace holdfast::flannel {
namespace {

constexpr const char* kVxlan = R"("Backend":{"Type":"vxlan"})";

Result<NetConf> parse_with(const std::string& members) {
  return parse_net_conf("{" + members + (members.empty() ? "" : ",") + kVxlan + "}");
}

TEST_CASE("The shortest net-conf.json gets upstream's defaults", "[flanneld]") {
  const auto conf = parse_net_conf(R"({"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}})");
  REQUIRE(conf.has_value());
  CHECK_FALSE(conf->nftables);
  REQUIRE(conf->ipv4.has_value());
  CHECK(conf->ipv4->network.to_string() == "10.244.0.0/16");
  CHECK_FALSE(conf->ipv6.has_value());
  CHECK(conf->vxlan.vni == 1);
  CHECK(conf->vxlan.port == 8472);
  CHECK(conf->vxlan.mtu == 0);
  CHECK_FALSE(conf->vxlan.gbp);
  CHECK_FALSE(conf->vxlan.learning);
  CHECK_FALSE(conf->vxlan.direct_routing);
}

TEST_CASE("Every key of net-conf.json is read, in any case, and what Windows needs is skipped",
          "[flanneld]") {
  const auto conf = parse_net_conf(R"({
    "enableipv4": true, "EnableIPv6": true, "EnableNFTables": true, "Unknown": {"a": [1]},
    "network": "10.244.7.1/16", "SubnetLen": 26, "SubnetMin": "10.244.1.0", "SubnetMax": "10.244.9.0",
    "IPv6Network": "2001:db8::/48", "IPv6SubnetLen": 65, "IPv6SubnetMin": "2001:db8:0:1::",
    "IPv6SubnetMax": "2001:db8:0:9::",
    "Backend": {"Type": "vxlan", "vni": 7, "Port": 4789, "MTU": 1400, "gbp": true, "Learning": true,
                "DirectRouting": true, "MacPrefix": "0E-2A", "Name": "flannel"}})");
  REQUIRE(conf.has_value());
  CHECK(conf->nftables);
  CHECK(conf->ipv4->network.to_string() == "10.244.0.0/16");
  CHECK(conf->ipv4->subnet_len == 26U);
  CHECK(conf->ipv4->subnet_min->to_string() == "10.244.1.0");
  CHECK(conf->ipv4->subnet_max->to_string() == "10.244.9.0");
  CHECK(conf->ipv6->network.to_string() == "2001:db8::/48");
  CHECK(conf->ipv6->subnet_len == 65U);
  CHECK(conf->ipv6->subnet_min->to_string() == "2001:db8:0:1::");
  CHECK(conf->ipv6->subnet_max->to_string() == "2001:db8:0:9::");
  CHECK(conf->vxlan.vni == 7);
  CHECK(conf->vxlan.port == 4789);
  CHECK(conf->vxlan.mtu == 1400);
  CHECK(conf->vxlan.gbp);
  CHECK(conf->vxlan.learning);
  CHECK(conf->vxlan.direct_routing);
}

TEST_CASE("IPv6 alone needs no IPv4 network", "[flanneld]") {
  const auto conf = parse_with(R"("EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48")");
  REQUIRE(conf.has_value());
  CHECK_FALSE(conf->ipv4.has_value());
  CHECK(conf->ipv6->network.to_string() == "fd00::/48");
}

TEST_CASE("net-conf.json is refused with the key, the value and the reason", "[flanneld]") {
  struct Case {
    const char* name;
    std::string text;
    Code code;
    const char* message;
  };
  const std::string net = R"("Network":"10.244.0.0/16",)";
  const Case cases[] = {
      {"no JSON", "nonsense", Code::kInvalidArgument, "line 1, column 2"},
      {"no network", "{" + std::string(kVxlan) + "}", Code::kInvalidArgument, "Network: is missing"},
      {"network of the wrong family", R"({"Network":"fd00::/48","Backend":{"Type":"vxlan"}})",
       Code::kInvalidArgument, "Network: 'fd00::/48' is not an IPv4 network"},
      {"network that is none", R"({"Network":"10.244/16","Backend":{"Type":"vxlan"}})",
       Code::kInvalidArgument, "Network: '10.244/16' is not a CIDR"},
      {"null", "null", Code::kInvalidArgument, "the text is null, not an object"},
      {"loopback", R"({"Network":"127.0.0.0/8","Backend":{"Type":"vxlan"}})", Code::kInvalidArgument,
       "Network: '127.0.0.0/8' is of loopback, multicast or other special addresses"},
      {"multicast", R"({"Network":"224.1.0.0/16","Backend":{"Type":"vxlan"}})", Code::kInvalidArgument,
       "Network: '224.1.0.0/16' is of loopback, multicast or other special addresses"},
      {"IPv6 without network", "{" + net + R"("EnableIPv6":true,)" + kVxlan + "}", Code::kInvalidArgument,
       "IPv6Network: is missing"},
      {"no family", std::string(R"({"EnableIPv4":false,)") + kVxlan + "}", Code::kInvalidArgument,
       "EnableIPv4 and EnableIPv6 are both false: at least one is needed"},
      {"no backend", R"({"Network":"10.244.0.0/16"})", Code::kUnimplemented,
       R"(Backend: is missing, which stands for 'udp', and only vxlan is served; write "Backend": {"Type": "vxlan"})"},
      {"backend without type", "{" + net + R"("Backend":{}})", Code::kUnimplemented,
       "Backend.Type: '' is not served; use 'vxlan'"},
      {"another backend", "{" + net + R"("Backend":{"Type":"host-gw"}})", Code::kUnimplemented,
       "Backend.Type: 'host-gw' is not served; use 'vxlan'"},
      {"VNI of 25 bits", "{" + net + R"("Backend":{"Type":"vxlan","VNI":16777216}})", Code::kInvalidArgument,
       "Backend.VNI: '16777216' is not in 1..16777215"},
      {"port beyond UDP's", "{" + net + R"("Backend":{"Type":"vxlan","Port":65536}})", Code::kInvalidArgument,
       "Backend.Port: '65536' is not in 0..65535"},
      {"subnet bound of the other family", "{" + net + R"("SubnetMin":"fd00::",)" + kVxlan + "}",
       Code::kInvalidArgument, "SubnetMin: 'fd00::' is not an IPv4 address"},
      {"a text for a truth", "{" + net + R"("EnableNFTables":"true",)" + kVxlan + "}", Code::kInvalidArgument,
       "EnableNFTables"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto conf = parse_net_conf(c.text);
      REQUIRE_FALSE(conf.has_value());
      CHECK(conf.error().code == c.code);
      CHECK_THAT(conf.error().message, Catch::Contains(c.message));
    }
  }
}

TEST_CASE("A pool is cut by upstream's defaults", "[flanneld]") {
  struct Case {
    const char* network;
    unsigned len;
    const char* first;
    const char* last;
  };
  const Case cases[] = {
      {"10.244.0.0/16", 24, "10.244.1.0", "10.244.255.0"},
      {"10.244.0.0/22", 24, "10.244.1.0", "10.244.3.0"},
      {"10.244.0.0/23", 25, "10.244.0.128", "10.244.1.128"},
      {"10.244.0.0/28", 30, "10.244.0.4", "10.244.0.12"},
      {"2001:db8::/48", 64, "2001:db8:0:1::", "2001:db8:0:ffff::"},
      {"2001:db8::/63", 65, "2001:db8:0:0:8000::", "2001:db8:0:1:8000::"},
      {"2001:db8::/124", 126, "2001:db8::4", "2001:db8::c"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.network) {
      const auto plan = subnet_plan({Cidr::parse(c.network).value(), {}, {}, {}});
      REQUIRE(plan.has_value());
      CHECK(plan->subnet_len == c.len);
      CHECK(plan->first == IpAddress::parse(c.first).value());
      CHECK(plan->last == IpAddress::parse(c.last).value());
    }
  }
}

TEST_CASE("A pool that cannot be cut as told is refused", "[flanneld]") {
  struct Case {
    const char* name;
    const char* network;
    std::optional<unsigned> len;
    const char* min;
    const char* max;
    const char* message;
  };
  const Case cases[] = {
      {"too small",
       "10.0.0.0/29",
       {},
       nullptr,
       nullptr,
       "Network: '10.0.0.0/29' is too small, the longest prefix is /28"},
      {"too small, IPv6",
       "fd00::/125",
       {},
       nullptr,
       nullptr,
       "IPv6Network: 'fd00::/125' is too small, the longest prefix is /124"},
      {"one bit only", "10.0.0.0/16", 17U, nullptr, nullptr, "SubnetLen: '17' is not in 18..30"},
      {"too long", "10.0.0.0/16", 31U, nullptr, nullptr, "SubnetLen: '31' is not in 18..30"},
      {"first outside",
       "10.0.0.0/16",
       {},
       "10.1.0.0",
       nullptr,
       "SubnetMin: '10.1.0.0' is not in 10.0.0.0/16"},
      {"last outside", "10.0.0.0/16", {}, nullptr, "10.1.0.0", "SubnetMax: '10.1.0.0' is not in 10.0.0.0/16"},
      {"unaligned",
       "10.0.0.0/16",
       {},
       "10.0.1.1",
       nullptr,
       "SubnetMin: '10.0.1.1' is not the first address of a /24"},
      {"turned round",
       "10.0.0.0/16",
       {},
       "10.0.9.0",
       "10.0.1.0",
       "SubnetMax: '10.0.1.0' is before SubnetMin '10.0.9.0'"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      AddressPool pool{Cidr::parse(c.network).value(), c.len, {}, {}};
      if (c.min != nullptr) pool.subnet_min = IpAddress::parse(c.min).value();
      if (c.max != nullptr) pool.subnet_max = IpAddress::parse(c.max).value();
      const auto plan = subnet_plan(pool);
      REQUIRE_FALSE(plan.has_value());
      CHECK(plan.error().message == c.message);
    }
  }
}

TEST_CASE("The overlay's MTU is 50 less than the underlay's, and never too small for the family",
          "[flanneld]") {
  auto conf = parse_with(R"("Network":"10.244.0.0/16")").value();
  CHECK(overlay_mtu(conf, 1500).value() == 1450);
  CHECK(overlay_mtu(conf, 118).value() == 68);
  CHECK_FALSE(overlay_mtu(conf, 117).has_value());
  conf.vxlan.mtu = 1400;
  CHECK(overlay_mtu(conf, 9000).value() == 1350);
  CHECK(overlay_mtu(conf, 1300).value() == 1250);  // what is asked for and does not fit is not promised
  conf.ipv6 = AddressPool{};
  conf.vxlan.mtu = 1329;
  CHECK(overlay_mtu(conf, 1500).error().message ==
        "Backend.MTU in net-conf.json, 1329, is too small: 1330 is needed for IPv6 through VXLAN");
}

}  // namespace
}  // namespace holdfast::flannel
