// The real egw-helper beside the real flanneld, on three nodes, with BFD to two gateways.

#include <fstream>
#include <regex>
#include <thread>

#include "egw-gateway/choice/gateway_choice.h"
#include "test/catch.h"
#include "test/egw-gateway/helper/gateway_scene.h"
#include "test/egw-gateway/object_file.h"

namespace holdfast::gateway {
namespace {

using holdfast::test::GatewayScene;
using holdfast::test::print_time;
using holdfast::test::until;
using namespace std::chrono_literals;

constexpr auto kPatience = std::chrono::seconds(30);

/// Pings the VPC from the pod every 10 ms until it is asked how many were lost.
class Ping {
 public:
  Ping(GatewayScene& scene, const std::string& target) : scene_(scene), log_(scene.home / "ping.log") {
    std::filesystem::remove(log_);
    program_.start(scene.pod.netns.get(), {"/bin/ping", "-i", "0.01", "-q", target}, log_);
  }
  int lost() {
    program_.send(SIGINT);
    program_.wait();
    const std::string text = scene_.pod.run("cat " + log_.native());
    int sent = 0;
    int received = 0;
    const std::size_t at = text.find(" packets transmitted");
    REQUIRE(at != std::string::npos);
    sent = std::stoi(text.substr(text.rfind('\n', at) + 1));
    received = std::stoi(text.substr(text.find(", ", at) + 2));
    return sent - received;
  }

