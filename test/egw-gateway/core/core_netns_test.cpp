// egw-core as it is run: wireguard-go, packet-filter rules and BFD, in network namespaces.

#include <sys/socket.h>

#include <fstream>
#include <functional>
#include <thread>

#include "common/base/socket_address.h"
#include "common/netlink/netns.h"
#include "egw-gateway/core/source_ports.h"
#include "test/catch.h"
#include "test/egw-gateway/core/core_scene.h"
#include "test/egw-gateway/object_file.h"
#include "test/fakes/wanted_metrics.h"

namespace holdfast::gateway {
namespace {

using test::CoreScene;
using test::Datagram;
using test::until;

constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(20);
constexpr std::chrono::milliseconds kAbsence{300};

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

/// Another BFD daemon's socket, as it were.
Fd take_port(const test::Place& place, std::uint16_t port) {
  Fd out;
  const Status done = nl::run_in_netns(place.netns(), [&] {
    out = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const SocketAddress name = to_socket_address(IpAddress::v4({}), port);
    if (::bind(out.get(), name.get(), name.size) != 0) out.reset();
  });
  REQUIRE(done.has_value());
  REQUIRE(out.valid());
  return out;
}

struct Way {
  const char* name;
  bool from_edge;
  const char* from;
  const char* to;
  const char* seen_as;  ///< null: it does not come through
};

const Way kWays[] = {
    {"pod to VPC", true, "10.244.2.20", "172.16.0.5", "10.244.2.20"},
    {"VPC to pod", false, "172.16.0.5", "10.244.2.20", "172.16.0.5"},
    {"node to VPC", true, "192.168.77.2", "172.16.0.5", "198.18.0.7"},
    {"node by its overlay address", true, "10.244.2.0", "172.16.0.5", "198.18.0.7"},
    {"VPC to node", false, "172.16.0.5", "192.168.77.2", nullptr},
    {"VPC to a node's overlay address", false, "172.16.0.5", "10.244.2.0", nullptr},
    {"else at the edge to VPC", true, "192.168.77.9", "172.16.0.5", nullptr},
    {"IPv6 pod to VPC", true, "fd00:244:0:2::20", "fd00:172::5", "fd00:244:0:2::20"},
    {"IPv6 VPC to pod", false, "fd00:172::5", "fd00:244:0:2::20", "fd00:172::5"},
    {"IPv6 node to VPC", true, "fd00:77::2", "fd00:172::5", "fd00:99::7"},
    {"IPv6 VPC to node", false, "fd00:172::5", "fd00:77::2", nullptr},
};

void check_ways(const CoreScene& scene) {
  for (const Way& way : kWays) {
    INFO(way.name);
    const test::Place& sender = way.from_edge ? scene.edge : scene.cloud;
    const test::Place& receiver = way.from_edge ? scene.cloud : scene.edge;
    Datagram datagram(sender, ip(way.from), receiver, ip(way.to));
    const Datagram::Fate fate = datagram.fate(way.seen_as != nullptr ? kPatience : kAbsence);
    CHECK(fate.seen_as == (way.seen_as == nullptr ? std::nullopt : std::optional(ip(way.seen_as))));
  }
}

/// The gateway itself: what listens in its pod is for the pool, not for the cloud.
void check_own_ports(const CoreScene& scene) {
  for (const char* own : {"198.18.0.7", "fd00:244:0:1::7", "fd00:99::7"}) {
    INFO(own);
    const bool v4 = ip(own).is_v4();
    Datagram from_cloud(scene.cloud, ip(v4 ? "172.16.0.5" : "fd00:172::5"), scene.core, ip(own));
    CHECK_FALSE(from_cloud.fate(kAbsence).seen_as);
  }
  Datagram from_edge(scene.edge, ip("10.244.2.20"), scene.core, ip("10.244.1.7"));
  CHECK(from_edge.fate(kPatience).seen_as == ip("10.244.2.20"));
}

TEST_CASE_METHOD(CoreScene, "Through egw-core exactly what may pass passes, and what is refused is counted",
                 "[egw-core]") {
  start_all();
  check_ways(*this);
  check_own_ports(*this);
  until([&] { return metric("egw_core_packets{passage=\"refused-to-node\"}") >= 3; });
  until([&] { return metric("egw_core_packets{passage=\"refused-to-gateway\"}") >= 3; });
  CHECK(metric("egw_core_packets{passage=\"pod-to-vpc\"}") >= 2);
  CHECK(metric("egw_core_wireguard{engine=\"userspace\"}") == 1);
  CHECK(metric("egw_core_handshake_age_seconds{access_point=\"one\"}") >= 0);
  CHECK(test::metrics_not_in(page("/metrics"), "egw_core_").empty());
  CHECK_THAT(page("/healthz"), Catch::Contains("WireGuard by userspace"));
  // its own subnet by the host
  CHECK_THAT(core.run("ip route show 10.244.1.0/24"), Catch::Contains("via 10.244.1.1 dev eth0"));
}

TEST_CASE_METHOD(CoreScene, "Nothing of liveness is in the table of connections", "[egw-core]") {
  const char* back_end = GENERATE("--firewall=nftables", "--firewall=iptables");
  start_all({back_end});
  check_ways(*this);
  const std::string table = core.run("cat /proc/net/nf_conntrack");
  CHECK_THAT(table, Catch::Contains("src=192.168.77.2"));  // a node's, which is translated
  CHECK_THAT(table, !Catch::Contains("dport=4784") && !Catch::Contains("dport=3784"));
}

TEST_CASE_METHOD(CoreScene, "By iptables' rules the same passes and is refused", "[egw-core]") {
  start_all({"--firewall=iptables"});
  check_ways(*this);
  check_own_ports(*this);
  until([&] { return metric("egw_core_packets{passage=\"refused-to-gateway\"}") >= 3; });
  CHECK_THAT(core.run("iptables-save"), Catch::Contains("-A EGW-CORE-INPUT"));
  CHECK_THROWS(core.run("nft list table ip egw-core"));
}

TEST_CASE_METHOD(CoreScene,
                 "A killed egw-core goes on as it was, also when nobody tells it of its pool any more",
                 "[egw-core]") {
  start_all();
  unpublish();
  program.stop(SIGKILL);
  // tunnels, rules and routes outlive it
  CHECK(reaches());
  start();
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
  until([&] { return node_log().ends_with("up\n"); });
  CHECK(reaches());
  check_ways(*this);
}

TEST_CASE_METHOD(CoreScene, "A killed egw-core that has lost what it knew, or its key, takes nothing away",
                 "[egw-core]") {
  start_all();
  program.stop(SIGKILL);
  const bool has_store = GENERATE(true, false);
  INFO((has_store ? "no key" : "no store"));
  if (has_store) {
    std::filesystem::rename(folder / "keys" / "private-key", folder / "keys" / "away");
  } else {
    unpublish();
    std::filesystem::remove_all(folder / "state");
  }
  start();
  const char* concern = has_store ? "[-]KeyUsable" : "[-]PoolKnown";
  until([&] { return page("/readyz?verbose").find(concern) != std::string::npos; });
  std::this_thread::sleep_for(std::chrono::seconds(3));  // looks
  CHECK(reaches());
  CHECK_THAT(core.run("ip route show 172.16.0.0/12 metric 37"), Catch::Contains("dev wg-"));
  if (has_store) {
    until([&] { return node_log().ends_with("up\n"); });
    std::filesystem::rename(folder / "keys" / "away", folder / "keys" / "private-key");
  } else {
    publish();
  }
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
  until([&] { return node_log().ends_with("up\n"); });
  CHECK(reaches());
}

TEST_CASE_METHOD(CoreScene, "An object that is gone, emptied or unreadable ends nothing that works",
                 "[egw-core]") {
  struct Case {
    const char* name;
    std::function<void(const std::filesystem::path&)> spoil;
    const char* told;
  };
  const Case cases[] = {
      {"no access points", test::without({"accessPoints"}),
       "[-]ObjectStands failed: the pool's EdgeGateway has lost "
       "its accessPoints; what stands goes on"},
      {"no gateways", test::without({"gateways"}), "has lost its gateways;"},
      {"no pods", test::without({"podCIDRs"}), "has lost its podCIDRs;"},
      {"no ranges", test::without({"vpcCIDRs"}), "has lost its vpcCIDRs and cloudPodCIDRs;"},
      {"nothing", test::without({"accessPoints", "gateways", "podCIDRs", "vpcCIDRs"}),
       "has lost its podCIDRs, vpcCIDRs and cloudPodCIDRs, accessPoints, gateways;"},
      {"gone", [](const auto& file) { test::rename_pool(file, "hangzhou", "ningbo"); },
       "[-]ObjectStands failed: the pool's EdgeGateway is gone; what stands goes on"},
      {"unreadable", [](const auto& file) { std::ofstream(file) << "kind: EdgeGateway\nspec: {}\n"; },
       "[-]SourceHeard"},
  };
  start_all();
  const std::string tunnels = core.run("ip -o link | grep -o '[0-9]*: wg-[a-z]*'");
  for (const Case& c : cases) {
    INFO(c.name);
    c.spoil(folder / "gateways" / "hangzhou.yaml");
    std::this_thread::sleep_for(std::chrono::seconds(2));  // looks
    CHECK(reaches());
    CHECK(core.run("ip -o link | grep -o '[0-9]*: wg-[a-z]*' || true") == tunnels);
    CHECK(node_log().ends_with("up\n"));
    until([&] { return page("/readyz?verbose").find(c.told) != std::string::npos; });
    CHECK(metric("egw_core_object_lost") == (std::string(c.told) == "[-]SourceHeard" ? 0 : 1));
    publish();
    until([&] { return page("/readyz?verbose").find("[+]ObjectStands") != std::string::npos; });
    until([&] { return page("/readyz?verbose").find("[+]SourceHeard") != std::string::npos; });
  }
  CHECK(metric("egw_core_object_lost") == 0);
  CHECK(metric("egw_core_outages_total") == 0);
  // nor does one that a kill comes to
  test::take_members(folder / "gateways" / "hangzhou.yaml", {"accessPoints", "gateways"});
  program.stop(SIGKILL);
  start();
  until([&] { return page("/readyz?verbose").find("[-]ObjectStands") != std::string::npos; });
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
  CHECK(reaches());
  CHECK(core.run("ip -o link | grep -o '[0-9]*: wg-[a-z]*' || true") == tunnels);
}

TEST_CASE_METHOD(CoreScene, "When an access point dies another is sent to, and with none nodes are told",
                 "[egw-core]") {
  start_all();
  until(
      [&] { return core.run("ip route show 172.16.0.0/12 metric 37").find("wg-one") != std::string::npos; });
  one.die();
  return_by(2);
  until(
      [&] { return core.run("ip route show 172.16.0.0/12 metric 37").find("wg-two") != std::string::npos; });
  until([&] { return reaches(); });
  CHECK(metric("egw_core_switches_total") >= 1);
  two.die();
  until([&] { return node_log().ends_with("down: concatenated path down\n"); });
  until([&] { return core.run("ip route show 172.16.0.0/12 metric 37").empty(); });
  CHECK_THAT(core.run("ip route show 172.16.0.0/12"), Catch::Contains("unreachable"));
  CHECK_THAT(page("/readyz"), Catch::Contains("503") && Catch::Contains("CloudReachable"));
}

TEST_CASE_METHOD(CoreScene, "A port of liveness that another daemon has is named, and taken when it is free",
                 "[egw-core]") {
  struct Taken {
    std::uint16_t port;
    const char* concern;
    const char* metric;
  };
  const Taken ports[] = {
      {3784, "[-]AccessPointsWatched failed: ", "egw_core_bfd_hindered{peers=\"access points\"}"},
      {4784, "[-]NodesHeard failed: ", "egw_core_bfd_hindered{peers=\"nodes\"}"}};
  for (const Taken& taken : ports) {
    DYNAMIC_SECTION(taken.port) {
      Fd other = take_port(core, taken.port);
      const auto key = new_key();
      one.take({key});
      one.speak();
      publish();
      start();
      until([&] { return metric(taken.metric) == 1; });
      const std::string verbose = page("/readyz?verbose");
      const std::size_t line = verbose.find(taken.concern);
      REQUIRE(line != std::string::npos);
      CHECK_THAT(verbose.substr(line, verbose.find('\n', line) - line),
                 Catch::Contains("listen on UDP port " + std::to_string(taken.port) +
                                 ": another BFD daemon has it"));
      other.reset();
      until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
      until([&] { return metric(taken.metric) == 0; });
    }
  }
}

TEST_CASE_METHOD(CoreScene, "An access point whose tunnel was made anew is believed once it is heard by it",
                 "[egw-core]") {
  start_all();
  const auto way = [&] { return core.run("ip route show 172.16.0.0/12 metric 37"); };
  until([&] { return way().find("wg-one") != std::string::npos; });
  // the line to it is cut, and the tunnel's engine dies before that is noticed: the new tunnel hears nothing
  const std::string cut =
      "nft add table inet cut && nft 'add chain inet cut out { type filter hook output priority 0; }' && "
      "nft add rule inet cut out ip daddr 192.0.2.11 udp dport 51827 drop";
  SECTION("and meanwhile another is sent to") {
    static_cast<void>(core.run(cut + " && ip link del wg-one"));
    return_by(2);
    until([&] { return way().find("wg-two") != std::string::npos; });
    until([&] { return reaches(); });
    until([&] { return metric("egw_core_access_point_up{access_point=\"one\"}") == 0; });
  }
  SECTION("and where there is no other, nodes are told to send by another gateway") {
    two.die();
    until([&] { return metric("egw_core_access_point_up{access_point=\"two\"}") == 0; });
    static_cast<void>(core.run(cut + " && ip link del wg-one"));
    until([&] { return node_log().ends_with("down: concatenated path down\n"); });
    CHECK_THAT(page("/readyz"), Catch::Contains("503") && Catch::Contains("CloudReachable"));
  }
  static_cast<void>(core.run("nft delete table inet cut"));
  until([&] { return metric("egw_core_access_point_up{access_point=\"one\"}") == 1; });
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
}

TEST_CASE_METHOD(CoreScene, "Another private key is taken into use while it runs", "[egw-core]") {
  start_all();
  const auto before = wireguard::PublicKey::parse(public_keys.at(0)).value();
  const auto after = new_key();
  until([&] { return page("/readyz?verbose").find("[-]KeyKnown") != std::string::npos; });
  CHECK(reaches());
  for (test::AccessEnd* access : {&one, &two}) access->take({after, before});
  publish();
  until([&] { return one.has_heard(after) && two.has_heard(after); });
  for (test::AccessEnd* access : {&one, &two}) access->take({before, after});
  until([&] { return reaches(); });
  until([&] { return node_log().ends_with("up\n"); });
  CHECK_THAT(node_log(), Catch::Contains("down: administratively down"));
}

TEST_CASE_METHOD(CoreScene, "A planned end tells nodes first, and forwards until they have heard",
                 "[egw-core]") {
  start_all();
  program.send(SIGTERM);
  until([&] { return node_log().ends_with("down: administratively down\n"); });
  CHECK(reaches());
  CHECK(program.wait() == 0);
  CHECK_THAT(log(), Catch::Contains("egw-core ends"));
}

TEST_CASE_METHOD(CoreScene, "Nobody without the keys is let up, nor a pod that has them", "[egw-core]") {
  start_all();
  node.stop(SIGTERM);
  const auto has_spoken = [&](const char* log) {
    std::error_code absent;
    const auto size = std::filesystem::file_size(folder / log, absent);
    return !absent && size != 0;
  };
  const auto is_let_up = [&](const char* from, const char* secret) {
    test::Program stranger;
    stranger.start(edge.netns(), {BFD_SPEAKER_PROGRAM, "multi", from, "10.244.1.7", secret},
                   folder / "stranger.log");
    std::this_thread::sleep_for(std::chrono::seconds(3));
    return has_spoken("stranger.log");
  };
  CHECK_FALSE(is_let_up("192.168.77.2", "guessed"));
  CHECK_FALSE(is_let_up("10.244.2.20", "between nodes and us"));
  node.start(edge.netns(),
             {BFD_SPEAKER_PROGRAM, "multi", "192.168.77.2", "10.244.1.7", "between nodes and us"},
             folder / "let.log");
  until([&] { return has_spoken("let.log"); });
}

TEST_CASE_METHOD(CoreScene, "Keys that cannot be read leave those that were read last, and are told",
                 "[egw-core]") {
  start_all();
  const auto write = [&](const std::string& text) {
    std::ofstream(folder / "keys" / "fresh") << text;
    std::filesystem::rename(folder / "keys" / "fresh", folder / "keys" / "bfd");
  };
  const auto is_told = [&] {
    return page("/readyz?verbose").find("[-]LivenessKeysRead") != std::string::npos;
  };
  for (const char* bad : {"1 a secret of more than 20 bytes\n", "1 one\n1 other\n", ""}) {
    CAPTURE(bad);
    write(bad);
    until(is_told);
    until([&] { return metric("egw_core_nodes_up") == 1; });
    write("1 between nodes and us\n");
    until([&] { return !is_told(); });
  }
  CHECK_THAT(node_log(), !Catch::Contains("administratively down"));
  // and one that begins with such a file has none to go on with
  program.stop(SIGKILL);
  write("");
  start();
  until([&] { return page("/readyz").find("no node is believed") != std::string::npos; });
}

TEST_CASE_METHOD(CoreScene, "A tunnel is heard again when the site's router has gone over to another line",
                 "[egw-core]") {
  // the router translates, and goes on doing so for a flow as it began with it
  static_cast<void>(edge.run(
      "nft add table ip line && nft 'add chain ip line out { type nat hook postrouting priority 100; }' && "
      "nft add rule ip line out oifname uplink ip saddr 10.244.0.0/16 snat to 192.0.2.1"));
  for (test::AccessEnd* end : {&one, &two})
    static_cast<void>(end->place.run("ip route del 10.244.1.7 && ip route add blackhole 10.244.1.7"));
  start_all();
  static_cast<void>(
      edge.run("ip addr add 192.0.2.77/24 dev uplink && nft flush chain ip line out && "
               "nft add rule ip line out oifname uplink ip saddr 10.244.0.0/16 snat to 192.0.2.77"));
  for (test::AccessEnd* end : {&one, &two}) {
    static_cast<void>(end->place.run(
        "nft add table ip old && nft 'add chain ip old in { type filter hook prerouting priority -400; }' && "
        "nft add rule ip old in ip saddr 192.0.2.1 drop"));
  }
  until([&] { return !reaches(); });
  std::this_thread::sleep_for(SourcePorts::kFirstWait);
  until([&] { return reaches(); });
  until([&] { return node_log().ends_with("up\n"); });
}

TEST_CASE_METHOD(CoreScene, "Keys that others get at are told, and taken all the same", "[egw-core]") {
  start_all();
  const auto guarded = [&] { return page("/readyz?verbose").find("[+]KeysGuarded") != std::string::npos; };
  until(guarded);
  for (const char* name : {"private-key", "bfd"}) {
    CAPTURE(name);
    std::filesystem::permissions(folder / "keys" / name, std::filesystem::perms(0644));
    until([&] {
      return page("/readyz?verbose").find(std::string("keys/") + name + " has mode 0644") !=
             std::string::npos;
    });
    CHECK_THAT(page("/readyz"), Catch::Contains(" 200 OK"));
    std::filesystem::permissions(folder / "keys" / name, std::filesystem::perms(0600));
    until(guarded);
  }
  CHECK(reaches());
}

TEST_CASE_METHOD(CoreScene, "Secrets stand in no log, page or stored file", "[egw-core]") {
  start_all({"--log-level=debug"});
  const std::string path = (folder / "keys" / "private-key").native();
  const std::string hex = core.run("base64 -d " + path + " | od -An -tx1 | tr -d ' \\n'");
  REQUIRE(hex.size() == 64);
  const std::string key = core.run("tr -d '\\n' <" + path);
  const std::string stored = "cat " + (folder / "state").native() + "/*.json 2>/dev/null || true";
  // the public half is there: it is the file that is meant
  until([&] { return core.run(stored).find(public_keys.at(0)) != std::string::npos; });
  std::string all = log() + core.run(stored);
  for (const char* each : {"/metrics", "/healthz", "/readyz?verbose"}) all += page(each);
  for (const std::string& secret : {key, hex, std::string("between nodes and us")}) {
    CHECK(all.find(secret) == std::string::npos);
  }
}

TEST_CASE_METHOD(CoreScene, "What others do to rules, routes and tunnels is put right", "[egw-core]") {
  std::vector<std::string> flags;
  const char* harm = "";
  SECTION("a route") { harm = "ip route del 172.16.0.0/12 metric 37"; }
  SECTION("a tunnel") { harm = "ip link del wg-one"; }
  SECTION("the rules") { harm = "nft flush ruleset"; }
  SECTION("the rules of iptables") {
    flags = {"--firewall=iptables"};
    harm =
        "for p in iptables ip6tables; do for t in raw mangle nat filter; do $p -w -t $t -F; $p -w -t $t -X; "
        "done; done";
  }
  start_all(flags);
  static_cast<void>(core.run(harm));
  until([&] { return reaches(); });
  const bool rules =
      std::string(harm).find("nft") == 0 || std::string(harm).find("iptables") != std::string::npos;
  if (rules) until([&] { return metric("egw_core_rules_mended_total") >= 1; });
  check_ways(*this);
}

TEST_CASE_METHOD(CoreScene, "Settings that somebody changes while it runs are put right", "[egw-core]") {
  start_all();
  const char* setting = "";
  const char* right = "1\n";
  SECTION("forwarding") { setting = "net.ipv4.ip_forward"; }
  SECTION("of IPv6") { setting = "net.ipv6.conf.all.forwarding"; }
  SECTION("the source filter") {
    setting = "net.ipv4.conf.all.rp_filter";
    right = "2\n";
    static_cast<void>(core.run("sysctl -qw net.ipv4.conf.wg-one.rp_filter=1"));
  }
  static_cast<void>(core.run(std::string("sysctl -qw ") + setting + "=0"));
  until([&] { return core.run(std::string("sysctl -n ") + setting) == right; });
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
  CHECK_THAT(log(), Catch::Contains("settings put right"));
  check_ways(*this);
}

TEST_CASE_METHOD(CoreScene, "Where it may not switch forwarding on again nodes send by another gateway",
                 "[egw-core]") {
  // as in a pod that has NET_ADMIN alone
  before_start = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys";
  start_all();
  static_cast<void>(core.run("sysctl -qw net.ipv4.ip_forward=0"));
  until([&] { return node_log().ends_with("down: concatenated path down\n"); });
  CHECK_THAT(page("/readyz"), Catch::Contains("503") && Catch::Contains("sysctl -w net/ipv4/ip_forward=1"));
  CHECK(metric("egw_core_ready") == 0);
  static_cast<void>(core.run("sysctl -qw net.ipv4.ip_forward=1"));
  until([&] { return node_log().ends_with("up\n"); });
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
  CHECK(reaches());
}

TEST_CASE_METHOD(CoreScene, "It forwards where iptables drops what nobody accepts, before or afterwards",
                 "[egw-core]") {
  const auto drop = [&] { static_cast<void>(core.run("iptables -w -P FORWARD DROP")); };
  const bool before = GENERATE(true, false);
  INFO((before ? "before" : "afterwards"));
  if (before) drop();
  start_all();
  drop();
  until([&] { return core.run("iptables-save").find("-A FORWARD") != std::string::npos; });
  until([&] { return reaches(); });
  check_ways(*this);
  until([&] { return page("/readyz").find(" 200 OK") != std::string::npos; });
  until([&] { return metric("egw_core_packets{passage=\"pod-to-vpc\"}") >= 2; });
  CHECK_THROWS(core.run("nft list table ip egw-core"));
}

TEST_CASE_METHOD(CoreScene,
                 "A policy that drops what its rules let through is told, and nodes send elsewhere",
                 "[egw-core]") {
  start_all({"--firewall=nftables"});
  static_cast<void>(core.run("iptables -w -P FORWARD DROP"));
  until([&] { return node_log().ends_with("down: concatenated path down\n"); });
  until([&] { return page("/readyz").find("run iptables -P FORWARD ACCEPT") != std::string::npos; });
  CHECK_THAT(page("/readyz"), Catch::Contains("503") && Catch::Contains("RulesInPlace"));
  static_cast<void>(core.run("iptables -w -P FORWARD ACCEPT"));
  until([&] { return node_log().ends_with("up\n"); });
  until([&] { return reaches(); });
}

TEST_CASE_METHOD(CoreScene, "Without what it needs of the kernel egw-core does not begin, and names the cure",
                 "[egw-core]") {
  static_cast<void>(new_key());
  publish();
  static_cast<void>(core.run("sysctl -qw net.ipv4.ip_forward=0"));
  start();
  CHECK(program.wait() == 1);
  CHECK_THAT(log(), Catch::Contains("sysctl -w net/ipv4/ip_forward=1"));
  test::Program prepare;
  prepare.start(core.netns(), {EGW_CORE_PROGRAM, "--prepare"}, folder / "prepare.log");
  CHECK(prepare.wait() == 0);
  CHECK(core.run("sysctl -n net.ipv4.ip_forward") == "1\n");
}

}  // namespace
}  // namespace holdfast::gateway
