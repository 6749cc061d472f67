// A pod's life through the real program, as a runtime sees it and as the kernel shows it.
#include <algorithm>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

/// What the first pod of a node is to have.
struct Family {
  const char* name;
  std::string_view lease;
  Texts addresses;
  Texts gateways;
  Texts routes;  ///< "dst via gateway"
  const char* pod_mac;
  const char* bridge_mac;
};

const Family kFamilies[] = {
    {"IPv4",
     kLeaseV4,
     {"10.244.3.2/24"},
     {"10.244.3.1/24"},
     {"default via 10.244.3.1", "10.244.0.0/16 via 10.244.3.1"},
     "0a:58:0a:f4:03:02",
     "0a:58:0a:f4:03:01"},
    {"IPv6",
     kLeaseV6,
     {"fd00:0:0:3::2/64"},
     {"fd00:0:0:3::1/64"},
     {"default via fd00:0:0:3::1", "fd00::/48 via fd00:0:0:3::1"},
     "0a:5a:00:00:00:02",
     "0a:5a:00:00:00:01"},
    {"dual stack",
     kLeaseDual,
     {"10.244.3.2/24", "fd00:0:0:3::2/64"},
     {"10.244.3.1/24", "fd00:0:0:3::1/64"},
     {"default via 10.244.3.1", "10.244.0.0/16 via 10.244.3.1", "default via fd00:0:0:3::1",
      "fd00::/48 via fd00:0:0:3::1"},
     "0a:58:0a:f4:03:02",
     "0a:58:0a:f4:03:01"},
};

/// Those with a gateway, "default via 10.244.3.1".
Texts routes_in(const Sandbox& sandbox) {
  Texts found;
  for (const char* family : {"-4", "-6"}) {
    for (const json& route : ip_in(sandbox, std::string(family) + " route show")) {
      if (!route.contains("gateway")) continue;
      found.push_back(route.at("dst").get<std::string>() + " via " + route.at("gateway").get<std::string>());
    }
  }
  return found;
}

TEST_CASE_METHOD(PluginHost, "ADD gives the pod its addresses and routes, and the bridge the gateway's",
                 "[verbs]") {
  for (const Family& family : kFamilies) {
    DYNAMIC_SECTION(family.name) {
      write_lease(family.lease);
      const Sandbox pod = start_sandbox("c1");
      const json result = add(pod);
      CHECK(addresses_of(result) == family.addresses);
      CHECK(addresses_in(pod) == family.addresses);
      CHECK_THAT(routes_in(pod), Catch::UnorderedEquals(family.routes));
      CHECK(addresses_on_host("cni0") == family.gateways);
      const json eth0 = ip_in(pod, "link show dev eth0").at(0);
      CHECK(eth0.at("mtu") == 1450);
      CHECK(eth0.at("operstate") == "UP");
    }
  }
}

TEST_CASE_METHOD(PluginHost, "the MACs of pod and bridge follow from their first address", "[verbs]") {
  for (const Family& family : kFamilies) {
    DYNAMIC_SECTION(family.name) {
      write_lease(family.lease);
      const Sandbox pod = start_sandbox("c1");
      const json result = add(pod);
      CHECK(mac_in(pod) == family.pod_mac);
      CHECK(pod_interface_of(result).at("mac") == family.pod_mac);
      CHECK(ip("link show dev cni0").at(0).at("address") == family.bridge_mac);
      CHECK(result.at("interfaces").at(0).at("mac") == family.bridge_mac);
    }
  }
}

TEST_CASE_METHOD(PluginHost, "the bridge keeps its MAC when a port with a lower one joins it", "[verbs]") {
  add(start_sandbox("c1"));
  output_of("ip link add low address 02:00:00:00:00:01 type veth && ip link set low master cni0 up");
  CHECK(ip("link show dev cni0").at(0).at("address") == "0a:58:0a:f4:03:01");
}

