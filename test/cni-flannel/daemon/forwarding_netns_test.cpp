// What Forwarding promises, asked of the kernel and of the fake; and how fast the kernel is told of many
// peers.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "cni-flannel/daemon/kernel_forwarding.h"
#include "cni-flannel/daemon/overlay_plan.h"
#include "cni-flannel/daemon/vxlan_device.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/fake_forwarding.h"
#include "test/cni-flannel/daemon/overlay_peers.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::output_of;
using test::cidr;
using test::FakeForwarding;
using test::ip;
using test::mac;
using test::numbered_peer;
using test::numbered_peers;
using Act = ForwardingChange::Act;

/// A namespace with both devices and the networks of numbered_peer().
struct Overlay : holdfast::test::RouteKernel {
  Overlay() {
    output_of(
        "ip link set lo up && ip link add u0 type veth peer name u1 && ip link set u1 up && ip addr add "
        "192.168.0.1/16 dev u0 && "
        "ip addr add 2001:db8::1:1/64 dev u0 nodad && ip link set u0 up");
    const int underlay = nl::find_link(socket, "u0").value()->index;
    v4 = {make({{},
                1450,
                mac("66:ff:00:00:00:01"),
                underlay,
                ip("192.168.0.1"),
                cidr("10.255.255.0/24"),
                cidr("10.0.0.0/8")}),
          cidr("10.0.0.0/8")};
    v6 = {make({{},
                1450,
                mac("66:ff:00:00:00:02"),
                underlay,
                ip("2001:db8::1:1"),
                cidr("fd00:ffff::/64"),
                cidr("fd00::/16")}),
          cidr("fd00::/16")};
  }
  [[nodiscard]] int make(const VxlanDeviceSpec& spec) {
    return ensure_vxlan_device(socket, spec).value().link.index;
  }
  [[nodiscard]] const OverlayLink& link(IpFamily family) const { return family == IpFamily::kV4 ? v4 : v6; }

  OverlayLink v4;
  OverlayLink v6;
  KernelForwarding kernel{socket};
};

std::vector<ForwardingChange> puts(const ForwardingTables& tables) {
  std::vector<ForwardingChange> out;
  for (const auto& entry : tables.neighbours) out.push_back({Act::kPut, entry});
  for (const auto& entry : tables.fdb) out.push_back({Act::kPut, entry});
  for (const auto& entry : tables.routes) out.push_back({Act::kPut, entry});
  return out;
}

std::vector<ForwardingChange> drops(std::vector<ForwardingChange> changes) {
  for (ForwardingChange& change : changes) change.act = Act::kDrop;
  return changes;
}

bool all_succeed(const std::vector<Status>& done) {
  for (const Status& status : done) {
    if (!status) UNSCOPED_INFO(status.error().message);
  }
  return std::ranges::all_of(done, [](const Status& status) { return status.has_value(); });
}

ForwardingTables tables(Forwarding& forwarding, const OverlayLink& link) {
  return {forwarding.neighbours(link.ifindex, link.network.family()).value(),
          forwarding.fdb(link.ifindex).value(), forwarding.routes(link.network.family()).value()};
}

/// How many of the peers' entries are missing or wrong.
std::size_t missing(Forwarding& forwarding, const OverlayLink& link, const std::vector<WantedPeer>& peers) {
  const OverlayPlan plan = plan_overlay(link, peers, tables(forwarding, link));
  return plan.neighbours.size() + plan.fdb.size() + plan.routes.size();
}

