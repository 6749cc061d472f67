#include "cni-flannel/daemon/overlay_plan.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "test/catch.h"
#include "test/cni-flannel/daemon/fake_forwarding.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::FakeForwarding;
using test::ip;
using test::mac;
using test::numbered_peer;
using test::numbered_peers;

const OverlayLink kLink{7, cidr("10.0.0.0/8")};
const OverlayLink kLink6{8, cidr("fd00::/16")};

std::vector<std::string> texts(const std::vector<ForwardingChange>& changes) {
  std::vector<std::string> out;
  std::ranges::transform(changes, std::back_inserter(out), [](const auto& c) { return to_string(c); });
  return out;
}

/// What the kernel is asked for, in order.
std::vector<std::string> plan_texts(const OverlayPlan& plan) {
  FakeForwarding kernel;
  apply_overlay(kernel, plan);
  return texts(kernel.made);
}

ForwardingTables tables_of(const OverlayLink& link, const std::vector<WantedPeer>& peers) {
  ForwardingTables out;
  for (const WantedPeer& peer : peers) {
    const ForwardingTables one = entries_of(link, peer);
    out.neighbours.insert(out.neighbours.end(), one.neighbours.begin(), one.neighbours.end());
    out.fdb.insert(out.fdb.end(), one.fdb.begin(), one.fdb.end());
    out.routes.insert(out.routes.end(), one.routes.begin(), one.routes.end());
  }
  return out;
}

FakeForwarding& filled(FakeForwarding& kernel, const ForwardingTables& tables) {
  kernel.neighbour_table = tables.neighbours;
  kernel.fdb_table = tables.fdb;
  kernel.route_table = tables.routes;
  return kernel;
}

using Texts = std::vector<std::string>;
const WantedPeer kPeer = numbered_peer(258);  // 10.1.2.0/24, 66:00:00:00:01:02, 192.168.1.2

TEST_CASE("A new peer gets neighbour, FDB entry and route, in this order", "[flanneld]") {
  const std::vector<WantedPeer> wanted{kPeer};
  CHECK(plan_texts(plan_overlay(kLink, wanted, {})) ==
        Texts{"put neighbour 10.1.2.0 lladdr 66:00:00:00:01:02", "put fdb 66:00:00:00:01:02 dst 192.168.1.2",
              "put route 10.1.2.0/24 via 10.1.2.0"});
  const std::vector<WantedPeer> wanted6{numbered_peer(258, IpFamily::kV6)};
  CHECK(plan_texts(plan_overlay(kLink6, wanted6, {})) ==
        Texts{"put neighbour fd00:102:: lladdr 66:00:00:00:01:02",
              "put fdb 66:00:00:00:01:02 dst 2001:db8::102", "put route fd00:102::/64 via fd00:102::"});
}

TEST_CASE("Nothing is to be done where all is there, also as upstream made it", "[flanneld]") {
  for (const OverlayLink& link : {kLink, kLink6}) {
    const auto wanted = numbered_peers(3, link.network.family());
    ForwardingTables actual = tables_of(link, wanted);
    for (nl::Route& route : actual.routes) {
      route.protocol = nl::kBootProtocol;
      route.priority = link.network.is_v4() ? 0 : 1024;  // as lists spell the default
    }
    CHECK(plan_overlay(link, wanted, actual).size() == 0);
  }
}

TEST_CASE("A peer that is gone loses its route first, then FDB entry and neighbour", "[flanneld]") {
  CHECK(plan_texts(plan_overlay(kLink, {}, tables_of(kLink, {kPeer}))) ==
        Texts{"drop route 10.1.2.0/24 via 10.1.2.0", "drop fdb 66:00:00:00:01:02 dst 192.168.1.2",
              "drop neighbour 10.1.2.0 lladdr 66:00:00:00:01:02"});
}

