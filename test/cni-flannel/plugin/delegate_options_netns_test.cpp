// Each option of the delegate, through the real program, as the kernel shows it.
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

json port_of(const json& result) {
  return ip("link show dev " + host_link_of(result)).at(0).at("linkinfo").at("info_slave_data");
}

TEST_CASE_METHOD(PluginHost, "hairpinMode sends a pod's frames back to it, and is off by default",
                 "[options]") {
  for (const bool on : {true, false}) {
    DYNAMIC_SECTION((on ? "on" : "off")) {
      conf["delegate"] = json::object();
      if (on) conf["delegate"]["hairpinMode"] = true;
      CHECK(port_of(add(start_sandbox("c1"))).at("hairpin") == on);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "promiscMode makes the bridge promiscuous, and is off by default", "[options]") {
  for (const bool on : {true, false}) {
    DYNAMIC_SECTION((on ? "on" : "off")) {
      conf["delegate"] = json::object();
      if (on) conf["delegate"]["promiscMode"] = true;
      add(start_sandbox("c1"));
      CHECK(ip("link show dev cni0").at(0).at("promiscuity") == (on ? 1 : 0));
    }
  }
}

TEST_CASE_METHOD(PluginHost, "mtu is that of both ends and of a new bridge", "[options]") {
  conf["delegate"]["mtu"] = 1300;
  const Sandbox pod = start_sandbox("c1");
  const json result = add(pod);
  CHECK(ip_in(pod, "link show dev eth0").at(0).at("mtu") == 1300);
  CHECK(ip("link show dev " + host_link_of(result)).at(0).at("mtu") == 1300);
  CHECK(ip("link show dev cni0").at(0).at("mtu") == 1300);
}

TEST_CASE_METHOD(PluginHost, "bridge names the bridge", "[options]") {
  conf["delegate"]["bridge"] = "br-pods";
  const json result = add(start_sandbox("c1"));
  CHECK(result.at("interfaces").at(0).at("name") == "br-pods");
  CHECK(ip("link show dev " + host_link_of(result)).at(0).at("master") == "br-pods");
  CHECK(addresses_on_host("br-pods") == Texts{"10.244.3.1/24"});
}

TEST_CASE_METHOD(PluginHost, "isGateway false leaves the bridge without address and forwarding as it is",
                 "[options]") {
  output_of("sysctl -w net.ipv4.ip_forward=0");
  conf["delegate"] = {{"isGateway", false}};
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  CHECK(addresses_on_host("cni0").empty());
  CHECK(output_of("sysctl -n net.ipv4.ip_forward") == "0\n");
  CHECK(addresses_in(pod) == Texts{"10.244.3.2/24"});
}

TEST_CASE_METHOD(PluginHost, "isDefaultGateway gives the pod a default route and implies isGateway",
                 "[options]") {
  struct Case {
    json delegate;
    bool has_default_route;
    bool has_gateway;
  };
  const Case cases[] = {{json::object(), false, true},
                        {{{"isDefaultGateway", true}}, true, true},
                        {{{"isDefaultGateway", true}, {"isGateway", false}}, true, true}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.delegate.dump()) {
      conf["delegate"] = c.delegate;
      const Sandbox pod = start_sandbox("c1");
      add(pod);
      CHECK(ip_in(pod, "route show default").empty() != c.has_default_route);
      CHECK(addresses_on_host("cni0").empty() != c.has_gateway);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "forceAddress replaces the bridge's foreign address, without it ADD is refused",
                 "[options]") {
  write_lease(kLeaseDual);
  output_of("ip link add cni0 type bridge && ip address add 10.244.9.1/24 dev cni0");
  const Sandbox pod = start_sandbox("c1");
  SECTION("without") {
    const json error = refused(call("ADD", pod));
    CHECK(error.at("code") == 106);
    CHECK_THAT(
        error.at("msg").get<std::string>(),
        Catch::Contains("\"cni0\" already has an IP address different from 10.244.3.1/24: 10.244.9.1/24"));
    CHECK(addresses_on_host("cni0") == Texts{"10.244.9.1/24"});
  }
  SECTION("with") {
    conf["delegate"]["forceAddress"] = true;
    add(pod);
    CHECK(addresses_on_host("cni0") == Texts{"10.244.3.1/24", "fd00:0:0:3::1/64"});
  }
  SECTION("a foreign IPv6 address is in nobody's way") {
    output_of("ip address flush dev cni0 && ip address add fd99::1/64 dev cni0");
    add(pod);
    CHECK_THAT(addresses_on_host("cni0"),
               Catch::UnorderedEquals(Texts{"10.244.3.1/24", "fd00:0:0:3::1/64", "fd99::1/64"}));
  }
}

TEST_CASE_METHOD(PluginHost, "macspoofchk drops what the pod sends under another MAC", "[options]") {
  conf["delegate"]["macspoofchk"] = true;
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  CHECK(can_ping(pod, "10.244.3.1"));
  output_of("ip -n c1 link set eth0 address 02:00:00:00:00:07");
  CHECK_FALSE(can_ping(pod, "10.244.3.1"));
}

TEST_CASE_METHOD(PluginHost, "portIsolation keeps pods from each other and not from the node", "[options]") {
  for (const bool on : {true, false}) {
    DYNAMIC_SECTION((on ? "on" : "off")) {
      conf["delegate"]["portIsolation"] = on;
      const Sandbox one = start_sandbox("c1", "one");
      CHECK(port_of(add(one)).at("isolated") == on);
      add(start_sandbox("c2", "two"));
      CHECK(can_ping(one, "10.244.3.3") != on);
      CHECK(can_ping(one, "10.244.3.1"));
    }
  }
}

TEST_CASE_METHOD(PluginHost, "ipMasq masquerades what the pod sends elsewhere", "[options]") {
  struct Case {
    const char* name;
    json delegate;
    std::string_view flanneld_does;
    bool masquerades;
  };
  const Case cases[] = {{"asked for", {{"ipMasq", true}}, "true", true},
                        {"flanneld does not, so that is the default", json::object(), "false", true},
                        {"flanneld does", json::object(), "true", false},
                        {"not wanted, and flanneld does not", {{"ipMasq", false}}, "false", false}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      conf["delegate"] = c.delegate;
      write_lease(
          "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=" +
          std::string(c.flanneld_does) + "\n");
      const Sandbox pod = start_sandbox("c1");
      add(pod);
      const std::string wanted = "ip saddr 10.244.3.2 ip daddr != 10.244.3.0/24 masquerade";
      CHECK((rules().find(wanted) != std::string::npos) == c.masquerades);
      succeed(call("DEL", pod));
      CHECK(rules().find(wanted) == std::string::npos);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "ipMasqBackend iptables makes upstream's chain, and DEL removes it",
                 "[options]") {
  conf["delegate"]["ipMasq"] = true;
  conf["delegate"]["ipMasqBackend"] = "iptables";
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  const std::string made = output_of("iptables-save -t nat");
  CHECK_THAT(made, Catch::Contains("-A POSTROUTING -s 10.244.3.2/32") &&
                       Catch::Contains("-d 10.244.3.0/24") && Catch::Contains("! -d 224.0.0.0/4") &&
                       Catch::Contains(R"(name: \"cbr0\" id: \"c1\")"));
  succeed(call("DEL", pod));
  CHECK_THAT(output_of("iptables-save -t nat"), !Catch::Contains("c1") && !Catch::Contains(":CNI-"));
}

TEST_CASE_METHOD(PluginHost, "enabledad waits for duplicate address detection, and is refused a duplicate",
                 "[options]") {
  write_lease(kLeaseV6);
  conf["delegate"]["enabledad"] = true;
  const Sandbox pod = start_sandbox("c1", "one");
  add(pod);
  CHECK_THAT(output_of("ip -n c1 -6 address show dev eth0 scope global"),
             !Catch::Contains("tentative") && !Catch::Contains("nodad"));
  output_of("ip -n c1 address add fd00:0:0:3::3/64 dev eth0 nodad");
  const Holdings held = holdings();
  const Sandbox second = start_sandbox("c2", "two");
  const json error = refused(call("ADD", second));
  CHECK(error.at("code") == 106);
  CHECK_THAT(error.at("msg").get<std::string>(),
             Catch::Contains("fd00:0:0:3::3/64 is used by another host on this network"));
  CHECK(holdings() == held);
}

TEST_CASE_METHOD(PluginHost, "an option that cannot be honoured is refused by its name, and nothing is made",
                 "[options]") {
  struct Case {
    json delegate;
    const char* message;
  };
  const Case cases[] = {
      {{{"disableContainerInterface", true}},
       "ipam.type: 'host-local' cannot be used with delegate.disableContainerInterface"},
      {{{"hairpinMode", true}, {"promiscMode", true}}, "promiscMode"},
      {{{"mtu", 67}}, "delegate.mtu: '67' is not 0 or 68..65535"},
      {{{"bridge", "a-name-that-is-too-long"}},
       "delegate.bridge: 'a-name-that-is-too-long' is longer than 15 bytes"},
      {{{"vlan", 4095}}, "vlan"},
      {{{"ipMasqBackend", "ipfw"}}, "delegate.ipMasqBackend: 'ipfw' is neither 'iptables' nor 'nftables'"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.delegate.dump()) {
      conf["delegate"] = c.delegate;
      const json error = refused(call("ADD", start_sandbox("c1")));
      CHECK(error.at("code") == 7);
      CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains(c.message));
      CHECK(holdings().empty());
      CHECK(ip("link show").size() == 1);
    }
  }
}

}  // namespace
}  // namespace holdfast::test
