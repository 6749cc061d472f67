#include "cni-flannel/daemon/former_underlay.h"

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::ip;
using test::mac;

constexpr std::uint32_t kVni = 1;

nl::Link link(int index, const std::string& name) {
  nl::Link out;
  out.index = index;
  out.name = name;
  out.mtu = 1500;
  return out;
}

nl::Link device(const std::string& name, const char* local, int below) {
  nl::Link out = link(9, name);
  out.kind = "vxlan";
  out.mac = mac("02:00:00:00:00:01");
  out.vxlan = nl::VxlanInfo{.vni = kVni, .device = below, .port = 8472};
  if (local != nullptr) out.vxlan->local = ip(local);
  return out;
}

nl::Address address(int ifindex, const char* text) {
  nl::Address out;
  out.ifindex = ifindex;
  out.cidr = cidr(text);
  out.scope = nl::Scope::kUniverse;
  return out;
}

/// Two interfaces, of which eth0 has the default route, and a flannel.1 that sends by eth1.
struct Machine {
  Machine() {
    tables.links = {link(1, "lo"), link(2, "eth0"), link(3, "eth1"), device("flannel.1", "10.9.0.2", 3)};
    tables.addresses = {address(2, "192.168.1.7/24"), address(3, "10.9.0.1/24"), address(3, "10.9.0.2/24"),
                        address(2, "2001:db8::7/64"), address(3, "2001:db8:9::2/64")};
    nl::Route route;
    route.dst = cidr("0.0.0.0/0");
    route.ifindex = 2;
    tables.routes = {route};
    published.node = "edge-1";
    published.backend_data = BackendData{kVni, mac("02:00:00:00:00:01")};
    published.public_ip = ip("10.9.0.2");
  }
  [[nodiscard]] nl::Link& flannel() { return tables.links[3]; }
  [[nodiscard]] std::optional<FormerUnderlay> find() const {
    return find_former_underlay(choice, tables, published, kVni);
  }
  [[nodiscard]] Underlay chosen() const {
    return choose_underlay(with_former(choice, find().value_or(FormerUnderlay{})), tables).value();
  }

  UnderlayChoice choice;
  UnderlayTables tables;
  NodeNetwork published;
};

TEST_CASE("The interface and address that this node's device sends from come before the default route's",
          "[flanneld]") {
  Machine machine;
  CHECK(machine.find() == FormerUnderlay{"eth1", {ip("10.9.0.2")}, std::nullopt, std::nullopt});
  CHECK(machine.chosen().link.name == "eth1");
  CHECK(machine.chosen().local == ip("10.9.0.2"));  // not the first on it
  CHECK(machine.chosen().public_ip == ip("10.9.0.2"));
  SECTION("and what was used a moment ago") {
    const Underlay before = choose_underlay({}, machine.tables).value();
    CHECK(choose_underlay(with_former({}, *machine.find()), machine.tables, &before)->link.name == "eth1");
  }
  SECTION("also with no default route") {
    machine.tables.routes.clear();
    CHECK(machine.chosen().link.name == "eth1");
  }
}

TEST_CASE("A device that is somebody else's tells nothing", "[flanneld]") {
  Machine machine;
  SECTION("another MAC than was published") { machine.flannel().mac = mac("02:00:00:00:00:02"); }
  SECTION("another VNI") { machine.flannel().vxlan->vni = 2; }
  SECTION("another name") { machine.flannel().name = "flannel.2"; }
  SECTION("no VXLAN device") { machine.flannel().vxlan.reset(); }
  SECTION("nothing published") { machine.published = {}; }
  SECTION("it lives in another namespace, and its address is nowhere here") {
    machine.flannel().peer_netnsid = 4;
    machine.flannel().vxlan->local = ip("10.9.0.77");
  }
  SECTION("it has none below it, and no address") { machine.flannel() = device("flannel.1", nullptr, 0); }
  SECTION("what is below it is an overlay's own link") { machine.choice.own_links = {"eth1"}; }
  SECTION("what is below it has no address of a family in use") {
    machine.tables.addresses = {address(2, "192.168.1.7/24")};
  }
  CHECK_FALSE(machine.find().has_value());
}

TEST_CASE("Where no MAC is published the address that peers send to tells whose device it is", "[flanneld]") {
  Machine machine;
  machine.published.backend_data.reset();
  CHECK(machine.find()->interface == "eth1");
  machine.published.public_ip = ip("10.9.0.1");
  CHECK_FALSE(machine.find().has_value());
}

