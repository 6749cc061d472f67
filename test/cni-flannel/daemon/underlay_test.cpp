#include "cni-flannel/daemon/underlay.h"

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::ip;

nl::Link link(int index, const std::string& name) {
  nl::Link out;
  out.index = index;
  out.name = name;
  out.mtu = 1500;
  return out;
}

nl::Address address(int ifindex, const char* text, nl::Scope scope = nl::Scope::kUniverse) {
  nl::Address out;
  out.ifindex = ifindex;
  out.cidr = cidr(text);
  out.scope = scope;
  return out;
}

nl::Route default_route(const char* dst, int ifindex, std::uint32_t metric) {
  nl::Route out;
  out.dst = cidr(dst);
  out.ifindex = ifindex;
  out.priority = metric;
  return out;
}

UnderlayTables machine() {
  return {
      {link(1, "lo"), link(2, "eth0"), link(3, "wwan0")},
      {address(1, "127.0.0.1/8", nl::Scope::kHost), address(2, "169.254.9.9/16", nl::Scope::kLink),
       address(2, "192.168.1.7/24"), address(2, "192.168.1.200/24"),
       address(2, "fe80::1/64", nl::Scope::kLink), address(2, "2001:db8::7/64"), address(3, "10.9.0.2/30")},
      {default_route("0.0.0.0/0", 3, 700), default_route("0.0.0.0/0", 2, 100),
       default_route("::/0", 3, 1024)}};
}

TEST_CASE("With nothing said the interface of the best default route is taken, with its first address",
          "[flanneld]") {
  const auto chosen = choose_underlay({}, machine());
  REQUIRE(chosen.has_value());
  CHECK(chosen->link.name == "eth0");
  CHECK(chosen->local == ip("192.168.1.7"));
  CHECK(chosen->public_ip == ip("192.168.1.7"));
  CHECK_FALSE(chosen->local6.has_value());
}

TEST_CASE("The address that was used last is kept while it is there", "[flanneld]") {
  Underlay before;
  before.local = ip("192.168.1.200");
  CHECK(choose_underlay({}, machine(), &before)->local == ip("192.168.1.200"));
  before.local = ip("192.168.1.99");
  CHECK(choose_underlay({}, machine(), &before)->local == ip("192.168.1.7"));
}

TEST_CASE("Interfaces that are named are tried in their order, by name or address", "[flanneld]") {
  UnderlayChoice choice;
  choice.interfaces = {"eth7", "10.9.0.2"};
  CHECK(choose_underlay(choice, machine())->link.name == "wwan0");
  choice.interfaces = {"192.168.1.200"};
  CHECK(choose_underlay(choice, machine())->local == ip("192.168.1.200"));
  choice.interfaces = {"eth0", "wwan0"};
  choice.public_ip = ip("203.0.113.5");
  const auto chosen = choose_underlay(choice, machine());
  CHECK(chosen->local == ip("192.168.1.7"));
  CHECK(chosen->public_ip == ip("203.0.113.5"));
}

TEST_CASE("A pattern, a destination or the public address tells the interface too", "[flanneld]") {
  UnderlayChoice choice;
  choice.patterns = {"^172\\.", "^10\\.9\\."};
  CHECK(choose_underlay(choice, machine())->link.name == "wwan0");
  choice.patterns = {"wwan.*"};
  CHECK(choose_underlay(choice, machine())->link.name == "wwan0");
  choice = {};
  choice.can_reach = ip("8.8.8.8");
  CHECK(choose_underlay(choice, machine())->link.name == "eth0");
  choice.interfaces = {"wwan0"};
  CHECK(choose_underlay(choice, machine())->link.name == "wwan0");
  choice = {};
  choice.public_ip = ip("10.9.0.2");
  CHECK(choose_underlay(choice, machine())->link.name == "wwan0");
  choice.public_ip = ip("203.0.113.5");  // behind a NAT
  CHECK(choose_underlay(choice, machine())->link.name == "eth0");
}

TEST_CASE("What stands on the tunnels is never the interface that they run by", "[flanneld]") {
  UnderlayTables tables = machine();
  tables.links.insert(tables.links.begin(), link(9, "flannel.1"));
  tables.addresses.insert(tables.addresses.begin(), address(9, "10.244.1.0/32"));
  tables.routes.insert(tables.routes.begin(), default_route("0.0.0.0/0", 9, 0));
  UnderlayChoice choice;
  choice.own_links = {"flannel.1", "flannel-v6.1", "cni0"};
  CHECK(choose_underlay(choice, tables)->link.name == "eth0");
  choice.can_reach = ip("8.8.8.8");
  CHECK_FALSE(choose_underlay(choice, tables).has_value());
  choice.patterns = {"^10\\.", "flannel"};
  CHECK(choose_underlay(choice, tables)->link.name == "wwan0");
  choice.can_reach.reset();
  choice.patterns.clear();
  choice.interfaces = {"10.244.1.0", "wwan0"};
  CHECK(choose_underlay(choice, tables)->link.name == "wwan0");
  choice.interfaces = {"flannel.1"};
  CHECK(choose_underlay(choice, tables).error().message ==
        "flannel.1 stands on the tunnels itself: name the interface below them; no interface flannel.1 "
        "(--iface); "
        "there are: lo, eth0 (192.168.1.7 192.168.1.200 2001:db8::7), wwan0 (10.9.0.2)");
}

TEST_CASE("Both families are served where both are in use", "[flanneld]") {
  UnderlayChoice choice;
  choice.ipv6 = true;
  const auto chosen = choose_underlay(choice, machine());
  REQUIRE(chosen.has_value());
  CHECK(chosen->local6 == ip("2001:db8::7"));
  choice.ipv4 = false;
  choice.interfaces = {"wwan0"};
  CHECK(choose_underlay(choice, machine()).error().message == "interface wwan0 has no global IPv6 address");
}

TEST_CASE("An address that another machine has too is not sent from", "[flanneld]") {
  UnderlayTables tables = machine();
  UnderlayChoice choice;
  choice.ipv6 = true;
  tables.addresses.push_back(address(2, "2001:db8::8/64"));
  for (nl::Address& each : tables.addresses) {
    if (each.cidr == cidr("2001:db8::7/64")) each.dad_failed = true;
  }
  CHECK(choose_underlay(choice, tables)->local6 == ip("2001:db8::8"));
}

TEST_CASE("An interface that is not there is told with those that are", "[flanneld]") {
  UnderlayChoice choice;
  choice.interfaces = {"eth9"};
  CHECK(choose_underlay(choice, machine()).error().message ==
        "no interface eth9 (--iface); there are: lo, eth0 (192.168.1.7 192.168.1.200 2001:db8::7), wwan0 "
        "(10.9.0.2)");
  choice.patterns = {"^br-"};
  choice.can_reach = ip("2001:db8:1::1");
  UnderlayTables isolated = machine();
  isolated.routes.clear();
  CHECK_THAT(choose_underlay(choice, isolated).error().message,
             Catch::StartsWith("no interface eth9 (--iface); none matches ^br- (--iface-regex); no way to "
                               "2001:db8:1::1 (--iface-can-reach); there are: lo, eth0"));
  UnderlayTables offline = machine();
  offline.routes.clear();
  CHECK_THAT(
      choose_underlay({}, offline).error().message,
      Catch::StartsWith("no default route tells the external interface; name one by --iface; there are: lo"));
}

}  // namespace
}  // namespace holdfast::flannel
