// `holdfast explain` and `doctor` on a gateway's node, which runs the real egw-helper beside the real
// egw-core.

#include <csignal>

#include "test/catch.h"
#include "test/egw-gateway/core/gateway_node.h"

namespace holdfast::gateway {
namespace {

using test::GatewayNode;
using test::until;

struct Asked : GatewayNode {
  Asked() {
    until([&] { return ask("explain 172.16.0.5").ends_with("status 0\n"); });
  }
  /// What `holdfast WORDS` prints on the node, and "status N" behind it.
  [[nodiscard]] std::string ask(const std::string& words) const {
    return edge.run(std::string(HOLDFAST_PROGRAM) + " " + words +
                    " --probe=false --egw-state-dir=" + (folder / "egw").native() + " 2>&1; echo status $?");
  }
  /// Until it is told of the address.
  void until_told(const std::string& words, const std::string& text) const {
    until([&] { return ask(words).find(text) != std::string::npos; });
  }
};

TEST_CASE_METHOD(Asked, "explain prints the way to the VPC hop by hop, and doctor is content with it",
                 "[gateway]") {
  const std::string told = ask("explain 172.16.0.5");
  CHECK_THAT(
      told, Catch::Contains("172.16.0.5: in 172.16.0.0/12 of the VPC, which pool hangzhou") &&
                Catch::Contains(
                    "this node: 172.16.0.0/12 via 10.244.1.7 dev eth0 metric 37 table 20158, to gateway a") &&
                Catch::Contains("gateway a: pod 10.244.1.7 on box-1, on this node; is up by BFD") &&
                Catch::Contains("tunnel a - one: to 192.0.2.11 port 51827; answers, last handshake") &&
                Catch::Contains("tunnel a - two: to 192.0.2.12 port 51827; answers") &&
                Catch::Contains("this node itself as 198.18.0.7"));
  CHECK(reaches());
  CHECK_THAT(ask("explain fd00:172::5"),
             Catch::Contains("via fd00:244:0:1::7 dev eth0 metric 37 table 20158, to gateway a") &&
                 !Catch::Contains("the kernel does not tell") && Catch::EndsWith("status 0\n"));
  CHECK_THAT(ask("explain 203.0.113.9"),
             Catch::Contains("is in no range of pool hangzhou") && Catch::EndsWith("status 1\n"));
  CHECK_THAT(ask("doctor"),
             Catch::Matches("(.|\n)*ok +egw-helper +runs, process [0-9]+, ready\n(.|\n)*") &&
                 Catch::Matches("(.|\n)*ok +routes to gateways +as wanted, to gateway a\n(.|\n)*") &&
                 Catch::Matches("(.|\n)*ok +gateway a +is up, on box-1, in use\n(.|\n)*"));
}

TEST_CASE_METHOD(Asked, "explain names what is broken on the way, one thing after the other", "[gateway]") {
  const std::string vpc = "explain 172.16.0.5";
  static_cast<void>(edge.run("ip route add 172.16.0.0/24 via 192.0.2.12 dev uplink"));
  until_told(vpc, "passed over: 172.16.0.0/24 via 192.0.2.12 dev uplink, which is not egw-helper's");
  until_told(vpc, "WRONG: egw-helper: RangesClear: somebody's route to 172.16.0.0/24");
  static_cast<void>(edge.run("ip route del 172.16.0.0/24"));
  until([&] { return ask(vpc).ends_with("status 0\n"); });

  // a VPN client's rule, and one for what somebody has marked
  static_cast<void>(edge.run(
      "ip route add default via 192.0.2.12 dev uplink table 100 && ip rule add pref 5000 lookup 100"));
  CHECK_THAT(ask(vpc),
             Catch::Contains("WRONG: the kernel has another way for what this node sends: default via "
                             "192.0.2.12 dev uplink table 100; a policy rule"));
  static_cast<void>(edge.run("ip rule del pref 5000 && ip rule add pref 5000 fwmark 0x64/0xff lookup 100"));
  CHECK_THAT(ask(vpc),
             Catch::Contains("WRONG: the kernel has another way for what a packet with mark 0x64 sends") &&
                 !Catch::Contains("for what this node sends"));
  static_cast<void>(edge.run("ip rule del pref 5000 && ip rule add pref 5000 to 172.16.0.5 prohibit"));
  CHECK_THAT(
      ask(vpc),
      Catch::Contains("WRONG: the kernel has another way for what this node sends: prohibit 172.16.0.5/32"));
  static_cast<void>(edge.run("ip rule del pref 5000 && ip route flush table 100"));
  until([&] { return ask(vpc).ends_with("status 0\n"); });

  two.die();
  until_told(vpc, "tunnel a - two: to 192.0.2.12 port 51827; is DOWN");
  CHECK_THAT(ask(vpc), Catch::Contains("WRONG: the access point does not answer by BFD inside the tunnel"));
  CHECK_THAT(ask("doctor"), Catch::Contains("tunnel a - two"));

  helper.stop(SIGKILL);
  until_told(vpc, "WRONG: egw-helper does not run");
  static_cast<void>(edge.run("ip route del unreachable 172.16.0.0/12 metric 1000000 table 20158"));
  CHECK_THAT(ask(vpc),
             Catch::Contains("WRONG: the kernel lacks unreachable 172.16.0.0/12 metric 1000000 table 20158"));
  start_helper();
  until([&] { return ask(vpc).find("the kernel lacks") == std::string::npos; });

  program.stop(SIGKILL);
  until_told(vpc, "WRONG: no gateway is in use");
  CHECK_THAT(ask(vpc),
             Catch::Contains("gateway a: pod 10.244.1.7 on box-1, on this node; is DOWN by BFD") &&
                 Catch::Contains("this node: unreachable 172.16.0.0/12 metric 1000000 table 20158"));
  CHECK_THAT(ask("doctor"), Catch::Matches("(.|\n)*WRONG +routes to gateways +no gateway is in use(.|\n)*"));
}

}  // namespace
}  // namespace holdfast::gateway
