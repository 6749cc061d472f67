#include <cerrno>
#include <vector>

#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

// Needs a kernel with CONFIG_BRIDGE_VLAN_FILTERING: run in a guest.
namespace holdfast::nl {
namespace {

struct FilteringBridge : test::RouteKernel {
  FilteringBridge() {
    BridgeSpec spec;
    spec.name = "cni0";
    spec.vlan_filtering = true;
    bridge = create_bridge(socket, spec).value();
    VethSpec veth;
    veth.name = "veth0";
    veth.peer_name = "veth1";
    veth.master = bridge.index;
    port = create_veth(socket, veth)->index;
  }
  std::vector<BridgeVlan> vlans(int index) { return list_bridge_vlans(socket, index).value(); }
  Link bridge;
  int port = 0;
};

const BridgeVlan kDefault{1, 1, true, true};

TEST_CASE_METHOD(FilteringBridge, "VLAN filtering is on from the start and can be switched", "[netlink]") {
  CHECK(bridge.vlan_filtering == true);
  for (const bool on : {false, true}) {
    REQUIRE(socket.run(set_vlan_filtering(bridge.index, on)).has_value());
    CHECK(find_link(socket, bridge.index).value()->vlan_filtering == on);
  }
}

TEST_CASE_METHOD(FilteringBridge, "A port's own VLAN takes the place of the default one", "[netlink]") {
  CHECK(vlans(port) == std::vector{kDefault});
  const BridgeVlan own{100, 100, true, true};
  Request requests[] = {put_bridge_vlan(port, own), drop_bridge_vlan(port, kDefault)};
  REQUIRE(socket.run_whole(requests).has_value());
  CHECK(vlans(port) == std::vector{own});
  CHECK(vlans(bridge.index) == std::vector{kDefault});
}

TEST_CASE_METHOD(FilteringBridge, "A trunk is a range of tagged VLANs, put and dropped as one", "[netlink]") {
  const BridgeVlan trunk{200, 299, false, false};
  REQUIRE(socket.run(put_bridge_vlan(port, trunk)).has_value());
  CHECK(vlans(port) == std::vector{kDefault, trunk});
  REQUIRE(socket.run(put_bridge_vlan(port, trunk)).has_value());
  REQUIRE(socket.run(drop_bridge_vlan(port, trunk)).has_value());
  CHECK(vlans(port) == std::vector{kDefault});
  CHECK(socket.run(drop_bridge_vlan(port, trunk)).has_value());
}

TEST_CASE_METHOD(FilteringBridge, "The bridge itself takes part in a VLAN", "[netlink]") {
  const BridgeVlan own{100, 100, false, false};
  REQUIRE(socket.run(put_bridge_vlan(bridge.index, own, VlanTarget::kBridgeItself)).has_value());
  CHECK(vlans(bridge.index) == std::vector{kDefault, own});
  REQUIRE(socket.run(drop_bridge_vlan(bridge.index, own, VlanTarget::kBridgeItself)).has_value());
  CHECK(vlans(bridge.index) == std::vector{kDefault});
  CHECK(vlans(port) == std::vector{kDefault});
}

TEST_CASE_METHOD(FilteringBridge, "A VLAN that cannot be is refused with its name", "[netlink]") {
  const Status done = socket.run(put_bridge_vlan(port, {4095, 4095, false, false}));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message.find("put VLAN 4095-4095 on link " + std::to_string(port)) == 0);
  CHECK(done.error().sys_errno == EINVAL);
}

}  // namespace
}  // namespace holdfast::nl
