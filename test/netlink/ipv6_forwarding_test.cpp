#include "common/netlink/ipv6_forwarding.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "common/netlink/link.h"
#include "common/netlink/route.h"
#include "common/netlink/sysctl.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

using namespace std::chrono_literals;

/// As a router says it on `link`: that it is one for half an hour. Source: RFC 4861 section 4.2.
[[nodiscard]] bool advertise(const char* link) {
  const Fd socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  const int from = static_cast<int>(::if_nametoindex(link));
  const int hops = 255;
  if (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &from, sizeof from) != 0) return false;
  if (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) != 0) return false;
  nd_router_advert message{};
  message.nd_ra_type = ND_ROUTER_ADVERT;
  message.nd_ra_router_lifetime = htons(1800);
  sockaddr_in6 all_nodes{};
  all_nodes.sin6_family = AF_INET6;
  all_nodes.sin6_scope_id = static_cast<std::uint32_t>(from);
  if (::inet_pton(AF_INET6, "ff02::1", &all_nodes.sin6_addr) != 1) return false;
  const ssize_t sent = ::sendto(socket.get(), &message, sizeof message, 0,
                                reinterpret_cast<const sockaddr*>(&all_nodes), sizeof all_nodes);
  return sent == static_cast<ssize_t>(sizeof message);
}

/// A machine that a router advertises itself to by `up0`. `pod0` is another link of it.
struct AdvertisedTo : test::RouteKernel {
  AdvertisedTo() {
    VethSpec veth;
    veth.name = "up0";
    veth.peer_name = "router0";
    veth.peer_netns_fd = router.get();
    REQUIRE(create_veth(socket, veth).has_value());
    test::output_in(router.get(),
                    "ip link set router0 addrgenmode none up && ip addr add fe80::1/64 dev router0 nodad");
    test::output_of("ip link add pod0 type veth peer pod1 && ip link set pod0 up && ip link set up0 up");
    REQUIRE(set_sysctl(kIpv6Forwarding, "0").has_value());
    for (const char* link : {"up0", "pod0"}) REQUIRE(set_sysctl(accept_ra(link), "1").has_value());
  }

  static std::string accept_ra(const std::string& link) { return "net/ipv6/conf/" + link + "/accept_ra"; }

  [[nodiscard]] bool has_default() {
    const std::vector<Route> routes =
        list_routes(socket, {.family = IpFamily::kV6, .protocol = RTPROT_RA}).value();
    for (const Route& route : routes) {
      if (route.dst.prefix() == 0) return true;
    }
    return false;
  }

  /// Whether the machine takes the router for one, when that says so again and again.
  [[nodiscard]] bool hears_router() {
    for (int tries = 0; tries < 50 && !has_default(); ++tries) {
      // not before its link has a carrier
      static_cast<void>(run_in_netns(router.get(), [] { static_cast<void>(advertise("router0")); }));
      std::this_thread::sleep_for(100ms);
    }
    return has_default();
  }

  Fd router = test::new_netns();
};

TEST_CASE_METHOD(AdvertisedTo,
                 "A machine that begins to forward keeps the router that it has by advertisements",
                 "[netlink]") {
  REQUIRE(hears_router());
  REQUIRE(forward_ipv6(socket).has_value());
  CHECK(get_sysctl(kIpv6Forwarding).value() == "1");
  CHECK(has_default());
  test::output_of("ip -6 route del default proto ra");
  CHECK(hears_router());  // what it is told later counts too
  CHECK(get_sysctl(accept_ra("up0")).value() == "2");
  CHECK(get_sysctl(accept_ra("pod0")).value() == "1");  // nobody's word is taken there, now as before
}

TEST_CASE_METHOD(AdvertisedTo,
                 "A machine that forwards already, or whose host takes advertisements, is left alone",
                 "[netlink]") {
  REQUIRE(hears_router());
  SECTION("it forwards") {
    REQUIRE(set_sysctl(kIpv6Forwarding, "1").has_value());
    CHECK_FALSE(has_default());  // what the kernel does of itself
    REQUIRE(forward_ipv6(socket).has_value());
    CHECK(get_sysctl(accept_ra("up0")).value() == "1");
  }
  SECTION("a program takes them") {
    REQUIRE(set_sysctl(accept_ra("up0"), "0").has_value());
    REQUIRE(forward_ipv6(socket).has_value());
    CHECK(get_sysctl(accept_ra("up0")).value() == "0");
  }
}

}  // namespace
}  // namespace holdfast::nl
