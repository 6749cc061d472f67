// STATUS through the real program: 50 when no pod can be added, 51 when the overlay is down as well.
#include <filesystem>
#include <string>

#include "test/catch.h"
#include "test/cni-flannel/plugin/plugin_host.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

/// What keeps the node from taking another pod.
struct Obstacle {
  const char* name;
  void (*put)(PluginHost& node);
  const char* message;
};

const Obstacle kObstacles[] = {
    {"subnet.env is missing", [](PluginHost&) { std::filesystem::remove("/run/flannel/subnet.env"); },
     "/run/flannel/subnet.env is missing"},
    {"subnet.env is empty", [](PluginHost&) { PluginHost::write_lease(""); }, "/run/flannel/subnet.env"},
    {"subnet.env is torn", [](PluginHost&) { PluginHost::write_lease(kLeaseV4.substr(0, 60)); },
     "/run/flannel/subnet.env: line 3 has no '='"},
    {"the subnet holds no pod",
     [](PluginHost&) {
       PluginHost::write_lease(
           "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/31\nFLANNEL_MTU=1450\n"
           "FLANNEL_IPMASQ=true\n");
     },
     "/run/flannel/subnet.env: FLANNEL_SUBNET has no room"},
    {"the MTU is too small for IPv6",
     [](PluginHost&) {
       PluginHost::write_lease(
           "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:3::1/64\nFLANNEL_MTU=1000\n"
           "FLANNEL_IPMASQ=true\n");
     },
     "/run/flannel/subnet.env: FLANNEL_MTU must be 1280..65535 for IPv6"},
    {"the bridge has an address of another subnet",
     [](PluginHost&) {
       output_of(
           "ip link add cni0 type bridge && ip address add 10.244.9.1/24 dev cni0 && ip link set cni0 up");
     },
     "\"cni0\" has address 10.244.9.1/24, which is not in this node's subnet"},
    {"the pool is exhausted",
     [](PluginHost& node) {
       PluginHost::write_lease(kLeaseOfOne);
       node.add(PluginHost::start_sandbox("c1"));
     },
     "no address is left in network cbr0"},
};

TEST_CASE_METHOD(PluginHost, "STATUS is 50 when no pod can be added, 51 when the overlay is down as well",
                 "[status]") {
  for (const Obstacle& obstacle : kObstacles) {
    for (const bool overlay_is_up : {true, false}) {
      DYNAMIC_SECTION(obstacle.name << (overlay_is_up ? "" : ", no overlay")) {
        if (overlay_is_up) {
          output_of("ip link add flannel.1 type vxlan id 1 dstport 8472 && ip link set flannel.1 up");
        }
        obstacle.put(*this);
        const json error = refused(network_call("STATUS"));
        CHECK(error.at("code") == (overlay_is_up ? 50 : 51));
        CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains(obstacle.message));
      }
    }
  }
}

TEST_CASE_METHOD(PluginHost, "STATUS succeeds while a pod can be added, and changes nothing", "[status]") {
  SECTION("on a node without any state") {}
  SECTION("with one address left") {
    write_lease(
        "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/29\nFLANNEL_MTU=1450\n"
        "FLANNEL_IPMASQ=true\n");
    for (const std::string pod : {"a", "b", "c", "d"}) add(start_sandbox(pod, pod));
  }
  SECTION("when all addresses belong to absent pods, for a new pod takes one") {
    write_lease(kLeaseOfOne);
    const Sandbox pod = start_sandbox("c1");
    add(pod);
    succeed(call("DEL", pod));
  }
  SECTION("when the bridge has no address yet") { output_of("ip link add cni0 type bridge"); }
  const Holdings held = holdings();
  succeed(network_call("STATUS"));
  CHECK(holdings() == held);
}

TEST_CASE_METHOD(PluginHost, "a configuration that is wrong is so in STATUS too: code 7", "[status]") {
  conf["delegate"]["mtu"] = "many";
  CHECK(refused(network_call("STATUS")).at("code") == 7);
}

TEST_CASE_METHOD(PluginHost, "an ADD before flanneld has written its lease is to be tried later: code 11",
                 "[status]") {
  std::filesystem::remove("/run/flannel/subnet.env");
  const Sandbox pod = start_sandbox("c1");
  const json error = refused(call("ADD", pod));
  CHECK(error.at("code") == 11);
  CHECK_THAT(error.at("msg").get<std::string>(), Catch::Contains("/run/flannel/subnet.env is missing"));
  CHECK(holdings().empty());
  write_lease(kLeaseV4);
  add(pod);
}

}  // namespace
}  // namespace holdfast::test