TEST_CASE("Flags win over what a device shows", "[flanneld]") {
  Machine machine;
  SECTION("--iface") { machine.choice.interfaces = {"eth0"}; }
  SECTION("--iface-regex") { machine.choice.patterns = {"^eth0$"}; }
  SECTION("--iface-can-reach") { machine.choice.can_reach = ip("192.0.2.1"); }
  SECTION("--public-ip") { machine.choice.public_ip = ip("192.168.1.7"); }
  CHECK_FALSE(machine.find().has_value());
  const FormerUnderlay stored{"eth1", {}, std::nullopt, std::nullopt};
  CHECK(choose_underlay(with_former(machine.choice, stored), machine.tables)->link.name == "eth0");
}

TEST_CASE("What the default route tells too is not remembered", "[flanneld]") {
  Machine machine;
  machine.flannel() = device("flannel.1", "192.168.1.7", 2);
  machine.published.public_ip = ip("192.168.1.7");
  CHECK_FALSE(machine.find().has_value());
  machine.tables.addresses.insert(machine.tables.addresses.begin(), address(2, "192.168.1.200/24"));
  CHECK(machine.chosen().local == ip("192.168.1.7"));  // else the tunnel would move to the first
}

TEST_CASE("An address that has gone, or an index that tells nothing, leave what can be known", "[flanneld]") {
  Machine machine;
  SECTION("another address by now") {
    machine.flannel().vxlan->local = ip("10.9.0.77");
    CHECK(machine.chosen().link.name == "eth1");
    CHECK(machine.chosen().local == ip("10.9.0.1"));
    CHECK(machine.chosen().public_ip == ip("10.9.0.1"));
  }
  SECTION("no device below it") { machine.flannel().vxlan->device = 0; }
  SECTION("an index of another namespace") { machine.flannel().peer_netnsid = 4; }
  SECTION("the interface became a port of a bridge, which has its address") {
    machine.tables.links.push_back(link(12, "br0"));
    machine.tables.addresses = {address(2, "192.168.1.7/24"), address(12, "10.9.0.2/24")};
    CHECK(machine.chosen().link.name == "br0");
  }
  SECTION("the device's port is another by now") { machine.flannel().vxlan->port = 4789; }
  CHECK(machine.chosen().link.name != "eth0");
}

TEST_CASE("An address that peers were told by a flag is told on, and one that anybody else set is not",
          "[flanneld]") {
  Machine machine;
  machine.published.public_ip = ip("203.0.113.5");
  CHECK(machine.chosen().public_ip == ip("203.0.113.5"));
  CHECK(machine.chosen().local == ip("10.9.0.2"));
  SECTION("an overwrite of the operator's goes with the overwrite") {
    machine.published.public_ip_overwrite = ip("203.0.113.5");
    CHECK(machine.chosen().public_ip == ip("10.9.0.2"));
  }
  SECTION("one of this machine's may change") {
    machine.published.public_ip = ip("10.9.0.1");
    CHECK(machine.chosen().public_ip == ip("10.9.0.2"));
  }
  SECTION("the device has it from somebody who knew another address of ours") {
    machine.flannel().vxlan->local = ip("10.9.0.77");
    CHECK(machine.chosen().public_ip == ip("10.9.0.1"));
  }
}

TEST_CASE("Both families' devices tell the one interface", "[flanneld]") {
  Machine machine;
  machine.choice.ipv6 = true;
  machine.tables.links.push_back(device("flannel-v6.1", "2001:db8:9::2", 3));
  machine.published.backend_v6_data = BackendData{kVni, mac("02:00:00:00:00:01")};
  CHECK(machine.find()->addresses == std::vector{ip("10.9.0.2"), ip("2001:db8:9::2")});
  CHECK(machine.chosen().local6 == ip("2001:db8:9::2"));
  SECTION("that of IPv4 comes first") {
    machine.tables.links.back() = device("flannel-v6.1", "2001:db8::7", 2);
    CHECK(machine.chosen().link.name == "eth1");
    CHECK(machine.find()->addresses == std::vector{ip("10.9.0.2")});
  }
  SECTION("that of IPv6 alone") {
    machine.choice.ipv4 = false;
    machine.flannel().name = "other";
    CHECK(machine.chosen().link.name == "eth1");
    CHECK(machine.find()->addresses == std::vector{ip("2001:db8:9::2")});
  }
}

TEST_CASE("While the interface of old is away it is waited for, as one that a flag names", "[flanneld]") {
  Machine machine;
  const FormerUnderlay stored{"wg7", {}, std::nullopt, std::nullopt};
  CHECK_THAT(choose_underlay(with_former({}, stored), machine.tables).error().message,
             Catch::StartsWith("no interface wg7 (of the flannel that was here; tell another by --iface); "
                               "there are: lo, eth0 (192.168.1.7"));
}

}  // namespace
}  // namespace holdfast::flannel