TEST_CASE("Only what differs of a peer is changed", "[flanneld]") {
  struct Case {
    const char* name;
    void (*change)(WantedPeer&);
    Texts changes;
  };
  const Case cases[] = {
      {"MAC",
       [](WantedPeer& p) { p.end.vtep_mac = mac("66:00:00:00:09:09"); },
       {"put neighbour 10.1.2.0 lladdr 66:00:00:00:09:09", "put fdb 66:00:00:00:09:09 dst 192.168.1.2",
        "drop fdb 66:00:00:00:01:02 dst 192.168.1.2"}},
      {"public address",
       [](WantedPeer& p) { p.end.public_address = ip("192.168.9.9"); },
       {"put fdb 66:00:00:00:01:02 dst 192.168.9.9"}},
      {"subnet",
       [](WantedPeer& p) { p.end.subnet = cidr("10.9.9.0/24"); },
       {"drop route 10.1.2.0/24 via 10.1.2.0", "put neighbour 10.9.9.0 lladdr 66:00:00:00:01:02",
        "put route 10.9.9.0/24 via 10.9.9.0", "drop neighbour 10.1.2.0 lladdr 66:00:00:00:01:02"}},
      {"from VXLAN to direct",
       [](WantedPeer& p) { p.direct_link = 3; },
       {"put route 10.1.2.0/24 via 192.168.1.2", "drop fdb 66:00:00:00:01:02 dst 192.168.1.2",
        "drop neighbour 10.1.2.0 lladdr 66:00:00:00:01:02"}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      WantedPeer changed = kPeer;
      c.change(changed);
      const std::vector<WantedPeer> wanted{numbered_peer(1), changed, numbered_peer(2)};
      const ForwardingTables actual = tables_of(kLink, {kPeer, numbered_peer(1), numbered_peer(2)});
      CHECK(plan_texts(plan_overlay(kLink, wanted, actual)) == c.changes);
      // the same without reading any table
      FakeForwarding kernel;
      change_peer(filled(kernel, actual), kLink, &kPeer, &changed);
      CHECK(texts(kernel.made) == c.changes);
      CHECK(plan_overlay(kLink, wanted, {kernel.neighbour_table, kernel.fdb_table, kernel.route_table})
                .size() == 0);
    }
  }
}

TEST_CASE("From direct to VXLAN all three are put and the direct route is replaced", "[flanneld]") {
  WantedPeer direct = kPeer;
  direct.direct_link = 3;
  const std::vector<WantedPeer> wanted{kPeer};
  CHECK(plan_texts(plan_overlay(kLink, wanted, tables_of(kLink, {direct}))) ==
        Texts{"put neighbour 10.1.2.0 lladdr 66:00:00:00:01:02", "put fdb 66:00:00:00:01:02 dst 192.168.1.2",
              "put route 10.1.2.0/24 via 10.1.2.0"});
}

TEST_CASE("In IPv6 a direct route goes before one through VXLAN can come", "[flanneld]") {
  const WantedPeer tunnelled = numbered_peer(258, IpFamily::kV6);
  WantedPeer direct = tunnelled;
  direct.direct_link = 3;
  FakeForwarding kernel;
  change_peer(filled(kernel, tables_of(kLink6, {direct})), kLink6, &direct, &tunnelled);
  const Texts made = texts(kernel.made);
  REQUIRE(made.size() == 4);
  CHECK(made[2] == "drop route fd00:102::/64 via 2001:db8::102");
  CHECK(made[3] == "put route fd00:102::/64 via fd00:102::");
}

TEST_CASE("Every way in which an entry may differ is seen", "[flanneld]") {
  struct Case {
    const char* name;
    void (*spoil)(ForwardingTables&);
    Texts changes;
  };
  const char* const neighbour = "put neighbour 10.1.2.0 lladdr 66:00:00:00:01:02";
  const char* const fdb = "put fdb 66:00:00:00:01:02 dst 192.168.1.2";
  const char* const route = "put route 10.1.2.0/24 via 10.1.2.0";
  const Case cases[] = {
      {"neighbour gone", [](ForwardingTables& t) { t.neighbours.clear(); }, {neighbour}},
      {"neighbour learned, not permanent",
       [](ForwardingTables& t) { t.neighbours[0].state = nl::NeighbourState::kStale; },
       {neighbour}},
      {"neighbour with another MAC",
       [](ForwardingTables& t) { t.neighbours[0].mac = mac("66:00:00:00:00:09"); },
       {neighbour}},
      {"FDB entry gone", [](ForwardingTables& t) { t.fdb.clear(); }, {fdb}},
      {"FDB entry to elsewhere", [](ForwardingTables& t) { t.fdb[0].dst = ip("192.168.1.9"); }, {fdb}},
      {"FDB entry learned",
       [](ForwardingTables& t) { t.fdb[0].state = nl::NeighbourState::kReachable; },
       {fdb}},
      {"FDB entry of a bridge", [](ForwardingTables& t) { t.fdb[0].master = true; }, {fdb}},
      {"route gone", [](ForwardingTables& t) { t.routes.clear(); }, {route}},
      {"route by another link", [](ForwardingTables& t) { t.routes[0].ifindex = 3; }, {route}},
      {"route by another gateway",
       [](ForwardingTables& t) { t.routes[0].gateway = ip("10.1.2.1"); },
       {route}},
      {"route not onlink", [](ForwardingTables& t) { t.routes[0].onlink = false; }, {route}},
      {"route that is a dead end",
       [](ForwardingTables& t) { t.routes[0].type = nl::RouteType::kBlackhole; },
       {route}},
      {"route of several ways", [](ForwardingTables& t) { t.routes[0].multipath = true; }, {route}},
      {"route with another metric only", [](ForwardingTables& t) { t.routes[0].priority = 50; }, {route}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      ForwardingTables actual = tables_of(kLink, {kPeer});
      c.spoil(actual);
      const std::vector<WantedPeer> wanted{kPeer};
      CHECK(plan_texts(plan_overlay(kLink, wanted, actual)) == c.changes);
    }
  }
}

