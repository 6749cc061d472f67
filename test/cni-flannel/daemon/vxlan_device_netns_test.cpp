#include <nlohmann/json.hpp>

#include "cni-flannel/daemon/vtep_mac.h"
#include "cni-flannel/daemon/vxlan_device.h"
#include "common/base/json.h"
#include "common/netlink/ethtool.h"
#include "common/netlink/sysctl.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/golden_flannel.h"
#include "test/cni-flannel/daemon/overlay_peers.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::output_of;
using test::cidr;
using test::ip;
using test::mac;

/// A node with an external interface u0, as the golden ones had.
struct Node : holdfast::test::RouteKernel {
  Node() {
    output_of(
        "ip link add u0 type veth peer name u1 && ip addr add 192.168.77.1/24 dev u0 && "
        "ip -6 addr add 2001:db8::1/64 dev u0 nodad && ip link set u0 up && ip link set u1 up");
    underlay = nl::find_link(socket, "u0").value()->index;
  }
  [[nodiscard]] VxlanDeviceSpec spec() const {
    return {{},
            1450,
            mac("66:01:02:03:04:05"),
            underlay,
            ip("192.168.77.1"),
            cidr("10.244.0.0/24"),
            cidr("10.244.0.0/16")};
  }
  [[nodiscard]] VxlanDeviceSpec spec6() const {
    return {{},
            1450,
            mac("66:01:02:03:04:06"),
            underlay,
            ip("2001:db8::1"),
            cidr("fd00:0:0:3::/64"),
            cidr("fd00::/48")};
  }
  int underlay = 0;
};

nlohmann::json shown(const std::string& device) {
  return parse_json(output_of("ip -j -d link show " + device)).value()[0];
}

std::string addresses(const std::string& device, const char* family) {
  return output_of(std::string("ip -o ") + family + " addr show dev " + device +
                   " | awk '{print $4}' | sort");
}

TEST_CASE_METHOD(Node, "The device is what a real flannel makes, by the attributes that matter",
                 "[flanneld]") {
  const nlohmann::json golden =
      parse_json(holdfast::test::golden("nft/nodea.link-flannel.1.json")).value()[0];

  const auto made = ensure_vxlan_device(socket, spec());
  REQUIRE(made.has_value());
  CHECK(made->created);
  CHECK(made->emptied);
  CHECK(made->replaced.empty());
  const nlohmann::json ours = shown("flannel.1");
  CHECK(ours["address"] == "66:01:02:03:04:05");
  for (const char* key : {"mtu", "operstate", "linkinfo", "inet6_addr_gen_mode", "flags", "qdisc"}) {
    INFO(key);
    CHECK(ours[key] == golden[key]);
  }
  CHECK(addresses("flannel.1", "-4") == "10.244.0.0/32\n");
  CHECK(nl::get_sysctl("net/ipv6/conf/flannel.1/accept_ra").value() == "0");
}

TEST_CASE_METHOD(Node, "Doing it again changes nothing", "[flanneld]") {
  const auto first = ensure_vxlan_device(socket, spec());
  REQUIRE(first.has_value());
  output_of(
      "ip neigh add 10.244.1.0 lladdr 66:00:00:00:00:09 nud permanent dev flannel.1 && "
      "ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink");
  const auto second = ensure_vxlan_device(socket, spec());
  REQUIRE(second.has_value());
  CHECK_FALSE(second->created);
  CHECK_FALSE(second->emptied);
  CHECK(second->link.index == first->link.index);
  CHECK_FALSE(output_of("ip neigh show dev flannel.1 nud permanent").empty());
  CHECK_FALSE(output_of("ip route show 10.244.1.0/24").empty());
}

TEST_CASE_METHOD(Node, "A port that is left to the kernel is right whatever the kernel takes", "[flanneld]") {
  VxlanDeviceSpec any_port = spec();
  any_port.conf.port = 0;
  const auto first = ensure_vxlan_device(socket, any_port);
  REQUIRE(first.has_value());
  REQUIRE(first->link.vxlan->port != 0);
  const auto second = ensure_vxlan_device(socket, any_port);
  REQUIRE(second.has_value());
  CHECK_FALSE(second->created);
  CHECK(second->link.index == first->link.index);
}

