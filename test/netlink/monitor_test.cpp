#include "common/netlink/monitor.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

using test::RouteKernel;

Cidr cidr(const char* text) { return Cidr::parse(text).value(); }

/// Whether one of `events` is an E for which `test` holds.
template <class E, class F>
bool any(const std::vector<Event>& events, F test) {
  return std::any_of(events.begin(), events.end(), [&](const Event& event) {
    const E* typed = std::get_if<E>(&event);
    return typed != nullptr && test(*typed);
  });
}

bool readable(const Monitor& monitor) {
  pollfd watched{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) == 1;
}

Link make_veth(Socket& socket) {
  VethSpec spec;
  spec.name = "veth0";
  spec.peer_name = "veth1";
  return create_veth(socket, spec).value();
}

TEST_CASE_METHOD(RouteKernel, "A monitor tells what came and what went", "[netlink]") {
  Monitor monitor =
      Monitor::open({.links = true, .addresses = true, .routes = true, .rules = true, .neighbours = true})
          .value();
  CHECK_FALSE(readable(monitor));
  CHECK(monitor.read()->empty());

  const int link = make_veth(socket).index;
  Route route;
  route.dst = cidr("10.42.0.0/16");
  route.ifindex = link;
  const Neighbour neighbour{link, IpAddress::parse("10.244.0.9").value(), MacAddress({2, 0, 0, 0, 0, 9})};
  const Rule rule{.priority = 10042, .table = 42, .protocol = 157};
  const Rule rule6{.family = IpFamily::kV6, .priority = 10042, .table = 42, .protocol = 157};
  Request changes[] = {put_address(link, cidr("10.0.0.1/24")),
                       put_route(route),
                       put_rule(rule),
                       put_rule(rule6),
                       drop_rule(rule),
                       drop_rule(rule6),
                       put_neighbour(neighbour),
                       drop_neighbour(neighbour),
                       drop_route(route),
                       drop_address(link, cidr("10.0.0.1/24"))};
  REQUIRE(socket.run_whole(changes).has_value());
  REQUIRE(socket.run(delete_link(link)).has_value());

  CHECK(readable(monitor));
  const std::vector<Event> events = monitor.read().value();
  for (const bool gone : {false, true}) {
    CAPTURE(gone);
    CHECK(
        any<LinkEvent>(events, [&](const LinkEvent& e) { return e.link.name == "veth0" && e.gone == gone; }));
    CHECK(any<AddressEvent>(events, [&](const AddressEvent& e) {
      return e.address.cidr == cidr("10.0.0.1/24") && e.gone == gone;
    }));
    CHECK(any<RouteEvent>(events,
                          [&](const RouteEvent& e) { return e.route.dst == route.dst && e.gone == gone; }));
    CHECK(any<RuleEvent>(events, [&](const RuleEvent& e) { return e.rule == rule && e.gone == gone; }));
    CHECK(any<RuleEvent>(events, [&](const RuleEvent& e) { return e.rule == rule6 && e.gone == gone; }));
  }
  CHECK(any<NeighbourEvent>(events,
                            [&](const NeighbourEvent& e) { return e.neighbour == neighbour && !e.gone; }));
  CHECK_FALSE(readable(monitor));
}

TEST_CASE_METHOD(RouteKernel, "A port leaving its bridge is not told as a link that is gone", "[netlink]") {
  BridgeSpec bridge;
  bridge.name = "cni0";
  const int master = create_bridge(socket, bridge)->index;
  const int port = make_veth(socket).index;
  Monitor monitor = Monitor::open({.links = true}).value();
  LinkChange change;
  change.master = master;
  REQUIRE(socket.run(change_link(port, change)).has_value());
  change.master = 0;
  REQUIRE(socket.run(change_link(port, change)).has_value());
  const std::vector<Event> events = monitor.read().value();
  CHECK(any<LinkEvent>(events,
                       [&](const LinkEvent& e) { return e.link.index == port && e.link.master == master; }));
  CHECK_FALSE(any<LinkEvent>(events, [](const LinkEvent& e) { return e.gone; }));
}

TEST_CASE_METHOD(RouteKernel, "A monitor hears only of what it was asked to", "[netlink]") {
  Monitor monitor = Monitor::open({.routes = true}).value();
  const int link = make_veth(socket).index;
  REQUIRE(
      socket.run(put_neighbour({link, IpAddress::parse("10.1.0.9").value(), MacAddress({2, 0, 0, 0, 0, 9})}))
          .has_value());
  const std::vector<Event> events = monitor.read().value();
  CHECK(std::all_of(events.begin(), events.end(),
                    [](const Event& event) { return std::holds_alternative<RouteEvent>(event); }));
}

TEST_CASE_METHOD(RouteKernel, "Events that were lost come out as one Resync, and the monitor goes on",
                 "[netlink]") {
  Monitor monitor = Monitor::open({.neighbours = true}).value();
  const int small = 4096;
  REQUIRE(::setsockopt(monitor.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &small, sizeof small) == 0);
  const int link = make_veth(socket).index;
  const IpAddress base = IpAddress::parse("10.1.0.0").value();
  for (std::uint64_t i = 1; i <= 200; ++i) {
    REQUIRE(
        socket.run(put_neighbour({link, base.plus(i).value(), MacAddress({2, 0, 0, 0, 0, 9})})).has_value());
  }
  const std::vector<Event> events = monitor.read().value();
  CHECK(std::count_if(events.begin(), events.end(),
                      [](const Event& event) { return std::holds_alternative<Resync>(event); }) == 1);
  CHECK(events.size() < 200);

  const Neighbour last{link, base.plus(250).value(), MacAddress({2, 0, 0, 0, 0, 9})};
  REQUIRE(socket.run(put_neighbour(last)).has_value());
  CHECK(any<NeighbourEvent>(monitor.read().value(),
                            [&](const NeighbourEvent& e) { return e.neighbour == last; }));
}

TEST_CASE_METHOD(RouteKernel, "An overlay's forwarding entries are events of their own", "[netlink]") {
  VxlanSpec spec;
  spec.name = "flannel.1";
  spec.info.vni = 1;
  spec.info.port = 8472;
  const int overlay = create_vxlan(socket, spec)->index;
  Monitor monitor = Monitor::open_in(netns.fd(), {.neighbours = true}).value();
  const FdbEntry entry{overlay, MacAddress({0x66, 0, 0, 0, 0, 1}), IpAddress::parse("10.9.0.2").value()};
  REQUIRE(socket.run(put_fdb(entry)).has_value());
  CHECK(
      any<FdbEvent>(monitor.read().value(), [&](const FdbEvent& e) { return e.entry == entry && !e.gone; }));
}

}  // namespace
}  // namespace holdfast::nl