TEST_CASE("What is not ours stays", "[flanneld]") {
  ForwardingTables actual;
  nl::Route route;
  route.dst = cidr("10.1.2.0/24");
  route.ifindex = kLink.ifindex;
  const auto add = [&](auto change) {
    nl::Route foreign = route;
    change(foreign);
    actual.routes.push_back(foreign);
  };
  add([](nl::Route& r) {
    r.gateway = ip("10.9.9.0");
    r.onlink = true;
  });  // via another peer: a gateway's range
  add([](nl::Route& r) {
    r.dst = cidr("172.16.0.0/16");
    r.gateway = ip("172.16.0.0");
    r.onlink = true;
  });
  add([](nl::Route& r) {
    r.dst = cidr("10.1.3.0/24");
    r.ifindex = 3;
    r.gateway = ip("192.168.1.1");
  });  // an admin's
  add([](nl::Route& r) {
    r.dst = cidr("10.1.4.0/24");
    r.protocol = 2;
  });  // the kernel's own
  add([](nl::Route& r) {
    r.dst = cidr("10.1.5.0/24");
    r.gateway = ip("10.1.5.0");
    r.onlink = true;
    r.protocol = 4;
  });
  add([](nl::Route& r) {
    r.dst = cidr("10.1.6.0/24");
    r.gateway = ip("10.1.6.0");
    r.onlink = true;
    r.priority = 9;
  });
  add([](nl::Route& r) {
    r.dst = cidr("172.16.0.0/12");
    r.protocol = kOverlayRouteProtocol;
  });
  actual.neighbours.push_back(
      {kLink.ifindex, ip("10.1.2.9"), mac("02:00:00:00:00:01"), nl::NeighbourState::kStale});
  nl::FdbEntry learned;
  learned.ifindex = kLink.ifindex;
  learned.dst = ip("192.168.1.9");
  learned.state = nl::NeighbourState::kReachable;
  actual.fdb.push_back(learned);
  CHECK(plan_texts(plan_overlay(kLink, {}, actual)).empty());
}

TEST_CASE("What upstream left of nodes that are gone is removed, direct routes only if we made them",
          "[flanneld]") {
  WantedPeer direct = numbered_peer(5);
  direct.direct_link = 3;
  ForwardingTables actual = tables_of(kLink, {kPeer, direct});
  actual.routes[0].protocol = nl::kBootProtocol;
  CHECK(plan_overlay(kLink, {}, actual).stale_routes.size() == 2);
  actual.routes[1].protocol = nl::kBootProtocol;
  CHECK(plan_overlay(kLink, {}, actual).stale_routes.size() == 1);
  // but one that is wanted becomes ours, so that it can be removed one day
  const std::vector<WantedPeer> wanted{direct};
  CHECK(plan_overlay(kLink, wanted, actual).routes.size() == 1);
}

TEST_CASE("A flood entry on our device is a leak and goes", "[flanneld]") {
  ForwardingTables actual;
  for (const char* dst : {"192.168.1.8", "192.168.1.9"}) {
    nl::FdbEntry flood;
    flood.ifindex = kLink.ifindex;
    flood.dst = ip(dst);
    actual.fdb.push_back(flood);
  }
  CHECK(plan_overlay(kLink, {}, actual).stale_entries.size() == 2);
}

Status refuse(int sys_errno) { return fail_errno(sys_errno, "refused"); }

bool concerns(const ForwardingChange& change, const WantedPeer& peer) {
  const ForwardingTables entries = entries_of(kLink, peer);
  return change.entry == ForwardingEntry(entries.neighbours[0]) ||
         change.entry == ForwardingEntry(entries.fdb[0]) ||
         change.entry == ForwardingEntry(entries.routes[0]);
}