TEST_CASE_METHOD(Overlay, "Kernel and fake keep what Forwarding promises", "[flanneld]") {
  FakeForwarding fake;
  for (Forwarding* forwarding : {static_cast<Forwarding*>(&kernel), static_cast<Forwarding*>(&fake)}) {
    for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
      DYNAMIC_SECTION((forwarding == &fake ? "fake" : "kernel")
                      << (family == IpFamily::kV4 ? " IPv4" : " IPv6")) {
        const OverlayLink& own = link(family);
        const std::vector<WantedPeer> peer{numbered_peer(7, family)};
        const auto changes = puts(entries_of(own, peer[0]));

        // puts and drops repeat
        CHECK(missing(*forwarding, own, peer) == 3);
        CHECK(all_succeed(forwarding->apply(changes)));
        CHECK(missing(*forwarding, own, peer) == 0);
        CHECK(all_succeed(forwarding->apply(changes)));
        CHECK(missing(*forwarding, own, peer) == 0);

        // a put replaces
        std::vector<WantedPeer> moved = peer;
        moved[0].end.vtep_mac = mac("66:00:00:00:aa:aa");
        moved[0].end.public_address = numbered_peer(9, family).end.public_address;
        CHECK(all_succeed(forwarding->apply(puts(entries_of(own, moved[0])))));
        CHECK(missing(*forwarding, own, moved) == 0);
        CHECK(forwarding->neighbours(own.ifindex, family).value().size() == 1);
        CHECK(forwarding->fdb(own.ifindex).value().size() == 2);  // a MAC each

        CHECK(all_succeed(forwarding->apply(drops(puts(entries_of(own, moved[0]))))));
        CHECK(all_succeed(forwarding->apply(drops(changes))));
        CHECK(all_succeed(forwarding->apply(drops(changes))));
        CHECK(forwarding->neighbours(own.ifindex, family).value().empty());
        CHECK(forwarding->fdb(own.ifindex).value().empty());
        CHECK(missing(*forwarding, own, peer) == 3);
      }
    }
  }
}

TEST_CASE_METHOD(Overlay, "A change that the kernel refuses stops none after it", "[flanneld]") {
  ForwardingTables good = entries_of(v4, numbered_peer(7));
  nl::Route bad = good.routes[0];
  bad.ifindex = 9999;
  std::vector<ForwardingChange> changes{{Act::kPut, bad}};
  for (const ForwardingChange& change : puts(good)) changes.push_back(change);
  const std::vector<Status> done = kernel.apply(changes);
  REQUIRE(done.size() == 4);
  CHECK_FALSE(done[0].has_value());
  CHECK_THAT(done[0].error().message, Catch::Contains("10.0.7.0/24"));
  CHECK(std::all_of(done.begin() + 1, done.end(), [](const Status& status) { return status.has_value(); }));
}

TEST_CASE_METHOD(Overlay, "The entries are what a real flannel leaves", "[flanneld]") {
  WantedPeer peer;
  peer.end = {cidr("10.244.1.0/24"), mac("26:5d:67:26:97:e4"), ip("192.168.77.2")};
  const std::vector<WantedPeer> wanted{peer};
  CHECK(reconcile_overlay(kernel, v4, wanted).applied.changed == 3);
  CHECK(output_of("ip neigh show dev flannel.1") == "10.244.1.0 lladdr 26:5d:67:26:97:e4 PERMANENT \n");
  CHECK(output_of("bridge fdb show dev flannel.1") == "26:5d:67:26:97:e4 dst 192.168.77.2 self permanent\n");
  CHECK_THAT(output_of("ip route show 10.244.1.0/24"),
             Catch::StartsWith("10.244.1.0/24 via 10.244.1.0 dev flannel.1 ") && Catch::Contains("onlink"));
}

TEST_CASE_METHOD(Overlay, "What upstream programmed is taken over without a change, and stale peers go",
                 "[flanneld]") {
  for (const int n : {1, 2}) {
    const std::string base = "10.0." + std::to_string(n) + ".0";
    const std::string lladdr = "66:00:00:00:00:0" + std::to_string(n);
    output_of("ip neigh replace " + base + " lladdr " + lladdr +
              " nud permanent dev flannel.1 && bridge fdb replace " + lladdr +
              " dev flannel.1 dst 192.168.0." + std::to_string(n) + " self permanent && ip route replace " +
              base + "/24 via " + base + " dev flannel.1 onlink");
  }
  CHECK(reconcile_overlay(kernel, v4, numbered_peers(2)).applied.changed == 0);
  CHECK(reconcile_overlay(kernel, v4, numbered_peers(1)).applied.changed == 3);
  CHECK(output_of("ip route show 10.0.2.0/24").empty());
  CHECK_THAT(output_of("ip route show 10.0.1.0/24"),
             Catch::Contains("10.0.1.0/24 via 10.0.1.0 dev flannel.1"));
}

