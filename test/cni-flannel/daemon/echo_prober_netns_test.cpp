#include "cni-flannel/daemon/echo_prober.h"
#include "common/base/clock.h"
#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

using Kind = EchoAnswer::Kind;
using holdfast::test::output_of;
using test::ip;

/// This host, a router behind which links carry 1400 bytes only, and a host there; in both families.
struct Ways : holdfast::test::RouteKernel {
  Ways() {
    connect("link1", router.get(), "link2", "10.1.0.1/24", "fd01::1/64", "10.1.0.2/24", "fd01::2/64");
    static_cast<void>(nl::run_in_netns(router.get(), [&] {
      connect("link3", far.get(), "link4", "10.2.0.1/24", "fd02::1/64", "10.2.0.2/24", "fd02::2/64");
      output_of(
          "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && ip link set link3 mtu 1400");
    }));
    static_cast<void>(nl::run_in_netns(far.get(), [] {
      output_of(
          "ip link set link4 mtu 1400 && ip route add default via 10.2.0.1 && ip -6 route add default via "
          "fd02::1");
    }));
    output_of("ip route add 10.2.0.0/24 via 10.1.0.2 && ip -6 route add fd02::/64 via fd01::2");
  }
  static void connect(const std::string& here, int there, const std::string& name, const std::string& v4,
                      const std::string& v6, const std::string& v4_there, const std::string& v6_there) {
    const std::string ready =
        "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 && ";
    output_of(ready + "true");
    nl::Socket socket = nl::Socket::open().value();
    nl::VethSpec link;
    link.name = here;
    link.peer_name = name;
    link.peer_netns_fd = there;
    static_cast<void>(nl::run_in_netns(there, [&] { output_of(ready + "true"); }));
    nl::create_veth(socket, link).value();
    output_of("ip addr add " + v4 + " dev " + here + " && ip addr add " + v6 + " nodad dev " + here);
    static_cast<void>(nl::run_in_netns(there, [&] {
      output_of("ip link set lo up && ip link set " + name + " up && ip addr add " + v4_there + " dev " +
                name + " && ip addr add " + v6_there + " nodad dev " + name);
    }));
  }
  EchoAnswer ask(const std::string& from, const std::string& to, std::uint32_t bytes) {
    const auto prober = EchoProber::create(*loop, ip(from).family()).value();
    std::optional<EchoAnswer> answer;
    prober->ask({ip(from), ip(to), bytes}, std::chrono::milliseconds(300),
                [&](const EchoAnswer& told) { answer = told; });
    for (int turn = 0; turn < 20 && !answer; ++turn) {
      REQUIRE(loop->turn(std::chrono::milliseconds(100)).has_value());
    }
    REQUIRE(answer.has_value());
    return *answer;
  }
  // Links and neighbours of a family take a moment until they are of use; when packets were lost meanwhile, a
  // second.
  void wait_for(const std::string& from, const std::string& to) {
    int tries = 0;
    while (ask(from, to, 100).kind != Kind::kAnswered) {
      REQUIRE(++tries < 100);
    }
  }
  Fd router = holdfast::test::new_netns();
  Fd far = holdfast::test::new_netns();
  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
};

TEST_CASE_METHOD(Ways, "An echo request tells what the way takes, in both families, again and again",
                 "[flanneld]") {
  const EchoAnswer fits{Kind::kAnswered, 0};
  const EchoAnswer router_says{Kind::kTooBig, 1400};
  wait_for("10.1.0.1", "10.2.0.2");
  wait_for("fd01::1", "fd02::2");
  for (int again = 0; again < 2; ++again) {
    // what the kernel has learned the first time does not change the second answer
    CHECK(ask("10.1.0.1", "10.2.0.2", 1400) == fits);
    CHECK(ask("10.1.0.1", "10.2.0.2", 1401) == router_says);
    CHECK(ask("10.1.0.1", "10.1.0.2", 1500) == fits);
    CHECK(ask("fd01::1", "fd02::2", 1400) == fits);
    CHECK(ask("fd01::1", "fd02::2", 1404) == router_says);
  }
  CHECK(ask("10.1.0.1", "10.1.0.2", 1501).kind == Kind::kTooBig);
  CHECK(ask("10.1.0.1", "10.9.0.1", 100).kind == Kind::kUnreachable);
  // a way that loses large packets without a word
  static_cast<void>(nl::run_in_netns(router.get(), [] {
    output_of(
        "nft 'add table inet t; add chain inet t c { type filter hook prerouting priority 0; }; "
        "add rule inet t c meta length > 1300 drop'");
  }));
  CHECK(ask("10.1.0.1", "10.2.0.2", 1400).kind == Kind::kSilent);
  CHECK(ask("fd01::1", "fd02::2", 1300) == fits);
}

}  // namespace
}  // namespace holdfast::flannel
