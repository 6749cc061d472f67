// The real egw-access between two gateways and a VPC, with wireguard-go.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_node.h"
#include "test/egw-gateway/access/access_scene.h"
#include "test/egw-gateway/object_file.h"

namespace holdfast::gateway {
namespace {

using holdfast::test::AccessScene;
using holdfast::test::FakeGateway;
using holdfast::test::until;

constexpr auto kPatience = std::chrono::seconds(60);

struct Scene : AccessScene {
  /// Everything runs, and the pod is reached by gateway a.
  void run(const std::vector<std::string>& more = {}) {
    publish();
    start(more);
    wait_for_tunnels();
    for (FakeGateway* each : {&a, &b}) each->connect(wireguard::public_key_of(key).value());
    b.live();
    a.live();
    wait_for("egw-hz-a");
    until([&] { return reaches(); }, kPatience);
  }
  void wait_for_tunnels() {
    INFO(log());
    until(
        [&] { return access.can("ip link show egw-hz-a 2>/dev/null && ip link show egw-hz-b 2>/dev/null"); },
        kPatience);
    until([&] { return page("/readyz").find("is ready") != std::string::npos; }, kPatience);
  }
  void wait_for(const std::string& link) {
    INFO(link << " is waited for; it is " << way() << "\n" << log());
    until([&] { return way() == link; }, kPatience);
  }
};

TEST_CASE_METHOD(Scene, "an access point sends a pool's pods to the gateway that lives", "[access]") {
  run();
  SECTION("one that is killed is missed, and comes back") {
    const double switches = metric("egw_access_switches_total");
    a.die(SIGKILL);
    wait_for("egw-hz-b");
    CHECK(reaches());
    CHECK(metric("egw_access_switches_total") == switches + 1);
    a.live();
    wait_for("egw-hz-a");
  }
  SECTION("one that says that it goes is left at once") {
    a.die(SIGTERM);
    wait_for("egw-hz-b");
    CHECK(log().find("it says: ") != std::string::npos);
    CHECK(reaches());
  }
  SECTION("with none alive its pods are unreachable, and never sent in clear") {
    a.die(SIGKILL);
    b.die(SIGKILL);
    wait_for("unreachable");
    CHECK(page("/readyz?verbose").find("no gateway is alive of pool hz") != std::string::npos);
    b.live();
    wait_for("egw-hz-b");
  }
}

TEST_CASE_METHOD(Scene, "a gateway that comes back with its clock behind is heard again", "[access]") {
  run();
  const wireguard::PublicKey access_key = wireguard::public_key_of(key).value();
  // as far as the access point knows, the gateway's clock was a day ahead of where it is now
  const auto ahead = std::chrono::system_clock::now() + std::chrono::hours(24);
  until([&] { return a.is_answered(access_key, ahead + std::chrono::seconds(1)); }, kPatience);
  CHECK_FALSE(a.is_answered(access_key, ahead));
  a.switch_off();
  wait_for("egw-hz-b");
  a.connect(access_key);
  a.live();
  until([&] { return way() == "egw-hz-a"; }, 4 * kPatience);
  CHECK(reaches());
  CHECK(log().find("egw-hz-a: nothing comes; earlier handshakes are forgotten") != std::string::npos);
  CHECK(log().find("egw-hz-b: nothing comes") == std::string::npos);
}

TEST_CASE_METHOD(Scene, "forwarding that somebody switches off is switched on again", "[access]") {
  run();
  access.run("sysctl -qw net.ipv4.ip_forward=0");
  until([&] { return access.can("grep -q 1 /proc/sys/net/ipv4/ip_forward"); }, kPatience);
  until([&] { return reaches(); }, kPatience);
  CHECK(log().find("net/ipv4/ip_forward is 0") != std::string::npos);
}

TEST_CASE_METHOD(Scene, "forwarding of IPv6 does not cost the machine its router that advertises itself",
                 "[access]") {
  access.run(
      "sysctl -qw net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth1.accept_ra=1 && "
      "ip -6 route add default via fe80::1 dev eth1 proto ra");
  run();
  until([&] { return access.can("grep -qx 1 /proc/sys/net/ipv6/conf/all/forwarding"); }, kPatience);
  CHECK(access.run("cat /proc/sys/net/ipv6/conf/eth1/accept_ra") == "2\n");
}

TEST_CASE_METHOD(Scene,
                 "an access point that is killed leaves the tunnels to their work, and goes on with them",
                 "[access]") {
  run();
  const std::string handshakes = access.run("ip -o link show egw-hz-a | cut -d: -f1");
  program.stop(SIGKILL);
  CHECK(reaches());
  std::filesystem::remove(home / "gateways" / "hz.yaml");  // what is stored is enough
  start();
  until([&] { return page("/readyz").find("is ready") != std::string::npos; }, kPatience);
  CHECK(way() == "egw-hz-a");
  CHECK(reaches());
  CHECK(access.run("ip -o link show egw-hz-a | cut -d: -f1") == handshakes);
  until([&] { return metric("egw_access_gateway_up{gateway=\"a\",pool=\"hz\"}") == 1; }, kPatience);
  CHECK(metric("egw_access_switches_total") == 0);
  CHECK(metric("egw_access_outages_total") == 0);
  a.die(SIGKILL);
  wait_for("egw-hz-b");
}

TEST_CASE_METHOD(
    Scene, "an access point that ends in order says so to gateways that have another, and forwards meanwhile",
    "[access]") {
  other_points =
      "    - {name: two, address: 192.0.2.3, port: 51820, priority: 50, tunnelAddresses: [198.18.0.2], "
      "publicKey: \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}\n";
  run();
  const auto both_have_seen = [&](const std::string& what) {
    return a.seen().ends_with(what + "\n") && b.seen().ends_with(what + "\n");
  };
  until([&] { return both_have_seen("up"); }, kPatience);
  program.send(SIGTERM);
  until([&] { return both_have_seen("down: administratively down"); }, kPatience);
  CHECK(way() == "egw-hz-a");
  until([&] { return reaches(); }, kPatience);
  CHECK(program.wait() == 0);
}

TEST_CASE_METHOD(Scene, "an access point that is the only one ends at once, and tells gateways nothing",
                 "[access]") {
  run();
  CHECK(program.stop(SIGTERM) == 0);
  until([&] { return reaches(); }, kPatience);
  until([&] { return a.seen().ends_with("down: none\n"); }, kPatience);
}

TEST_CASE_METHOD(Scene, "Pods are reached by an access point of whose pods others tell the VPC", "[access]") {
  run({"--routes=none"});
  CHECK(reaches());
  a.die(SIGKILL);
  wait_for("egw-hz-b");
  CHECK(reaches());
}

TEST_CASE_METHOD(Scene, "an access point that has lost its store takes nothing away before it is told of all",
                 "[access]") {
  run();
  const std::filesystem::path store = home / "state/access.json";
  until([&] { return access.can("grep -q '\"hz\"' " + store.native()); }, kPatience);
  program.stop(SIGKILL);
  SECTION("it is damaged") { access.run("echo x >>" + store.native()); }
  SECTION("it is gone") { std::filesystem::remove(store); }
  SECTION("it is of a version that is not known") { access.run("sed -i '1s/ v1 / v2 /' " + store.native()); }
  std::filesystem::rename(home / "gateways" / "hz.yaml", home / "hz.yaml");  // nobody tells
  write("broken.yaml", "kind: EdgeGateway\n");                               // nor of all
  start();
  until([&] { return page("/readyz?verbose").find("the store is lost") != std::string::npos; }, kPatience);
  access.run("sleep 3");  // three looks
  CHECK(reaches());
  CHECK(way() == "egw-hz-a");
  CHECK(access.can("ip link show egw-hz-b && ip route show proto 160 | grep -q 10.244.0.0/16"));
  CHECK(page("/readyz?verbose").find("[-]TunnelsInPlace") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(store));  // of a part it would be taken for all
  // told of what stands there is nothing that could be somebody else's
  std::filesystem::rename(home / "hz.yaml", home / "gateways" / "hz.yaml");
  until([&] { return metric("egw_access_gateway_up{gateway=\"a\",pool=\"hz\"}") == 1; }, kPatience);
  until([&] { return page("/readyz").find("is ready") != std::string::npos; }, kPatience);
  CHECK(reaches());
  a.die(SIGKILL);
  wait_for("egw-hz-b");
}

TEST_CASE_METHOD(Scene, "a pool whose object is gone, emptied or unreadable goes on meanwhile", "[access]") {
  struct Case {
    const char* name;
    std::function<void(const std::filesystem::path&)> spoil;
    const char* told;
  };
  const Case cases[] = {
      {"no gateways", test::without({"gateways"}),
       "[-]ObjectsStand failed: pool hz: its EdgeGateway has lost its gateways; its tunnels end 60 s after"},
      {"no access points", test::without({"accessPoints"}), "has lost its accessPoints;"},
      {"no pods", test::without({"podCIDRs"}), "has lost its podCIDRs;"},
      {"no ranges", test::without({"vpcCIDRs"}), "has lost its vpcCIDRs and cloudPodCIDRs;"},
      {"gone",
       [](const auto& file) {
         test::take_members(file, {"accessPoints"});
         test::rename_pool(file, "hz", "another");
       },
       "[-]ObjectsStand failed: pool hz: its EdgeGateway is gone;"},
      {"unreadable", [](const auto& file) { std::ofstream(file) << "kind: EdgeGateway\nspec: {}\n"; },
       "[-]SourceHeard"},
  };
  run();
  const std::filesystem::path object = home / "gateways" / "hz.yaml";
  const auto tunnels = [&] { return access.run("ip -o link | grep -o '[0-9]*: egw-hz-[ab]' || true"); };
  const std::string before = tunnels();
  for (const Case& c : cases) {
    INFO(c.name);
    c.spoil(object);
    std::this_thread::sleep_for(std::chrono::seconds(2));  // it would have been at once
    CHECK(reaches());
    CHECK(way() == "egw-hz-a");
    CHECK(tunnels() == before);
    until([&] { return page("/readyz?verbose").find(c.told) != std::string::npos; }, kPatience);
    CHECK(metric("egw_access_objects_lost") == (std::string(c.told) == "[-]SourceHeard" ? 0 : 1));
    publish();
    until([&] { return page("/readyz?verbose").find("[+]ObjectsStand") != std::string::npos; }, kPatience);
    until([&] { return page("/readyz?verbose").find("[+]SourceHeard") != std::string::npos; }, kPatience);
  }
  CHECK(metric("egw_access_objects_lost") == 0);
  CHECK(metric("egw_access_outages_total") == 0);
}

TEST_CASE_METHOD(Scene, "a pool whose object stays emptied is taken away after a while, and not by a kill",
                 "[access]") {
  run({"--removal-delay=5"});
  test::take_members(home / "gateways" / "hz.yaml", {"gateways"});
  const auto told = [&] {
    return page("/readyz?verbose").find("its tunnels end 5 s after") != std::string::npos;
  };
  until(told, kPatience);
  program.stop(SIGKILL);
  start({"--removal-delay=5"});
  until(told, kPatience);
  CHECK(reaches());
  until([&] { return !access.can("ip -o link | grep egw-hz-"); }, kPatience);
  wait_for("unreachable");
  publish();
  wait_for("egw-hz-a");
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(Scene,
                 "the pool that was served goes on before one that asks for the same, after a restart too",
                 "[access]") {
  run();
  write("aa.yaml", R"(apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: aa}
spec:
  podCIDRs: [10.244.0.0/16]
  vpcCIDRs: [172.16.0.0/16]
  accessPoints: [{name: one, address: 192.0.2.2, port: 51820, priority: 100, tunnelAddresses: [198.18.0.1], publicKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]
)");
  const auto is_refused = [&] {
    return page("/readyz?verbose").find("pool aa: 10.244.0.0/16 overlaps 10.244.0.0/16, pods of pool hz") !=
           std::string::npos;
  };
  until(is_refused, kPatience);
  until([&] { return access.can("grep -q '\"name\":\"aa\"' " + (home / "state/access.json").native()); },
        kPatience);
  program.stop(SIGKILL);
  std::filesystem::remove_all(home / "gateways");  // nobody tells of either
  start();
  until(is_refused, kPatience);
  until([&] { return metric("egw_access_gateway_up{gateway=\"a\",pool=\"hz\"}") == 1; }, kPatience);
  CHECK(way() == "egw-hz-a");
  CHECK(reaches());
}

TEST_CASE_METHOD(Scene, "a gateway that sends from another pool's addresses does not keep that out",
                 "[access]") {
  a.machine.run("ip addr add 203.0.113.77/32 dev lo && ip route add 192.0.2.2 dev eth0 src 203.0.113.77");
  access.run("ip route add 203.0.113.77 via 192.0.2.11");
  run();
  write("aa.yaml", R"(apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: aa}
spec:
  podCIDRs: [203.0.113.0/24]
  vpcCIDRs: [172.16.0.0/16]
  accessPoints: [{name: one, address: 192.0.2.2, port: 51820, priority: 100, tunnelAddresses: [198.18.0.1], publicKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]
)");
  until([&] { return metric("egw_access_pools") == 2; }, kPatience);
  CHECK(page("/readyz?verbose").find("[+]PoolsServed") != std::string::npos);
  until([&] { return access.can("ip route show table 20159 | grep -q 'throw 203.0.113.77'"); }, kPatience);
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(Scene, "no route of others takes pods from their gateway, and each is told", "[access]") {
  run();
  access.run("ip route add 10.244.0.0/16 via 172.16.0.1 metric 32 proto bird");  // as learned from another
  access.run("ip route add 10.244.3.0/24 via 172.16.0.1");
  CHECK(way() == "egw-hz-a");
  until([&] { return reaches(); }, kPatience);
  const std::string route = "somebody's route to 10.244.";
  until(
      [&] {
        const std::string ready = page("/readyz?verbose");
        return ready.find(route + "0.0/16 via 172.16.0.1 is passed over") != std::string::npos &&
               ready.find(route + "3.0/24 via 172.16.0.1 is passed over") != std::string::npos;
      },
      kPatience);
  CHECK(page("/readyz").find("is ready") != std::string::npos);
  CHECK(metric("egw_access_routes_passed_over") == 2);
  a.die(SIGKILL);
  wait_for("egw-hz-b");
  access.run("ip route flush table 20159; ip rule del pref 10159");  // somebody's
  until([&] { return access.can("ip rule | grep -q 10159") && way() == "egw-hz-b"; }, kPatience);
}

TEST_CASE_METHOD(Scene,
                 "an access point forwards where iptables drops what nobody accepts, before or afterwards",
                 "[access]") {
  const auto drop = [&] { access.run("iptables -w -P FORWARD DROP"); };
  const bool before = GENERATE(true, false);
  INFO((before ? "before" : "afterwards"));
  if (before) drop();
  run();
  drop();
  until([&] { return access.can("iptables -w -S FORWARD | grep -q EGW-ACCESS-FORWARD"); }, kPatience);
  until([&] { return reaches(); }, kPatience);
  CHECK(page("/readyz").find("is ready") != std::string::npos);
}

TEST_CASE_METHOD(Scene, "a network of the access point's machine within a range stays its own", "[access]") {
  run();
  access.run("ip link add lan type bridge; ip addr add 10.244.77.1/24 dev lan; ip link set lan up");
  until([&] { return access.run("ip route get 10.244.77.9").find("dev lan") != std::string::npos; },
        kPatience);
  CHECK(way() == "egw-hz-a");
}

TEST_CASE_METHOD(Scene, "a pool whose pods are the access point's own machine or router is refused",
                 "[access]") {
  run();
  write("aa.yaml", R"(apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: aa}
spec:
  podCIDRs: [128.0.0.0/1]
  vpcCIDRs: [10.200.0.0/16]
  accessPoints: [{name: one, address: 192.0.2.2, port: 51820, priority: 100, tunnelAddresses: [10.1.0.1], publicKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]
)");
  until(
      [&] {
        return page("/readyz?verbose").find("pool aa: its pods 128.0.0.0/1 overlap ") != std::string::npos;
      },
      kPatience);
  CHECK(way() == "egw-hz-a");
  CHECK(reaches());
  CHECK(access.run("ip route show 128.0.0.0/1").empty());
}

TEST_CASE_METHOD(Scene, "a machine that was rebooted without a word from anybody closes its pools' ranges",
                 "[access]") {
  run();
  program.stop(SIGKILL);
  access.run(
      "ip link del egw-hz-a; ip link del egw-hz-b; ip route flush proto 158; ip route flush proto 160; "
      "ip route flush table 20159; ip rule del pref 10159");
  CHECK(way() == "eth1");
  std::filesystem::remove(home / "gateways" / "hz.yaml");
  a.die(SIGKILL);
  b.die(SIGKILL);
  start();
  wait_for("unreachable");
}

TEST_CASE_METHOD(Scene,
                 "a tunnel carries its own pool's addresses to what the pool may reach, and nothing else",
                 "[access]") {
  write("other.yaml", R"(apiVersion: net.holdfast.dev/v1alpha1
kind: EdgeGateway
metadata: {name: other}
spec:
  podCIDRs: [10.245.0.0/16]
  vpcCIDRs: [172.16.0.0/16]
  accessPoints: [{name: one, address: 192.0.2.2, port: 51820, priority: 100, tunnelAddresses: [198.18.0.1], publicKey: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]
)");
  run();
  a.machine.run(
      "ip addr add 10.245.0.9/32 dev lo; ip addr add 10.9.9.9/32 dev lo; ip route add default dev wg-one");
  CHECK(a.machine.can("ping -c 1 -W 2 -I 10.244.3.9 172.16.0.1"));
  CHECK(a.machine.can("ping -c 1 -W 2 -I 198.18.0.11 172.16.0.1"));  // what edge nodes are translated to
  CHECK_FALSE(a.machine.can("ping -c 1 -W 1 -I 198.18.0.11 198.18.0.1"));  // its end of the tunnel: BFD alone
  access.run("ip addr add 10.77.0.1/32 dev lo");
  CHECK_FALSE(a.machine.can("ping -c 1 -W 1 -I 10.245.0.9 172.16.0.1"));  // another pool's pod
  CHECK_FALSE(a.machine.can("ping -c 1 -W 1 -I 10.9.9.9 172.16.0.1"));    // nobody's
  CHECK_FALSE(a.machine.can("ping -c 1 -W 1 -I 10.244.3.9 10.77.0.1"));   // not in the VPC
  CHECK_FALSE(a.machine.can("ping -c 1 -W 1 -I 10.244.3.9 172.16.0.2"));  // the access point's machine
  CHECK_FALSE(a.machine.can("ping -c 1 -W 1 -I 10.244.3.9 10.245.0.1"));  // another pool's pods
  // what is another's is not even taken out of the tunnel; what goes astray in it is dropped by rules
  until([&] { return metric("egw_access_refused_packets") >= 2; }, kPatience);
}

TEST_CASE_METHOD(Scene, "what a router beyond the access point says of a pod's packet reaches the pod",
                 "[access]") {
  run();
  vpc.run(
      "ip addr add 192.168.9.1/32 dev lo; ip route add unreachable 172.16.200.0/24; "
      "ip route add 10.244.0.0/16 via 172.16.0.2 src 192.168.9.1");
  access.run("ip route add 172.16.200.0/24 via 172.16.0.1");
  a.machine.run("ip route add 192.168.9.1/32 dev wg-one");  // or its rp_filter would not let it in
  until(
      [&] {
        return a.machine.run("ping -c 1 -W 1 -I 10.244.3.9 172.16.200.5 || true").find("From 192.168.9.1") !=
               std::string::npos;
      },
      kPatience);
  CHECK_FALSE(vpc.can("ping -c 1 -W 1 -I 192.168.9.1 10.244.3.9"));  // and nothing else of it
}

TEST_CASE_METHOD(Scene, "a gateway changes over to another key, and the access point follows", "[access]") {
  run();
  const wireguard::SecretKey next = wireguard::SecretKey::generate().value();
  publish(wireguard::public_key_of(next).value().to_string());
  a.die(SIGTERM);
  wait_for("egw-hz-b");
  a.key = next;
  a.connect(wireguard::public_key_of(key).value());
  a.live();
  wait_for("egw-hz-a");
  CHECK(reaches());
  CHECK(log().find("gateway speaks with another key") != std::string::npos);
  publish();
  until([&] { return a.machine.can("ping -c 1 -W 1 -I 10.244.3.9 172.16.0.1"); }, kPatience);
}

TEST_CASE_METHOD(Scene, "nothing of liveness is in the table of connections", "[access]") {
  run({GENERATE("--firewall=nftables", "--firewall=iptables")});
  static_cast<void>(access.run("ping -c 1 -W 1 -q 172.16.0.1"));  // the machine's own connections are
  const std::string table = access.run("cat /proc/net/nf_conntrack");
  CHECK(table.find("icmp") != std::string::npos);
  CHECK(table.find("dport=3784") == std::string::npos);
  for (const char* gateway : {"a", "b"}) {
    CHECK(metric(std::string("egw_access_gateway_up{gateway=\"") + gateway + "\",pool=\"hz\"}") == 1);
  }
}

TEST_CASE_METHOD(Scene, "for a key that may change nothing else is looked at, until it has", "[access]") {
  run({"--resync", "60"});
  const wireguard::SecretKey next = wireguard::SecretKey::generate().value();
  publish(wireguard::public_key_of(next).value().to_string());
  const auto is_told_again = [&] {
    const std::string text = log();
    return text.rfind("pool told") != text.find("pool told");
  };
  until(is_told_again, kPatience);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  access.run("nft delete table ip6 egw-access");  // no event tells of that
  std::this_thread::sleep_for(std::chrono::seconds(2));
  CHECK_FALSE(access.can("nft list table ip6 egw-access"));
  a.key = next;
  a.connect(wireguard::public_key_of(key).value());
  until([&] { return log().find("gateway speaks with another key") != std::string::npos; }, kPatience);
  until([&] { return access.can("nft list table ip6 egw-access"); }, kPatience);
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(Scene, "a second egw-access waits, says who runs, and takes over from one that is killed",
                 "[access]") {
  run();
  holdfast::test::Program second;
  const std::filesystem::path second_log = home / "second.log";
  start(second, {"8086", home / "state-of-second", second_log});
  const auto said = [&] {
    std::ostringstream text;
    text << std::ifstream(second_log).rdbuf();
    return text.str();
  };
  until([&] { return said().find("waits for another to end") != std::string::npos; }, kPatience);
  CHECK_THAT(said(), Catch::Contains("another egw-access runs in this network namespace, process "));
  CHECK(said().find("egw-access begins") == std::string::npos);
  CHECK(way() == "egw-hz-a");
  CHECK(reaches());
  program.stop(SIGKILL);
  until([&] { return said().find("egw-access begins") != std::string::npos; }, std::chrono::seconds(10));
  second.stop(SIGKILL);
}

}  // namespace
}  // namespace holdfast::gateway