TEST_CASE_METHOD(Node, "The device of a running upstream is used as it is when told its MAC", "[flanneld]") {
  output_of(
      "ip link add flannel.1 address b6:a7:69:ca:f0:e3 mtu 1450 type vxlan id 1 dev u0 local 192.168.77.1 "
      "dstport 8472 "
      "nolearning && ip addr add 10.244.0.0/32 dev flannel.1 && ip link set flannel.1 up");
  const int before = nl::find_link(socket, "flannel.1").value()->index;
  VxlanDeviceSpec wanted = spec();
  wanted.mac =
      choose_vtep_mac({{}, {}, device_vtep_mac(socket, "flannel.1").value()}, "nodea", IpFamily::kV4);
  const auto used = ensure_vxlan_device(socket, wanted);
  REQUIRE(used.has_value());
  CHECK(used->link.index == before);
  CHECK_FALSE(used->emptied);
  CHECK(used->link.mac == mac("b6:a7:69:ca:f0:e3"));
}

TEST_CASE_METHOD(Node, "MAC, MTU and learning of a device that serves are set without making it anew",
                 "[flanneld]") {
  const auto first = ensure_vxlan_device(socket, spec());
  REQUIRE(first.has_value());
  VxlanDeviceSpec other = spec();
  other.mac = mac("66:01:02:03:04:99");
  other.mtu = 1400;
  other.conf.learning = true;
  const auto changed = ensure_vxlan_device(socket, other);
  REQUIRE(changed.has_value());
  CHECK(changed->link.index == first->link.index);
  CHECK(changed->emptied);
  CHECK(changed->link.mtu == 1400);
  CHECK(changed->link.mac == other.mac);
  CHECK(changed->link.vxlan->learning);
}

TEST_CASE_METHOD(Node, "A device that is down or has strange addresses is put right", "[flanneld]") {
  REQUIRE(ensure_vxlan_device(socket, spec()).has_value());
  output_of(
      "ip link set flannel.1 down && ip addr add 10.244.9.0/32 dev flannel.1 && "
      "ip addr add 172.31.0.1/32 dev flannel.1 && ip addr del 10.244.0.0/32 dev flannel.1");
  const auto fixed = ensure_vxlan_device(socket, spec());
  REQUIRE(fixed.has_value());
  CHECK(fixed->emptied);
  CHECK(fixed->link.up);
  // an address of the cluster's network is ours to remove, another is not
  CHECK(addresses("flannel.1", "-4") == "10.244.0.0/32\n172.31.0.1/32\n");
}

TEST_CASE_METHOD(Node, "A device that cannot serve is made anew, with the reason", "[flanneld]") {
  struct Case {
    const char* name;
    void (*spoil)(VxlanDeviceSpec&);
    const char* why;
  };
  const Case cases[] = {
      {"port", [](VxlanDeviceSpec& s) { s.conf.port = 4789; }, "its port is 4789, should be 8472"},
      {"local address", [](VxlanDeviceSpec& s) { s.local = ip("192.168.77.9"); },
       "its local address is 192.168.77.9, should be 192.168.77.1"},
      {"group policy", [](VxlanDeviceSpec& s) { s.conf.gbp = true; },
       "its group policy extension is on, should be off"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      VxlanDeviceSpec old = spec();
      c.spoil(old);
      const auto before = ensure_vxlan_device(socket, old);
      REQUIRE(before.has_value());
      const auto after = ensure_vxlan_device(socket, spec());
      REQUIRE(after.has_value());
      CHECK(after->created);
      CHECK(after->replaced == c.why);
      CHECK(after->link.mac == spec().mac);
      CHECK(vxlan_mismatch(after->link, spec()).empty());
    }
  }
  SECTION("another type") {
    output_of("ip link add flannel.1 type bridge");
    const auto after = ensure_vxlan_device(socket, spec());
    REQUIRE(after.has_value());
    CHECK(after->replaced == "it is of type bridge");
  }
  SECTION("another VNI or external interface") {
    output_of("ip link add flannel.1 type vxlan id 9 dev u0 local 192.168.77.1 dstport 8472 nolearning");
    CHECK(ensure_vxlan_device(socket, spec())->replaced == "its VNI is 9, should be 1");
    output_of(
        "ip link del flannel.1 && ip link add flannel.1 type vxlan id 1 dev u1 local 192.168.77.1 dstport "
        "8472");
    CHECK_THAT(ensure_vxlan_device(socket, spec())->replaced, Catch::StartsWith("its external interface is"));
    output_of(
        "ip link del flannel.1 && ip link add flannel.1 type vxlan id 1 dev u0 local 192.168.77.1 dstport "
        "8472 nolearning l2miss");
    CHECK(ensure_vxlan_device(socket, spec())->replaced == "l2miss is on, should be off");
  }
}