 private:
  GatewayScene& scene_;
  std::filesystem::path log_;
  test::Program program_;
};

TEST_CASE_METHOD(GatewayScene, "Pods reach the VPC and it them, each by its own address", "[gateway]") {
  start_all();
  const char returns = GENERATE('a', 'b');
  CAPTURE(returns);
  return_by(returns);
  // conntrack's picture is half of the truth with b
  print_time("first answer", until([&] { return reaches(); }, kPatience));
  // IPv6 learns its neighbours more slowly
  print_time("first answer by IPv6",
             until([&] { return pod.can("ping -c 1 -W 1 -q fd00:20::1"); }, kPatience));
  vpc.run(
      "nft add table ip seen && nft 'add chain ip seen in { type filter hook input priority 0; }' && nft add "
      "rule "
      "ip seen in ip saddr 10.244.3.9 counter");
  CHECK(reaches());
  CHECK_THAT(vpc.run("nft list chain ip seen in"), Catch::Contains("counter packets 1 "));
  CHECK(vpc.can("ping -c 1 -W 1 -q 10.244.3.9"));
  CHECK(vpc.can("ping -c 1 -W 1 -q fd00:0:0:3::9"));
  // TCP, whose packets conntrack could call invalid
  holdfast::test::Program server;
  server.start(vpc.netns.get(), {"/usr/bin/python3", "-m", "http.server", "8000", "--bind", "172.16.0.1"},
               home / "server.log");
  until([&] { return vpc.can("bash -c 'exec 3<>/dev/tcp/172.16.0.1/8000'"); }, kPatience);
  CHECK(pod.can(
      "timeout 5 bash -c 'exec 3<>/dev/tcp/172.16.0.1/8000 && printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3 && "
      "grep -q \"200 OK\" <&3'"));
  CHECK(leaked(1) + leaked(2) + leaked(3) == 0);
}

TEST_CASE_METHOD(GatewayScene, "A node's own pods reach the VPC by the gateway beside them", "[gateway]") {
  start_all();
  holdfast::test::Machine beside;
  plug(beside, 1, 9);
  const char returns = GENERATE('a', 'b');
  return_by(returns);
  until([&] { return beside.can("ping -c 1 -W 1 -q 172.16.0.1"); }, kPatience);
  until([&] { return beside.can("ping -c 1 -W 1 -q fd00:20::1"); }, kPatience);
  CHECK_THAT(beside.run("ip route get 172.16.0.1"),
             Catch::Contains("via 10.244.1.1"));  // told of no other way
  CHECK(node(1).can("sysctl -n net.ipv4.conf.cni0.send_redirects | grep -qx 0"));
  CHECK(node(1).can("sysctl -n net.ipv4.conf.cni0.rp_filter | grep -qx 2"));
  CHECK(node(1).can("ping -c 1 -W 1 -q -I 10.244.1.1 172.16.0.1"));
  CHECK(node(3).can("ping -c 1 -W 1 -q 172.16.0.1"));
}

TEST_CASE_METHOD(GatewayScene, "A gateway's neighbours reach the VPC through a Service", "[gateway]") {
  start_all();
  holdfast::test::Machine beside;
  plug(beside, 1, 9);
  // as kube-proxy does
  static_cast<void>(
      node(1).run("iptables -t nat -A PREROUTING -d 10.96.0.20 -p tcp --dport 80 -j DNAT --to-destination "
                  "172.16.0.1:8000"));
  const char returns = GENERATE('a', 'b');
  CAPTURE(returns);
  return_by(returns);
  holdfast::test::Program server;
  server.start(vpc.netns.get(), {"/usr/bin/python3", "-m", "http.server", "8000", "--bind", "172.16.0.1"},
               home / "server.log");
  const auto serves = [&](const std::string& where) {
    return beside.can("timeout 2 bash -c 'exec 3<>/dev/tcp/" + where +
                      " && printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3 && grep -q \"200 OK\" <&3'");
  };
  until([&] { return serves("172.16.0.1/8000"); }, kPatience);
  CHECK(serves("10.96.0.20/80"));
}

TEST_CASE_METHOD(GatewayScene, "A gateway tells pods of packets that are too big, and they reach it",
                 "[gateway]") {
  start_all();
  holdfast::test::Machine beside;
  plug(beside, 1, 9);
  core_a.run("ip link set wg0 mtu 1300");
  // the first asks: the node learns the size of the path by it
  CHECK_THAT(pod.run("ping -M do -c 2 -i 0.2 -W 2 -s 1310 172.16.0.1 2>&1 || true"),
             Catch::Contains("mtu = 1300"));
  holdfast::test::Program server;
  server.start(core_a.netns.get(), {"/usr/bin/python3", "-m", "http.server", "8000"}, home / "server.log");
  for (const holdfast::test::Machine* one : {&pod, &beside}) {
    until(
        [&] {
          return one->can(
              "timeout 2 bash -c 'exec 3<>/dev/tcp/10.244.1.7/8000 && echo x >&3 && grep -q 400 <&3'");
        },
        kPatience);
  }
}

TEST_CASE_METHOD(GatewayScene, "The cloud begins no connection to a node, and that is counted", "[gateway]") {
  start_all();
  for (const char* address : {"10.244.3.1", "10.244.3.0", "10.244.1.1", "fd00:0:0:3::1"}) {
    CAPTURE(address);
    CHECK_FALSE(vpc.can(std::string("ping -c 1 -W 0.3 -q ") + address));
  }
  until([&] { return metric(3, "egw_helper_refused_packets") >= 3; }, kPatience);
  CHECK(metric(2, "egw_helper_refused_packets") == 0);
}

TEST_CASE_METHOD(GatewayScene, "When the live gateway dies the other takes over, and back when it stays up",
                 "[gateway]") {
  start_all();
  const bool killed = GENERATE(true, false);
  Ping ping(*this, "172.16.0.1");
  const auto gone = std::chrono::steady_clock::now();
  if (killed) {
    core('a').stop(SIGKILL);
    core_a.run("ip link set wg0 down");
  } else {
    core('a').send(SIGSTOP);
  }
  return_by('b');
  until([&] { return routes_to(3, 'b'); }, kPatience);
  print_time("blackout, as the routes tell",
             std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - gone));
  CHECK(reaches());
  CHECK_THAT(helper_log(3), Catch::Contains("gateway changed") && Catch::Contains("a is down; b is up"));
  if (killed) {
    core_a.run("ip link set wg0 up");
    start_core('a');
  } else {
    core('a').send(SIGCONT);
  }
  until([&] { return routes_to(3, 'a') && routes_to(1, 'a') && routes_to(2, 'a'); }, kPatience);
  CHECK(metric(3, "egw_helper_switches_total") <= 3);
  const int lost = ping.lost();
  std::printf("packets lost, 10 ms apart: %d\n", lost);
  CHECK(leaked(1) + leaked(2) + leaked(3) == 0);
}

TEST_CASE_METHOD(GatewayScene, "A gateway that goes in order loses nothing, nor does its return",
                 "[gateway]") {
  start_all();
  return_by('b');
  Ping ping(*this, "172.16.0.1");
  core('a').stop(SIGTERM);
  until([&] { return routes_to(3, 'b') && routes_to(1, 'b'); }, kPatience);
  start_core('a');
  until([&] { return routes_to(3, 'a') && routes_to(1, 'a'); }, kPatience);
  CHECK(ping.lost() == 0);
}

TEST_CASE_METHOD(GatewayScene, "With both gateways dead nothing leaves, and pods are told at once",
                 "[gateway]") {
  start_all();
  core('a').stop(SIGKILL);
  core('b').stop(SIGKILL);
  for (int n = 1; n <= 3; ++n) {
    until([&] { return !routes_to(n, 'a') && !routes_to(n, 'b'); }, kPatience);
  }
  CHECK_THAT(pod.run("ping -c 3 -i 0.1 -W 1 172.16.0.1 || true"), Catch::Contains("Unreachable"));
  CHECK_THAT(pod.run("ping -c 1 -W 1 fd00:20::1 || true"),
             Catch::Contains("Unreachable") || Catch::Contains("No route"));
  CHECK_THAT(node(3).run("ping -c 1 -W 1 172.16.0.1 2>&1 || true"), Catch::Contains("No route to host"));
  CHECK(leaked(1) + leaked(2) + leaked(3) == 0);
  CHECK_THAT(page(3, "/readyz"), Catch::Contains("503") && Catch::Contains("no gateway is alive"));
  start_core('b');
  until([&] { return routes_to(3, 'b'); }, kPatience);
  return_by('b');
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(GatewayScene,
                 "After a reboot the store alone closes the ranges, and opens them by a live gateway",
                 "[gateway]") {
  start_all();
  const auto reboot = [&] {
    helper(3).stop(SIGKILL);
    // what a reboot leaves: routes, rules, and /run are gone
    static_cast<void>(
        node(3).run("for f in -4 -6; do ip $f route flush proto 157; for t in 7 8; do "
                    "ip $f route flush table 2015$t; ip $f rule del pref 1015$t; done; done; "
                    "nft delete table ip egw-ipv4; nft delete table ip6 egw-ipv6"));
    std::filesystem::remove_all(node(3).path("run/no-masq.d"));
  };
  reboot();
  std::filesystem::rename(home / "gateways", home / "away");  // the cloud is away
  SECTION("for the host's boot, before any pod") {
    helper(3).start(node(3).netns(),
                    {EGW_HELPER_PROGRAM, "--once", "--state-dir=" + node(3).path("egw").native()},
                    node(3).path("helper.log"));
    CHECK(helper(3).wait() == 0);
    CHECK_THAT(pod.run("ping -c 1 -W 1 172.16.0.1 || true"), Catch::Contains("Unreachable"));
    CHECK(leaked(3) == 0);
  }
  SECTION("with keys that are none") {
    std::ofstream(home / "keys") << "swordfish\n";
    helper_flags = {"--bfd-keys=" + (home / "keys").native()};
    start_helper(3);
    until([&] { return page(3, "/readyz?verbose").find("no gateway is believed") != std::string::npos; },
          kPatience);
    CHECK_THAT(pod.run("ping -c 1 -W 1 172.16.0.1 || true"), Catch::Contains("Unreachable"));
    CHECK(leaked(3) == 0);
  }
  SECTION("with both gateways dead") {
    core('a').stop(SIGKILL);
    core('b').stop(SIGKILL);
    start_helper(3);
    until([&] { return node(3).can("ip route show 172.16.0.0/16 | grep -q unreachable"); }, kPatience);
    CHECK_THAT(pod.run("ping -c 1 -W 1 172.16.0.1 || true"), Catch::Contains("Unreachable"));
    CHECK(leaked(3) == 0);
  }
  SECTION("with live gateways") {
    start_helper(3);
    until([&] { return routes_to(3, 'a') || routes_to(3, 'b'); }, kPatience);
    until([&] { return reaches(); }, kPatience);
    CHECK(std::filesystem::exists(node(3).path("run/no-masq.d/egw-helper")));
  }
}

TEST_CASE_METHOD(GatewayScene, "A helper that is killed and begins anew takes no route away", "[gateway]") {
  start_all();
  const bool offline = GENERATE(false, true);
  if (offline) std::filesystem::rename(home / "gateways", home / "away");
  Ping ping(*this, "172.16.0.1");
  for (int i = 0; i < 3; ++i) {
    CHECK(helper(3).stop(SIGKILL) == 128 + SIGKILL);
    start_helper(3);
    until([&] { return page(3, "/readyz").find(" 200 OK") != std::string::npos; }, kPatience);
    CHECK(routes_to(3, 'a'));
  }
  CHECK(ping.lost() == 0);
  CHECK(helper_log(3).find("to=none") == std::string::npos);
}

TEST_CASE_METHOD(GatewayScene, "A helper that is told late of a gateway that died meanwhile leaves it",
                 "[gateway]") {
  start_all();
  helper(3).stop(SIGKILL);
  core('a').stop(SIGKILL);
  std::filesystem::rename(home / "gateways", home / "away");
  std::filesystem::remove_all(node(3).path("egw"));
  start_helper(3);
  until([&] { return page(3, "/readyz?verbose").find("neither stored nor told") != std::string::npos; },
        kPatience);
  std::this_thread::sleep_for(kFirstWord + 1s);  // the lateness itself, not a wait
  CHECK(routes_to(3, 'a'));
  std::filesystem::rename(home / "away", home / "gateways");
  until([&] { return routes_to(3, 'b'); }, kPatience);
}

TEST_CASE_METHOD(GatewayScene, "The API server of a kubeconfig stays on the node's own routes, also at boot",
                 "[gateway]") {
  start_all();
  const auto way_to_server = [&] { return node(3).run("ip route get 172.16.9.9 2>&1 || true"); };
  CHECK_THAT(way_to_server(), Catch::Contains("dev flannel.1"));
  helper(3).stop(SIGKILL);
  std::ofstream(home / "kubeconfig")
      << "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
         "clusters: [{name: c, cluster: {server: 'https://172.16.9.9:6443'}}]\n"
         "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
         "users: [{name: u, user: {token: t}}]\n";
  start_helper(3, {"--source=crd", "--kubeconfig=" + (home / "kubeconfig").native()});
  until([&] { return way_to_server().find("flannel.1") == std::string::npos; }, kPatience);
  CHECK(node(3).can("ip route get 172.16.9.8 | grep -q flannel.1"));
  CHECK(reaches());
  until([&] { return node(3).can("grep -q 172.16.9.9 " + node(3).path("egw/helper.json").native()); },
        kPatience);
  helper(3).stop(SIGKILL);
  static_cast<void>(node(3).run("for f in -4 -6; do ip $f route flush table all proto 157; done"));
  helper(3).start(node(3).netns(),
                  {EGW_HELPER_PROGRAM, "--once", "--state-dir=" + node(3).path("egw").native()},
                  node(3).path("helper.log"));
  CHECK(helper(3).wait() == 0);
  CHECK_THAT(way_to_server(), !Catch::Contains("No route to host"));
  CHECK_THAT(node(3).run("ip route get 172.16.9.8 2>&1 || true"), Catch::Contains("No route to host"));
}

TEST_CASE_METHOD(GatewayScene, "Routes and rules that somebody takes away are put again", "[gateway]") {
  start_all();
  struct Damage {
    const char* what;
    const char* command;
    const char* look;
  };
  const Damage damages[] = {
      {"route to the gateway", "ip route del 172.16.0.0/16 metric 37 table 20158",
       "ip route show table 20158 172.16.0.0/16 metric 37 | grep -q via"},
      {"unreachable route", "ip route del unreachable 172.16.0.0/16 metric 1000000 table 20158",
       "ip route show table 20158 172.16.0.0/16 | grep -q unreachable"},
      {"unreachable route in main", "ip route del unreachable 172.16.0.0/16 metric 1000000",
       "ip route show 172.16.0.0/16 | grep -q unreachable"},
      {"all of a table", "ip route flush table 20157", "ip route show table 20157 | grep -q 172.16"},
      {"IPv6 route", "ip -6 route del fd00:20::/48 metric 37 table 20158",
       "ip -6 route show table 20158 fd00:20::/48 metric 37 | grep -q via"},
      {"rule for the overlay", "ip rule del pref 10157", "ip rule show pref 10157 | grep -q 20157"},
      {"rule", "ip rule del pref 10158", "ip rule show pref 10158 | grep -q 20158"},
      {"IPv6 rule", "ip -6 rule del pref 10158", "ip -6 rule show pref 10158 | grep -q 20158"},
      {"packet filter", "nft delete table ip egw-ipv4", "nft list ruleset 2>/dev/null | grep -q egw-ipv4"}};
  for (const Damage& damage : damages) {
    DYNAMIC_SECTION(damage.what) {
      static_cast<void>(node(3).run(damage.command));
      print_time(std::string("mended: ") + damage.what,
                 until([&] { return node(3).can(damage.look); }, kPatience));
      CHECK(reaches());
    }
  }
}

TEST_CASE_METHOD(GatewayScene, "A route that somebody else writes for a range is passed over, and told",
                 "[gateway]") {
  start_all();
  const auto is_told = [&] {
    return page(3, "/readyz?verbose").find("[-]RangesClear") != std::string::npos &&
           metric(3, "egw_helper_routes_passed_over") == 3;
  };
  // as DHCP clients write them: of metric 0, for all and for halves; and a router's word for IPv6
  static_cast<void>(node(3).run(
      "ip route add 172.16.0.0/16 via 192.168.77.1 && ip route add 172.16.0.0/17 via 192.168.77.1 && "
      "ip addr add fd00:77::3/64 dev eth0 nodad && "
      "ip -6 route add fd00:20::/49 via fd00:77::1 dev eth0 metric 1"));
  until(is_told, kPatience);
  CHECK(reaches());
  CHECK_THAT(
      page(3, "/readyz?verbose"),
      Catch::Contains("172.16.0.0/17 via 192.168.77.1 is passed over; take it away, or tell --exempt"));
  CHECK_THAT(node(3).run("ip route get fd00:20::1"), Catch::Contains("dev flannel-v6.1"));
  core('a').stop(SIGKILL);
  core('b').stop(SIGKILL);
  until([&] { return !routes_to(3, 'a') && !routes_to(3, 'b'); }, kPatience);
  CHECK_THAT(pod.run("ping -c 3 -i 0.1 -W 1 172.16.0.1 || true"), Catch::Contains("Unreachable"));
  CHECK_THAT(node(3).run("ip route get fd00:20::1 2>&1 || true"), Catch::Contains("No route to host"));
  CHECK(leaked(3) == 0);
  static_cast<void>(
      node(3).run("ip route del 172.16.0.0/16 via 192.168.77.1 && ip route del 172.16.0.0/17 && ip -6 route "
                  "del fd00:20::/49"));
  until([&] { return metric(3, "egw_helper_routes_passed_over") == 0; }, kPatience);
}

TEST_CASE_METHOD(GatewayScene, "With a key only a gateway that has it is alive, and without keys none is",
                 "[gateway]") {
  start_with_key("swordfish");
  secret = "guessed";
  core('a').stop(SIGKILL);
  start_core('a');
  return_by('b');
  until([&] { return routes_to(3, 'b') && metric(3, "egw_helper_gateway_up{gateway=\"a\"}") == 0; },
        kPatience);
  CHECK(reaches());
  helper(3).stop(SIGKILL);
  helper_flags.clear();
  start_helper(3);
  until([&] { return page(3, "/readyz").find("mount it and tell --bfd-keys") != std::string::npos; },
        kPatience);
  until([&] { return !routes_to(3, 'a') && !routes_to(3, 'b'); }, kPatience);
  CHECK_THAT(pod.run("ping -c 1 -W 1 172.16.0.1 || true"), Catch::Contains("Unreachable"));
}

TEST_CASE_METHOD(GatewayScene,
                 "A helper that begins with keys that cannot be read leaves a gateway that dies",
                 "[gateway]") {
  start_with_key("swordfish");
  helper(3).stop(SIGKILL);
  std::ofstream(home / "keys") << "a secret without an id\n";
  start_helper(3);
  until([&] { return page(3, "/readyz?verbose").find("no gateway is believed") != std::string::npos; },
        kPatience);
  core('a').stop(SIGKILL);
  until([&] { return !routes_to(3, 'a') && !routes_to(3, 'b'); }, kPatience);
  CHECK_THAT(pod.run("ping -c 1 -W 1 172.16.0.1 || true"), Catch::Contains("Unreachable"));
  std::ofstream(home / "keys") << "1 swordfish\n";
  return_by('b');
  until([&] { return routes_to(3, 'b'); }, kPatience);
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(GatewayScene, "Nothing of liveness is in a node's table of connections", "[gateway]") {
  helper_flags = {GENERATE("--firewall=nftables", "--firewall=iptables")};
  start_all();
  return_by('b');
  CHECK(reaches());
  for (const int number : {1, 3}) {  // a gateway's node, and another
    CAPTURE(number);
    // the node's own connections are
    static_cast<void>(node(number).run("ping -c 1 -W 1 -q 192.168.77.2 || true"));
    CHECK(node(number).can("grep -q icmp /proc/net/nf_conntrack"));
    // those from before the rules stood end 30 s after their last packet
    until([&] { return !node(number).can("grep -q dport=4784 /proc/net/nf_conntrack"); }, kPatience * 2);
    CHECK(metric(number, "egw_helper_gateway_up{gateway=\"a\"}") == 1);
    CHECK(metric(number, "egw_helper_gateway_up{gateway=\"b\"}") == 1);
  }
}

TEST_CASE_METHOD(GatewayScene, "With iptables the rules are the same, and are put again", "[gateway]") {
  helper_flags = {"--firewall=iptables"};
  start_all();
  return_by('b');
  CHECK(reaches());
  CHECK(node(1).can("iptables -t raw -S EGW-RAW | grep -q notrack"));
  CHECK(node(1).can("ip6tables -t raw -S EGW-RAW | grep -q notrack"));
  CHECK_FALSE(node(3).can("iptables -t raw -S EGW-RAW | grep notrack | grep -v 4784"));
  CHECK_FALSE(vpc.can("ping -c 1 -W 0.3 -q 10.244.3.1"));
  until([&] { return metric(3, "egw_helper_refused_packets") >= 1; }, kPatience);
  CHECK(node(3).can("iptables -t mangle -S POSTROUTING | sed -n 2p | grep -q EGW-LEAVING"));
  CHECK(node(3).can("ip6tables -t mangle -S EGW-LEAVING | grep -q 'fd00:20::/48.*DROP'"));
  // somebody's rule before ours, and a table of his own
  static_cast<void>(
      node(3).run("ip route add default via 192.168.77.1 table 100 && ip rule add pref 5000 lookup 100"));
  CHECK_FALSE(node(3).can("ping -c 1 -W 0.3 -q 172.16.0.1"));
  CHECK(leaked(3) == 0);
  static_cast<void>(node(3).run("ip rule del pref 5000"));
  // that took away liveness' packets, too
  until([&] { return metric(3, "egw_helper_gateway_up{gateway=\"a\"}") == 1; }, kPatience);
  // liveness comes by the overlay and the bridge alone: a machine of the site fills no queue of it
  const auto refused = [&] {
    return node(3).can(
        "iptables -w -nvxL EGW-INPUT | awk '/DROP/ && /dpt:4784/ && $1 > 0 {n = 1} END {exit !n}'");
  };
  CHECK_FALSE(refused());
  static_cast<void>(node(1).run("bash -c 'echo flood > /dev/udp/192.168.77.3/4784'"));
  until(refused, kPatience);
  CHECK(metric(3, "egw_helper_gateway_up{gateway=\"a\"}") == 1);
  static_cast<void>(node(3).run("iptables -F EGW-INPUT"));
  until([&] { return node(3).can("iptables -S EGW-INPUT | grep -q DROP"); }, kPatience);
}

/// What egw-helper of node 3 says of a concern; empty: all is well.
std::string trouble_with(GatewayScene& scene, const std::string& concern) {
  const std::string report = scene.page(3, "/readyz?verbose");
  const std::string label = "[-]" + concern + " failed: ";
  const std::size_t at = report.find(label);
  if (at == std::string::npos) return "";
  return report.substr(at + label.size(), report.find('\n', at) - at - label.size());
}

TEST_CASE_METHOD(GatewayScene, "A firewalld that refuses what is forwarded is told, and its cure is one",
                 "[gateway]") {
  if (!std::filesystem::exists(HOLDFAST_PEERS "/usr/sbin/firewalld")) {
    WARN("skipped: there is no firewalld in " HOLDFAST_PEERS "; unpack_packages peers of scripts/");
    return;
  }
  start_all();
  CHECK(trouble_with(*this, "ForwardingFree").empty());
  const auto firewalld = [&](const std::string& command) {
    static_cast<void>(node(3).run(FIREWALLD_SCRIPT " " HOLDFAST_PEERS " " +
                                  node(3).path("firewalld").native() + " '" + command + "'"));
  };
  firewalld("firewall-cmd --permanent --add-port=8472/udp; firewall-cmd --reload");
  std::string trouble;
  until(
      [&] {
        trouble = trouble_with(*this, "ForwardingFree");
        return !trouble.empty();
      },
      kPatience);
  INFO(trouble);
  CHECK_FALSE(reaches());
  std::smatch cure;
  REQUIRE(std::regex_search(trouble, cure, std::regex(": run (firewall-cmd .*), then (firewall-cmd .*)")));
  firewalld(cure[1].str() + "; " + cure[2].str());
  until([&] { return trouble_with(*this, "ForwardingFree").empty(); }, kPatience);
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(GatewayScene, "Packet-filter rules that somebody flushes are back with the next look",
                 "[gateway]") {
  std::string flush = "nft flush ruleset";
  SECTION("as a reload of nftables does it") {}
  SECTION("as a firewall's restart does it, which drops what nobody accepts") {
    helper_flags = {"--firewall=iptables"};
    flush =
        "for p in iptables ip6tables; do for t in raw mangle nat filter; do $p -w -t $t -F; $p -w -t $t -X; "
        "done; $p -w -P FORWARD DROP; done";
  }
  helper_flags.emplace_back("--resync=1");
  start_all();
  const auto rules = [&] {
    return node(1).run(
        "nft -s list table ip egw-ipv4 2>&1; nft -s list table ip6 egw-ipv6 2>&1; "
        "iptables-save | grep -- 'EGW-'; ip6tables-save | grep -- 'EGW-'; true");
  };
  const std::string before = rules();
  const double mended = metric(1, "egw_helper_rules_mended_total");
  static_cast<void>(node(1).run(flush));
  print_time("egw-helper's rules are back (a look each second)",
             until([&] { return rules() == before; }, kPatience));
  until([&] { return metric(1, "egw_helper_rules_mended_total") >= mended + 2; }, kPatience);
  return_by('b');  // flanneld's rules too: of the two ways one is not tracked
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(GatewayScene, "A gateway that flaps causes one switch", "[gateway]") {
  start_all();
  until([&] { return metric(3, "egw_helper_gateway_up{gateway=\"b\"}") == 1; }, kPatience);
  const double before = metric(3, "egw_helper_switches_total");
  return_by('b');
  for (int i = 0; i < 6; ++i) {
    core('a').send(SIGSTOP);
    std::this_thread::sleep_for(1s);  // the flapping itself, not a wait
    core('a').send(SIGCONT);
    std::this_thread::sleep_for(1s);
  }
  CHECK(metric(3, "egw_helper_switches_total") - before == 1);
  CHECK(metric(3, "egw_helper_outages_total") == 0);
  CHECK(routes_to(3, 'b'));
  CHECK(reaches());
}

TEST_CASE_METHOD(GatewayScene, "What the overlay brings for the VPC never goes out by it again",
                 "[gateway]") {
  start_all();
  // node 3 has no gateway: somebody's stale route leads to it
  static_cast<void>(
      node(2).run("ip route replace 172.16.0.99/32 via 10.244.3.0 dev flannel.1 onlink table 20158"));
  static_cast<void>(
      node(3).run("nft add table ip turns && nft 'add chain ip turns out { type filter hook postrouting "
                  "priority 300; }' && nft add "
                  "rule ip turns out oifname flannel.1 ip daddr 172.16.0.0/16 counter"));
  CHECK_THAT(node(2).run("ping -c 2 -i 0.2 -W 1 172.16.0.99 || true"), Catch::Contains("Unreachable"));
  CHECK_THAT(node(3).run("nft list chain ip turns out"), Catch::Contains("counter packets 0 "));
}

TEST_CASE_METHOD(GatewayScene, "A gateway's node sends nothing of others by a network of its own",
                 "[gateway]") {
  start_all();
  // a badly planned, or a rogue, DHCP server's address on the gateway's node alone
  static_cast<void>(node(1).run(
      "ip link add site type bridge && ip link set site up && ip addr add 172.16.5.1/24 dev site && "
      "nft add table ip turns && nft 'add chain ip turns out { type filter hook postrouting "
      "priority 300; }' && nft add rule ip turns out oifname site ip daddr 172.16.0.0/16 counter"));
  vpc.run("ip addr add 172.16.5.9/32 dev vpc");
  until([&] { return page(1, "/readyz?verbose").find("[-]RangesClear") != std::string::npos; }, kPatience);
  until([&] { return pod.can("ping -c 1 -W 0.3 -q 172.16.5.9"); }, kPatience);
  CHECK_THAT(node(1).run("nft list chain ip turns out"), Catch::Contains("counter packets 0 "));
  vpc.run(
      "nft add table ip seen && nft 'add chain ip seen in { type filter hook input priority 0; }' && nft add "
      "rule ip seen in ip saddr 10.244.3.9 counter");
  until([&] { return pod.can("ping -c 1 -W 0.3 -q 172.16.5.9"); }, kPatience);
  CHECK_THAT(vpc.run("nft list chain ip seen in"), !Catch::Contains("counter packets 0 "));
  // and the node itself keeps its network
  CHECK_THAT(node(1).run("ip route get 172.16.5.9"), Catch::Contains("dev site"));
}

TEST_CASE_METHOD(GatewayScene,
                 "A helper whose port of liveness another daemon has names it, and waits for it",
                 "[gateway]") {
  start_all();
  CHECK(helper(3).stop(SIGTERM) == 0);
  test::Program other;
  other.start(
      node(3).netns(),
      {"/usr/bin/python3", "-c",
       "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 4784)); "
       "print('taken', flush=True); time.sleep(600)"},
      node(3).path("other.log"));
  until(
      [&] {
        return std::filesystem::exists(node(3).path("other.log")) &&
               std::filesystem::file_size(node(3).path("other.log")) != 0;
      },
      kPatience);
  start_helper(3);
  until([&] { return page(3, "/metrics").find("\negw_helper_bfd_hindered 1\n") != std::string::npos; },
        kPatience);
  CHECK_THAT(page(3, "/readyz?verbose"), Catch::Contains("[-]GatewaysWatched failed: ") &&
                                             Catch::Contains("UDP port 4784: another BFD daemon has it"));
  other.stop(SIGKILL);
  until([&] { return metric(3, "egw_helper_bfd_hindered") == 0; }, kPatience);
  until([&] { return page(3, "/readyz").find(" 200 OK") != std::string::npos; }, kPatience);
}

TEST_CASE_METHOD(GatewayScene,
                 "A machine of the site that takes a node for its router does not get into the cloud",
                 "[gateway]") {
  start_all();
  test::Machine stranger;
  lan.connect(stranger.netns.get(), 9, {"192.168.77.9/24"});
  stranger.run("ip route add 172.16.0.0/16 via 192.168.77.1");
  core_a.run(
      "nft add table ip seen && nft 'add chain ip seen in { type filter hook prerouting priority 0; }' && "
      "nft add rule ip seen in ip saddr 192.168.77.0/24 ip daddr 172.16.0.0/16 counter");
  stranger.run("ping -c 3 -i 0.1 -W 1 -q 172.16.0.1 || true");
  until([&] { return metric(1, "egw_helper_refused_packets") >= 3; }, kPatience);
  CHECK_THAT(core_a.run("nft list chain ip seen in"), Catch::Contains("counter packets 0 "));
  // what a Service of the node sends on bears kube-proxy's mark, and goes with the node's own address
  static_cast<void>(
      node(1).run("iptables -w -t mangle -A PREROUTING -s 192.168.77.9 -j MARK --set-mark 0x4000"));
  until(
      [&] {
        stranger.run("ping -c 1 -W 0.2 -q 172.16.0.1 || true");
        return core_a.run("nft list chain ip seen in").find("counter packets 0 ") == std::string::npos;
      },
      kPatience);
}

TEST_CASE_METHOD(GatewayScene, "A machine of the site does not speak to pods as the VPC", "[gateway]") {
  start_all();
  static_cast<void>(node(3).run("sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv6.conf.all.forwarding=1"));
  test::Machine stranger;
  lan.connect(stranger.netns.get(), 9, {"192.168.77.9/24", "2001:db8::9/64"});
  stranger.run(
      "ip addr add 172.16.0.99/32 dev lo && ip addr add fd00:20::99/128 dev lo nodad && "
      "ip route add 10.244.3.9 via 192.168.77.3 && ip -6 route add fd00:0:0:3::9 via 2001:db8::3");
  pod.run(
      "nft add table inet seen && nft 'add chain inet seen in { type filter hook input priority 0; }' && "
      "nft add rule inet seen in ip saddr 172.16.0.99 counter && "
      "nft add rule inet seen in ip6 saddr fd00:20::99 counter");
  const double before = metric(3, "egw_helper_refused_packets");
  stranger.run("ping -c 3 -i 0.1 -W 0.2 -q -I 172.16.0.99 10.244.3.9 || true");
  stranger.run("ping -6 -c 3 -i 0.1 -W 0.2 -q -I fd00:20::99 fd00:0:0:3::9 || true");
  until([&] { return metric(3, "egw_helper_refused_packets") >= before + 6; }, kPatience);
  const std::string seen = pod.run("nft list chain inet seen in");
  CHECK_THAT(seen, Catch::Contains("172.16.0.99 counter packets 0 ") &&
                       Catch::Contains("fd00:20::99 counter packets 0 "));
  CHECK(reaches());
}

/// How many routes of each family, policy rules and lines of packet filters of ours node 3 has.
std::string picture(GatewayScene& scene) {
  return scene.node(3).run("ip route show table all | grep -c 'proto 157' || true") +
         scene.node(3).run("ip -6 route show table all | grep -c 'proto 157' || true") +
         scene.node(3).run("ip rule | grep -c 2015 || true") +
         scene.node(3).run("nft list ruleset 2>/dev/null | grep -c egw || true") +
         scene.node(3).run("(iptables -w -S; iptables -w -t mangle -S) 2>/dev/null | grep -c EGW- || true");
}
constexpr const char* kNothing = "0\n0\n0\n0\n0\n";

/// Whether node 3 has neither store nor word to flanneld.
bool has_forgotten(GatewayScene& scene) {
  return !std::filesystem::exists(scene.node(3).path("egw/helper.json")) &&
         !std::filesystem::exists(scene.node(3).path("egw/closed-ranges")) &&
         !std::filesystem::exists(scene.node(3).path("run/no-masq.d/egw-helper"));
}

/// The pool's nodes as egw-controller lists them: those of these numbers.
std::string listing(const std::vector<int>& numbers) {
  std::string out = "  nodes:\n";
  for (const int number : numbers) {
    const std::string n = std::to_string(number);
    out +=
        "    - {name: node" + n + ", podCIDRs: [10.244." + n + ".0/24], addresses: [192.168.77." + n + "]}\n";
  }
  return out;
}

TEST_CASE_METHOD(GatewayScene,
                 "What egw-helper leaves on a node is taken away by hand, and only when it does not run",
                 "[gateway]") {
  for (const char* firewall : {"--firewall=nftables", "--firewall=iptables"}) {
    DYNAMIC_SECTION(firewall) {
      helper_flags = {firewall};
      start_all();
      const auto remove = [&] {
        test::Program program;
        program.start(node(3).netns(),
                      {EGW_HELPER_PROGRAM, "--remove", "--state-dir=" + node(3).path("egw").native(),
                       "--no-masq-dir=" + node(3).path("run/no-masq.d").native()},
                      node(3).path("remove.log"));
        return program.wait();
      };
      CHECK(remove() == 1);
      CHECK_FALSE(has_forgotten(*this));
      CHECK(helper(3).stop(SIGTERM) == 0);
      CHECK(picture(*this) != kNothing);
      CHECK(remove() == 0);
      CHECK(picture(*this) == kNothing);
      CHECK(has_forgotten(*this));
      CHECK(remove() == 0);
    }
  }
}

TEST_CASE_METHOD(GatewayScene, "A node that its pool has let go keeps nothing, a node that is new is served",
                 "[gateway]") {
  publish(listing({1, 2}));
  start_all();  // and node 3 with them, which nobody has listed
  publish(listing({1, 2, 3}));
  until([&] { return helper_log(3).find("pool told") != helper_log(3).rfind("pool told"); }, kPatience);
  publish();  // lists nobody, which says nothing
  std::this_thread::sleep_for(100ms);
  CHECK(routes_to(3, 'a'));
  publish(listing({1, 2}));
  until([&] { return picture(*this) == kNothing && has_forgotten(*this); }, kPatience);
  CHECK(routes_to(2, 'a'));
  // what is told again is no reason to come back
  publish(listing({1, 2}) + "  exemptCIDRs: [172.16.200.0/24]\n");
  std::this_thread::sleep_for(100ms);
  CHECK(picture(*this) == kNothing);
  publish(listing({1, 2, 3}));
  until([&] { return routes_to(3, 'a'); }, kPatience);
}

TEST_CASE_METHOD(GatewayScene,
                 "A helper that is ended while its node leaves the pool does not wait to take all away",
                 "[gateway]") {
  publish(listing({1, 2, 3}));
  helper_flags = {"--removal-delay=3600"};
  start_all();
  publish(listing({1, 2}));
  until([&] { return helper_log(3).find("none of the pool's") != std::string::npos; }, kPatience);
  CHECK(routes_to(3, 'a'));  // it may be told otherwise in time
  CHECK(helper(3).stop(SIGTERM) == 0);
  CHECK(picture(*this) == kNothing);
  CHECK(has_forgotten(*this));
}

TEST_CASE_METHOD(GatewayScene, "A pool that is no longer enhanced leaves nothing of ours", "[gateway]") {
  start_all();
  CHECK(picture(*this) != kNothing);
  std::filesystem::rename(home / "gateways", home / "away");  // says nothing
  std::this_thread::sleep_for(100ms);
  CHECK(routes_to(3, 'a'));
  std::filesystem::rename(home / "away", home / "gateways");
  unpublish();
  until([&] { return picture(*this) == kNothing && has_forgotten(*this); }, kPatience);
}

TEST_CASE_METHOD(GatewayScene, "A pool's object that has lost its gateways closes no range", "[gateway]") {
  start_all();
  test::take_members(home / "gateways/hangzhou.yaml", {"gateways"});
  std::this_thread::sleep_for(1s);  // it would have been at once
  CHECK((routes_to(3, 'a') && reaches()));
  const auto told = [&] {
    return page(3, "/readyz?verbose").find("has lost its gateways; what stands goes on") != std::string::npos;
  };
  until(told, kPatience);
  CHECK(metric(3, "egw_helper_object_lost") == 1);
  helper(3).stop(SIGKILL);
  start_helper(3);
  until(told, kPatience);
  CHECK((routes_to(3, 'a') && reaches()));
  until([&] { return metric(3, "egw_helper_gateway_up{gateway=\"b\"}") == 1; }, kPatience);
  core('a').stop(SIGKILL);  // liveness counts all the same
  until([&] { return routes_to(3, 'b'); }, kPatience);
  publish();
  until([&] { return page(3, "/readyz?verbose").find("[+]ObjectStands") != std::string::npos; }, kPatience);
  CHECK(metric(3, "egw_helper_object_lost") == 0);
}

TEST_CASE_METHOD(GatewayScene, "A pool's object that has lost its ranges is gone, and not taken at its word",
                 "[gateway]") {
  helper_flags = {"--removal-delay=4"};
  start_all();
  const auto empty = [&] {
    std::ofstream(home / "gateways/.hangzhou.new") << "apiVersion: net.holdfast.dev/v1alpha1\n"
                                                      "kind: EdgeGateway\nmetadata: {name: hangzhou}\n"
                                                      "spec: {podCIDRs: [10.244.0.0/16]}\n";
    std::filesystem::rename(home / "gateways/.hangzhou.new", home / "gateways/hangzhou.yaml");
  };
  const auto told = [&] { return helper_log(3).find("tells no range") != std::string::npos; };
  empty();
  until(told, kPatience);
  CHECK((routes_to(3, 'a') && reaches()));
  CHECK(page(3, "/readyz?verbose").find("are taken away 4 s after that was heard") != std::string::npos);
  publish();  // in time
  std::this_thread::sleep_for(5s);
  CHECK((routes_to(3, 'a') && reaches()));
  CHECK(page(3, "/readyz?verbose").find("[+]ObjectStands") != std::string::npos);

  empty();
  helper(3).stop(SIGKILL);
  std::filesystem::remove(node(3).path("helper.log"));
  start_helper(3);
  until(told, kPatience);
  CHECK((routes_to(3, 'a') && reaches()));  // a restart takes no more of it
  until([&] { return picture(*this) == kNothing && has_forgotten(*this); }, kPatience);
  publish();
  until([&] { return routes_to(3, 'a'); }, kPatience);
}

}  // namespace
}  // namespace holdfast::gateway