TEST_CASE_METHOD(PluginHost, "pods, and the node, reach each other", "[verbs]") {
  for (const Family& family : kFamilies) {
    DYNAMIC_SECTION(family.name) {
      write_lease(family.lease);
      const Sandbox one = start_sandbox("c1", "one");
      const Sandbox two = start_sandbox("c2", "two");
      add(one);
      for (const std::string& address : addresses_of(add(two))) CHECK(can_ping(one, address));
      for (const std::string& gateway : family.gateways) CHECK(can_ping(one, gateway));
    }
  }
}

TEST_CASE_METHOD(PluginHost, "a pod's life of every verb succeeds and leaves nothing", "[verbs]") {
  for (const Family& family : kFamilies) {
    DYNAMIC_SECTION(family.name) {
      write_lease(family.lease);
      const Sandbox pod = start_sandbox("c1");
      succeed(network_call("STATUS"));
      const json result = add(pod);
      CHECK(holdings().host_links == std::set{host_link_of(result)});
      CHECK(holdings().addresses.size() == family.addresses.size());
      CHECK(holdings().confs == std::set<std::string>{"c1"});
      succeed(check_call(pod, result));
      succeed(gc_call({pod}));
      succeed(check_call(pod, result));
      succeed(call("DEL", pod));
      CHECK(holdings().empty());
      CHECK(rules().empty());
      CHECK(ip_in(pod, "link show").size() == 1);
      succeed(gc_call({}));
      succeed(network_call("STATUS"));
    }
  }
}

TEST_CASE_METHOD(PluginHost, "ADD turns on forwarding for the families that it serves", "[verbs]") {
  write_lease(kLeaseDual);
  output_of("sysctl -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
  add(start_sandbox("c1"));
  CHECK(output_of("sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding") == "1\n1\n");
  CHECK(output_of("sysctl -n net.ipv6.conf.cni0.accept_ra") == "0\n");
}

TEST_CASE_METHOD(PluginHost, "ADD does not cost the host its router that advertises itself", "[verbs]") {
  write_lease(kLeaseDual);
  output_of(
      "sysctl -qw net.ipv6.conf.all.forwarding=0 && ip link add up0 type veth peer router0 && ip link set "
      "router0 up && ip link set up0 up && "
      "sysctl -qw net.ipv6.conf.up0.accept_ra=1 && ip -6 route add default via fe80::1 dev up0 proto ra");
  add(start_sandbox("c1"));
  CHECK(output_of("sysctl -n net.ipv6.conf.all.forwarding net.ipv6.conf.up0.accept_ra") == "1\n2\n");
}

TEST_CASE_METHOD(PluginHost, "no IPv6 address of ours waits for duplicate address detection", "[verbs]") {
  write_lease(kLeaseDual);
  const Sandbox pod = start_sandbox("c1");
  add(pod);
  for (const std::string& shown :
       {output_of("ip -n c1 -6 address show dev eth0"), output_of("ip -6 address show dev cni0")}) {
    const auto ours = shown.find("fd00:");
    REQUIRE(ours != std::string::npos);
    CHECK_THAT(shown.substr(ours, shown.find('\n', ours) - ours),
               Catch::Contains("nodad") && !Catch::Contains("tentative"));
  }
}

TEST_CASE_METHOD(PluginHost, "the program tells its versions, and introduces itself without a command",
                 "[verbs]") {
  const auto version = run_plugin(network_call("VERSION"));
  REQUIRE(version.has_value());
  CHECK(version->exit_code == 0);
  CHECK(json::parse(version->out) == json::parse(R"({"cniVersion":"1.1.0","supportedVersions":
                        ["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]})"));
  const auto about = run_plugin(network_call(""));
  REQUIRE(about.has_value());
  CHECK(about->exit_code == 0);
  CHECK(about->out.empty());
  CHECK_THAT(about->err, Catch::Contains("flannel") && Catch::Contains("1.1.0"));
}

}  // namespace
}  // namespace holdfast::test