TEST_CASE_METHOD(Node, "A link of somebody that has the VNI is named, with what to do about it",
                 "[flanneld]") {
  REQUIRE(ensure_vxlan_device(socket, spec()).has_value());
  output_of("ip link set flannel.1 down && ip link set flannel.1 name foo");
  CHECK_THAT(
      ensure_vxlan_device(socket, spec()).error().message,
      Catch::EndsWith("; foo has VNI 1: delete it (ip link del foo), or take another VNI for all nodes "
                      "(Backend.VNI in net-conf.json)"));
}

TEST_CASE_METHOD(Node, "A device that somebody has put into a bridge is taken out", "[flanneld]") {
  REQUIRE(ensure_vxlan_device(socket, spec()).has_value());
  output_of("ip link add br9 type bridge && ip link set flannel.1 master br9");
  const auto made = ensure_vxlan_device(socket, spec());
  REQUIRE(made.has_value());
  CHECK(made->link.master == 0);
  CHECK_FALSE(made->created);
}

TEST_CASE_METHOD(Node, "IPv6 has a device of its own, with its address usable at once", "[flanneld]") {
  REQUIRE(ensure_vxlan_device(socket, spec()).has_value());
  output_of("ip link set u0 up");
  const auto made = ensure_vxlan_device(socket, spec6());
  INFO((made ? "" : made.error().message));
  REQUIRE(made.has_value());
  CHECK(made->link.name == "flannel-v6.1");
  CHECK(made->link.mtu == 1430);  // an IPv6 header more than fits into 50 bytes
  output_of("ip -6 addr add fd99::1/64 dev flannel-v6.1 nodad");
  REQUIRE(ensure_vxlan_device(socket, spec6()).has_value());
  CHECK_THAT(addresses("flannel-v6.1", "-6"),
             Catch::Contains("fd00:0:0:3::/128\n") && !Catch::Contains("fd99::1"));
  CHECK_THAT(addresses("flannel-v6.1", "-6"), Catch::Contains("fe80:"));
  CHECK(output_of("ip -6 addr show dev flannel-v6.1 scope global tentative").empty());
}

TEST_CASE_METHOD(Node, "An external interface that is gone is an error that names the device", "[flanneld]") {
  VxlanDeviceSpec wanted = spec();
  wanted.underlay = 9999;
  const auto made = ensure_vxlan_device(socket, wanted);
  REQUIRE_FALSE(made.has_value());
  CHECK_THAT(made.error().message, Catch::Contains("flannel.1"));
}

TEST_CASE_METHOD(Node, "Checksum offload of the device can be turned off and on", "[flanneld]") {
  REQUIRE(ensure_vxlan_device(socket, spec()).has_value());
  CHECK(nl::tx_checksum_offload("flannel.1").value());
  REQUIRE(nl::set_tx_checksum_offload("flannel.1", false).has_value());
  CHECK_FALSE(nl::tx_checksum_offload("flannel.1").value());
  REQUIRE(nl::set_tx_checksum_offload("flannel.1", true).has_value());
  CHECK(nl::tx_checksum_offload("flannel.1").value());
  CHECK(nl::tx_checksum_offload("flannel.9").error().code == Code::kNotFound);
}

TEST_CASE("A VTEP MAC is stored, published, the device's or derived, in this order", "[flanneld]") {
  const MacAddress one = mac("02:00:00:00:00:01");
  const MacAddress two = mac("02:00:00:00:00:02");
  const MacAddress three = mac("02:00:00:00:00:03");
  CHECK(choose_vtep_mac({one, two, three}, "n", IpFamily::kV4) == one);
  CHECK(choose_vtep_mac({{}, two, three}, "n", IpFamily::kV4) == two);
  CHECK(choose_vtep_mac({{}, {}, three}, "n", IpFamily::kV4) == three);
  CHECK(choose_vtep_mac({MacAddress{}, mac("01:00:00:00:00:01"), three}, "n", IpFamily::kV4) == three);
  // printf abc | sha1sum
  CHECK(choose_vtep_mac({}, "abc", IpFamily::kV4) == mac("66:a9:99:3e:36:47"));
  CHECK(derived_vtep_mac("abc", IpFamily::kV4) != derived_vtep_mac("abc", IpFamily::kV6));
  CHECK(derived_vtep_mac("abc", IpFamily::kV6) == derived_vtep_mac("abc-v6", IpFamily::kV4));
}

}  // namespace
}  // namespace holdfast::flannel