TEST_CASE_METHOD(Overlay, "DirectRouting flips between the ways without leaving anything behind",
                 "[flanneld]") {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    DYNAMIC_SECTION((family == IpFamily::kV4 ? "IPv4" : "IPv6")) {
      const OverlayLink& own = link(family);
      WantedPeers wanted{numbered_peers(3, family), {}, {}};
      REQUIRE(reconcile_overlay(kernel, own, wanted.peers).applied.failed.empty());
      route_directly(wanted, kernel.routes(family).value(), own.ifindex);
      REQUIRE(wanted.peers[0].direct_link == nl::find_link(socket, "u0").value()->index);
      REQUIRE(reconcile_overlay(kernel, own, wanted.peers).applied.failed.empty());
      CHECK(missing(kernel, own, wanted.peers) == 0);
      CHECK(kernel.fdb(own.ifindex).value().empty());
      CHECK(kernel.neighbours(own.ifindex, family).value().empty());

      for (WantedPeer& peer : wanted.peers) peer.direct_link = 0;
      REQUIRE(reconcile_overlay(kernel, own, wanted.peers).applied.failed.empty());
      CHECK(missing(kernel, own, wanted.peers) == 0);
      REQUIRE(reconcile_overlay(kernel, own, {}).applied.failed.empty());
      CHECK(missing(kernel, own, wanted.peers) == 9);
    }
  }
}

TEST_CASE_METHOD(Overlay,
                 "A changed MAC of the device and a flap lose entries, and one pass brings them back",
                 "[flanneld]") {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const auto peers = numbered_peers(20, family);
    REQUIRE(reconcile_overlay(kernel, link(family), peers).applied.changed == 60);
    const std::string device = vxlan_device_name(family, 1);
    output_of("ip link set " + device + " address 66:00:00:00:ff:ff");
    output_of("ip link set " + device + " down && ip link set " + device + " up");
    CHECK(missing(kernel, link(family), peers) > 0);
    REQUIRE(reconcile_overlay(kernel, link(family), peers).applied.failed.empty());
    CHECK(missing(kernel, link(family), peers) == 0);
  }
}

/// Processor time of this process, kernel included.
std::chrono::microseconds processor_time() {
  rusage used{};
  REQUIRE(::getrusage(RUSAGE_SELF, &used) == 0);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

// On the machine's processor time, because others may keep it busy. The bar for the whole start is 300 ms.
TEST_CASE_METHOD(Overlay,
                 "A thousand peers are programmed in a fraction of the 300 ms that a recovery may take",
                 "[flanneld][speed]") {
  using std::chrono::steady_clock;
  const auto peers = numbered_peers(1000);
  const auto step = [&](const char* what, std::size_t changes) {
    const auto began = steady_clock::now();
    const auto used = processor_time();
    const ReconcileReport report = reconcile_overlay(kernel, v4, peers);
    const auto spent = processor_time() - used;
    WARN(what << ": "
              << std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - began).count()
              << " us, of them " << spent.count() << " us on the processor");
    CHECK(report.applied.failed.empty());
    CHECK(report.applied.changed == changes);
    CHECK(spent < std::chrono::milliseconds(300));
  };
  step("1,000 peers from nothing", 3000);
  step("1,000 peers, nothing to do", 0);
  output_of("ip link del flannel.1");
  const int underlay = nl::find_link(socket, "u0").value()->index;
  v4.ifindex = make({{},
                     1450,
                     mac("66:ff:00:00:00:01"),
                     underlay,
                     ip("192.168.0.1"),
                     cidr("10.255.255.0/24"),
                     cidr("10.0.0.0/8")});
  step("1,000 peers after the device was deleted", 3000);
  CHECK(missing(kernel, v4, peers) == 0);

  WantedPeer moved = peers[500];
  moved.end.vtep_mac = mac("66:00:00:00:aa:aa");
  const auto began = steady_clock::now();
  CHECK(change_peer(kernel, v4, &peers[500], &moved).changed == 3);
  WARN("one peer's MAC: "
       << std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - began).count()
       << " us");
}

}  // namespace
}  // namespace holdfast::flannel
