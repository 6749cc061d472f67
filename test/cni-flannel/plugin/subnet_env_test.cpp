#include "cni-flannel/plugin/subnet_env.h"

#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/harness.h"

namespace holdfast::flannel {
namespace {

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

TEST_CASE("the file of a real flanneld is read", "[flannel]") {
  const auto env = parse_subnet_env(test::fixture("cni/flannel/subnet.env"));
  REQUIRE(env.has_value());
  CHECK(env->networks == std::vector{cidr("10.244.0.0/16")});
  CHECK(env->subnet == cidr("10.244.0.1/24"));
  CHECK_FALSE(env->subnet6.has_value());
  CHECK(env->mtu == 1450);
  CHECK(env->masquerade);
}

TEST_CASE("both families, network lists, comments and carriage returns are read", "[flannel]") {
  const auto env = parse_subnet_env(
      "# made by hand\n\nFLANNEL_NETWORK=10.244.0.0/16, 10.245.0.0/16,10.244.1.0/16\r\n"
      "FLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_IPV6_NETWORK=2001:db8::/48\n"
      "FLANNEL_IPV6_SUBNET=2001:db8:0:3::1/"
      "64\nFLANNEL_MTU=1400\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\nX=1=2");
  REQUIRE(env.has_value());
  CHECK(env->networks == std::vector{cidr("10.244.0.0/16"), cidr("10.245.0.0/16"), cidr("2001:db8::/48")});
  CHECK(env->subnet == cidr("10.244.3.1/24"));
  CHECK(env->subnet6 == cidr("2001:db8:0:3::1/64"));
  CHECK(env->mtu == 1450);
  CHECK_FALSE(env->masquerade);
}

TEST_CASE("IPv6 alone is enough, and only exactly true masquerades", "[flannel]") {
  const std::string rest =
      "FLANNEL_IPV6_NETWORK=2001:db8::/48\nFLANNEL_IPV6_SUBNET=2001:db8::1/64\nFLANNEL_MTU=1450\n";
  for (const char* value : {"True", "1", "yes", "true "}) {
    DYNAMIC_SECTION(value) {
      const auto env = parse_subnet_env(rest + "FLANNEL_IPMASQ=" + value + "x\n");
      REQUIRE(env.has_value());
      CHECK_FALSE(env->masquerade);
    }
  }
  CHECK(parse_subnet_env(rest + "FLANNEL_IPMASQ=true\n")->masquerade);
}

TEST_CASE("the smallest subnets and MTUs that can hold a pod are taken", "[flannel]") {
  const std::string v4 = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/30\nFLANNEL_IPMASQ=true\n";
  CHECK(parse_subnet_env(v4 + "FLANNEL_MTU=68\n").has_value());
  const std::string v6 =
      "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00::1/126\nFLANNEL_MTU=1280\n";
  CHECK(parse_subnet_env(v4 + v6).has_value());
}

TEST_CASE("a subnet.env that the plugin could not use is refused", "[flannel]") {
  const std::string good = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\n";
  struct Case {
    const char* name;
    std::string text;
    const char* error;
  };
  const Case cases[] = {
      {"empty file", "",
       "FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET, FLANNEL_MTU, "
       "FLANNEL_IPMASQ is missing"},
      {"torn after the subnet", good, "FLANNEL_MTU, FLANNEL_IPMASQ is missing"},
      {"value missing", good + "FLANNEL_MTU=\nFLANNEL_IPMASQ=true\n", "FLANNEL_MTU is missing"},
      {"mtu below the IPv4 minimum", good + "FLANNEL_MTU=67\nFLANNEL_IPMASQ=true\n",
       "FLANNEL_MTU must be 68..65535, is '67'"},
      {"mtu above what IP can say", good + "FLANNEL_MTU=65536\nFLANNEL_IPMASQ=true\n",
       "FLANNEL_MTU must be 68..65535, is '65536'"},
      {"mtu with a unit", good + "FLANNEL_MTU=1450b\nFLANNEL_IPMASQ=true\n",
       "FLANNEL_MTU must be 68..65535, is '1450b'"},
      {"mtu below the IPv6 minimum",
       good + "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00::1/64\nFLANNEL_MTU=1279\n"
              "FLANNEL_IPMASQ=true\n",
       "FLANNEL_MTU must be 1280..65535 for IPv6, is '1279'"},
      {"IPv4 subnet without room",
       "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/31\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
       "FLANNEL_SUBNET has no room for a gateway and a pod: '10.244.3.1/31'"},
      {"IPv6 subnet without room",
       good + "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00::1/128\nFLANNEL_MTU=1450\n"
              "FLANNEL_IPMASQ=true\n",
       "FLANNEL_IPV6_SUBNET has no room for a gateway and a pod: 'fd00::1/128'"},
      {"torn line", "FLANNEL_NETWORK\n", "line 1 has no '=': 'FLANNEL_NETWORK'"},
      {"bad network",
       "FLANNEL_NETWORK=10.244.0.0/16,x\nFLANNEL_SUBNET=10.244.3.1/"
       "24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
       "FLANNEL_NETWORK: 'x' is not a CIDR"},
      {"family mixed up",
       "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=2001:db8::1/"
       "64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
       "FLANNEL_SUBNET must be IPv4, is '2001:db8::1/64'"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto env = parse_subnet_env(c.text);
      REQUIRE_FALSE(env.has_value());
      CHECK(env.error().code == Code::kInvalidArgument);
      CHECK(env.error().message == c.error);
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel
