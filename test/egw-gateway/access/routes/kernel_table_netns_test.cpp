#include <net/if.h>

#include "egw-gateway/access/routes/kernel_table.h"
#include "egw-gateway/access/routes/route_provider.h"
#include "test/catch.h"
#include "test/egw-gateway/access/routes/route_table_contract.h"
#include "test/fakes/temporary_folder.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::gateway {
namespace {

using test::output_of;

/// A machine with two tunnels.
struct Router : test::TableScene {
  Router() {
    output_of(
        "ip link set lo up; ip link add wg0 type veth peer wg1; ip link set wg0 up; ip link set wg1 up");
  }
  RouteTable& table() override { return table_; }
  Clock& clock() override { return clock_; }
  void add_foreign(const Cidr& range) override {
    output_of("ip route add " + range.to_string() + " dev wg0 metric 37");
  }
  int tunnel(int number) override {
    return static_cast<int>(::if_nametoindex(("wg" + std::to_string(number)).c_str()));
  }

  test::FreshNetns netns;
  nl::Socket socket = nl::Socket::open().value();
  KernelTable table_{socket};
  SystemClock clock_;
};

TEST_CASE("The kernel's table keeps what a route table promises", "[egw-access]") {
  SECTION("publishing") {
    Router router;
    check_publishing(router);
  }
  SECTION("foreign routes") {
    Router router;
    check_foreign_routes(router);
  }
  SECTION("nothing is unreached meanwhile") {
    Router router;
    check_nothing_is_unreached_meanwhile(router);
  }
  SECTION("single calls") {
    Router router;
    check_single_calls(router);
  }
}

constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(20);

TEST_CASE_METHOD(Router,
                 "A pool without a gateway has no route that is told on, and gets one as it comes alive",
                 "[egw-access]") {
  TableRoutes routes(table_, clock_, 1);
  for (const char* range : {"10.244.0.0/16", "fd00:244::/48"}) {
    INFO(range);
    const Cidr pods = Cidr::parse(range).value();
    const std::string show = std::string(pods.is_v4() ? "ip -4" : "ip -6") + " route show proto 158";
    output_of("ip route add unreachable " + std::string(range) + " metric 37 proto 158");  // as it once was
    REQUIRE(routes.publish({{pods, 0}}, kPatience).has_value());
    CHECK(output_of(show).empty());
    const auto alive = routes.publish({{pods, tunnel(1)}}, kPatience);
    CHECK(alive->standing == std::vector{pods});
    CHECK(output_of(show).find("unreachable") == std::string::npos);
    CHECK(output_of(show).find("dev wg1") != std::string::npos);
    REQUIRE(routes.publish({{pods, 0}}, kPatience).has_value());
    CHECK(output_of(show).empty());
  }
}

TEST_CASE_METHOD(Router, "A change of the tunnel is one message of the kernel, not a removal and an addition",
                 "[egw-access]") {
  const test::TemporaryFolder folder;
  const std::string file = (folder.path() / "told").string();
  TableRoutes routes(table_, clock_, 1);
  const Cidr pods = Cidr::parse("10.244.0.0/16").value();
  REQUIRE(routes.publish({{pods, tunnel(0)}}, kPatience).has_value());
  // it listens as soon as it tells of a route; one that is put again as it is would not be told of
  output_of("timeout 60 ip monitor route >" + file + " 2>&1 & for i in $(seq 1000); do grep -q 192.0.2.1 " +
            file +
            " && break; ip route add 192.0.2.1/32 dev wg0; ip route del 192.0.2.1/32; sleep 0.02; done");
  REQUIRE(routes.publish({{pods, tunnel(1)}}, kPatience).has_value());
  const std::string told = output_of("for i in $(seq 1000); do grep -q 'dev wg1' " + file +
                                     " && break; sleep 0.02; done; cat " + file);
  CHECK(told.find("10.244.0.0/16 dev wg1") != std::string::npos);
  CHECK(told.find("Deleted 10.244") == std::string::npos);
}

TEST_CASE_METHOD(Router, "What is told on and what packets go by are put right together", "[egw-access]") {
  TableRoutes routes(table_, clock_, 1);
  const Cidr pods = Cidr::parse("10.244.0.0/16").value();
  const auto shown = [] { return output_of("ip route show table 20159; echo /; ip route show proto 158"); };
  const std::string both =
      "10.244.0.0/16 dev wg1 proto 158 scope link metric 37 \n/\n10.244.0.0/16 dev wg1 scope link metric 37 "
      "\n";
  REQUIRE(routes.publish({{pods, tunnel(1)}}, kPatience).has_value());
  REQUIRE(shown() == both);
  SECTION("one that somebody took away") { output_of("ip route flush table 20159"); }
  SECTION("the other") { output_of("ip route flush proto 158"); }
  SECTION("one that leads elsewhere") {
    output_of("ip route replace 10.244.0.0/16 dev wg0 proto 158 metric 37 table 20159");
  }
  REQUIRE(routes.publish({{pods, tunnel(1)}}, kPatience).has_value());
  CHECK(shown() == both);
  SECTION("somebody's in the one's place takes the other away, which would lead there for ever") {
    output_of("ip route replace 10.244.0.0/16 dev wg0 metric 37");
    const auto done = routes.publish({{pods, tunnel(1)}}, kPatience);
    CHECK(done->troubles.at(pods).trouble == RouteTrouble::kForeign);
    CHECK(shown() == "/\n");
    CHECK(output_of("ip route show 10.244.0.0/16").find("dev wg0") != std::string::npos);
  }
  REQUIRE(routes.publish({}, kPatience).has_value());
  CHECK(shown() == "/\n");
}

TEST_CASE_METHOD(Router, "A tunnel that is not there is told, and keeps nothing else from being published",
                 "[egw-access]") {
  TableRoutes routes(table_, clock_, 1);
  const Cidr bad = Cidr::parse("10.244.0.0/16").value();
  const Cidr good = Cidr::parse("10.245.0.0/16").value();
  const auto done = routes.publish({{bad, 4711}, {good, tunnel(0)}}, kPatience);
  REQUIRE(done.has_value());
  CHECK(done->standing == std::vector{good});
  CHECK(done->troubles.at(bad).trouble == RouteTrouble::kRefused);
}

}  // namespace
}  // namespace holdfast::gateway