TEST_CASE("Errors of one peer stop no other: ENOBUFS, EBUSY, ENOSPC, EPERM for good", "[flanneld]") {
  for (const int sys_errno : {ENOBUFS, EBUSY, ENOSPC, EPERM}) {
    DYNAMIC_SECTION("errno " << sys_errno) {
      FakeForwarding kernel;
      const auto wanted = numbered_peers(5);
      kernel.before = [&](const ForwardingChange& c) {
        return concerns(c, wanted[2]) ? refuse(sys_errno) : Status{};
      };
      const ReconcileReport report = reconcile_overlay(kernel, kLink, wanted);
      REQUIRE(report.applied.failed.size() == 1);
      CHECK(report.applied.failed[0].peer == 2);
      CHECK(report.applied.failed[0].error.sys_errno == sys_errno);
      CHECK(report.applied.changed == 12);
      CHECK(kernel.route_table.size() == 4);
      // when the fault is over the next pass mends the rest, and only that
      kernel.before = [](const ForwardingChange&) { return Status{}; };
      CHECK(reconcile_overlay(kernel, kLink, wanted).applied.changed == 3);
      CHECK(reconcile_overlay(kernel, kLink, wanted).applied.changed == 0);
    }
  }
}

TEST_CASE("A peer whose neighbour is refused gets no route that would lead nowhere", "[flanneld]") {
  FakeForwarding kernel;
  kernel.before = [](const ForwardingChange& c) {
    return std::holds_alternative<nl::Neighbour>(c.entry) ? refuse(ENOBUFS) : Status{};
  };
  const std::vector<WantedPeer> wanted{kPeer};
  CHECK(reconcile_overlay(kernel, kLink, wanted).applied.failed.size() == 1);
  CHECK(kernel.made.empty());
}

TEST_CASE("ENOBUFS and EBUSY that pass are not even reported", "[flanneld]") {
  for (const int sys_errno : {ENOBUFS, EBUSY}) {
    FakeForwarding kernel;
    std::set<std::string> seen;
    kernel.before = [&](const ForwardingChange& c) {
      return seen.insert(to_string(c)).second ? refuse(sys_errno) : Status{};
    };
    const ReconcileReport report = reconcile_overlay(kernel, kLink, numbered_peers(3));
    CHECK(report.applied.failed.empty());
    CHECK(report.applied.changed == 9);
  }
}

TEST_CASE("EEXIST makes way for the wanted entry", "[flanneld]") {
  FakeForwarding kernel;
  bool in_the_way = true;
  kernel.before = [&](const ForwardingChange& c) {
    if (!std::holds_alternative<nl::FdbEntry>(c.entry)) return Status{};
    if (c.act == ForwardingChange::Act::kDrop) in_the_way = false;
    return in_the_way ? refuse(EEXIST) : Status{};
  };
  const std::vector<WantedPeer> wanted{kPeer};
  CHECK(reconcile_overlay(kernel, kLink, wanted).applied.failed.empty());
  CHECK(kernel.fdb_table.size() == 1);
}

TEST_CASE("Tables that cannot be read whole cost nobody an entry, and all that is wanted is put",
          "[flanneld]") {
  FakeForwarding kernel;
  filled(kernel, tables_of(kLink, {numbered_peer(9)}));
  int reads = 0;
  kernel.before_read = [&] { return ++reads == 2 ? Status(fail(Code::kAborted, "interrupted")) : Status{}; };
  const ReconcileReport report = reconcile_overlay(kernel, kLink, numbered_peers(2));
  REQUIRE(report.unread.has_value());
  CHECK(report.unread->code == Code::kAborted);
  CHECK(kernel.route_table.size() == 3);
  CHECK(report.applied.changed == 6);
}

TEST_CASE("A stale entry that cannot be removed is told and stops nothing", "[flanneld]") {
  FakeForwarding kernel;
  filled(kernel, tables_of(kLink, {kPeer}));
  kernel.before = [](const ForwardingChange& c) {
    return c.act == ForwardingChange::Act::kDrop && std::holds_alternative<nl::FdbEntry>(c.entry)
               ? refuse(EBUSY)
               : Status{};
  };
  const ReconcileReport report = reconcile_overlay(kernel, kLink, numbered_peers(1));
  CHECK(report.applied.failed.empty());
  CHECK(report.applied.leftovers.size() == 1);
  CHECK(report.applied.changed == 5);
}

TEST_CASE("A thousand peers take a handful of batches", "[flanneld]") {
  FakeForwarding kernel;
  CHECK(reconcile_overlay(kernel, kLink, numbered_peers(1000)).applied.changed == 3000);
  CHECK(kernel.batches == 3);
}

TEST_CASE("A peer that comes or goes is put and dropped without reading a table", "[flanneld]") {
  FakeForwarding kernel;
  kernel.before_read = [] { return Status(fail(Code::kAborted, "read")); };
  CHECK(change_peer(kernel, kLink, nullptr, &kPeer).changed == 3);
  CHECK(change_peer(kernel, kLink, &kPeer, nullptr).changed == 3);
  CHECK(kernel.route_table.empty());
  CHECK(kernel.fdb_table.empty());
  CHECK(kernel.neighbour_table.empty());
}

}  // namespace
}  // namespace holdfast::flannel
