// The real program, on nodes with an underlay between them.

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"
#include "test/fakes/wanted_metrics.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::Cluster;
using holdfast::test::FlanneldNode;
using holdfast::test::print_time;
using holdfast::test::until;

TEST_CASE_METHOD(Cluster, "Three nodes reach each other's pod ranges through the tunnels", "[flanneld]") {
  start_all();
  for (const FlanneldNode* from : nodes) {
    for (int to = 1; to <= 3; ++to) CHECK(pings(*from, to));
  }
  std::ostringstream env;
  env << std::ifstream(one.path("run/subnet.env")).rdbuf();
  CHECK(env.str() ==
        "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/"
        "24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n");
  CHECK(one.run("ip link show flannel.1").find(" mtu 1450 ") != std::string::npos);
  CHECK(one.metric("flanneld_peers_programmed{family=\"ipv4\"}") == 2);
  CHECK(one.metric("flanneld_ready") == 1);
  CHECK(one.metric("flanneld_authoritative_list_age_seconds") >= 0);
  CHECK(one.get("/healthz").find("\r\n\r\nflanneld is running\n") != std::string::npos);
  CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("[+]PeersProgrammed ok\n"));
  CHECK(one.metric("flanneld_pod_addresses_free{family=\"ipv4\"}") == 253);
  std::filesystem::create_directories(one.path("networks/cbr0"));
  std::ofstream(one.path("networks/cbr0/10.244.1.7")) << "a-pod\r\neth0";
  CHECK(one.metric("flanneld_pod_addresses_used{family=\"ipv4\"}") == 1);
  CHECK(holdfast::test::metrics_not_in(one.get("/metrics"), "flanneld_").empty());
}

TEST_CASE_METHOD(Cluster, "With two families pods reach each other by both", "[flanneld]") {
  for (FlanneldNode* node : nodes) {
    node->net_conf =
        R"({"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"vxlan"}})";
  }
  for (int i = 0; i < 3; ++i) {
    static_cast<void>(nodes.at(static_cast<std::size_t>(i))
                          ->run("sysctl -qw net.ipv6.conf.all.forwarding=1 && ip addr add fd00:0:0:" +
                                std::to_string(i + 1) + "::1/64 dev cni0 nodad"));
  }
  start_all();
  CHECK(one.metric("flanneld_peers_programmed{family=\"ipv6\"}") == 2);
  until([&] { return one.can("ping -c 1 -W 0.1 -q fd00:0:0:2::1"); });
  CHECK(pings(one, 2));
  static_cast<void>(one.run("ip link del flannel-v6.1"));
  print_time("mended: IPv6 device deleted",
             until([&] { return one.can("ping -c 1 -W 0.1 -q fd00:0:0:3::1"); }));
  CHECK(pings(one, 3));
}

TEST_CASE_METHOD(Cluster,
                 "A daemon that ends leaves the overlay as it is, and the next keeps MAC and entries",
                 "[flanneld]") {
  start_all();
  const std::string mac = one.vtep_mac();
  const std::string before = picture(one);
  until([&] { return std::filesystem::exists(one.path("state/overlay.json")); });
  const std::string index = one.run("ip -o link show flannel.1 | cut -d: -f1");
  const int signal = GENERATE(SIGKILL, SIGTERM);
  CHECK(one.stop(signal) == (signal == SIGKILL ? 128 + SIGKILL : 0));
  CHECK(pings(one, 2));
  std::filesystem::rename(home / "nodes", home / "away");  // the cloud is away
  one.start();
  until([&] { return one.ready(); });
  CHECK(one.vtep_mac() == mac);
  CHECK(one.run("ip -o link show flannel.1 | cut -d: -f1") == index);
  CHECK(picture(one) == before);
  CHECK(pings(one, 2));
  CHECK(one.log().find("device made") == std::string::npos);
  CHECK_THAT(one.get("/readyz?verbose"),
             Catch::Contains("[-]SourceReachable failed: ") && Catch::Contains("put the nodes' files there"));
}

TEST_CASE_METHOD(Cluster, "After a reboot with no source the store alone brings all back", "[flanneld]") {
  start_all({"--ip-masq"});
  until([&] { return std::filesystem::exists(one.path("state/overlay.json")); });
  const std::string mac = one.vtep_mac();
  one.stop(SIGKILL);
  std::filesystem::rename(home / "nodes", home / "away");
  std::filesystem::remove_all(one.path("run"));
  static_cast<void>(one.run("ip link del flannel.1 && iptables -t nat -F && iptables -t nat -X"));
  CHECK_FALSE(pings(one, 2));
  one.start({"--ip-masq"});
  print_time("first packet to a peer after a start from the store", until([&] { return pings(one, 2); }));
  CHECK(pings(one, 3));
  CHECK(one.vtep_mac() == mac);
  CHECK(std::filesystem::exists(one.path("run/subnet.env")));
  until([&] { return one.ready(); });
  CHECK_THAT(one.run("iptables-save -t nat"), Catch::Contains("-A FLANNEL-POSTRTG"));
}

TEST_CASE_METHOD(Cluster, "With IPv6 alone a deleted device and a reboot with no source are mended, too",
                 "[flanneld]") {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes.at(i)->net_conf =
        R"({"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"vxlan"}})";
    static_cast<void>(nodes.at(i)->run(
        "sysctl -qw net.ipv6.conf.all.forwarding=1 && ip addr add fd00:0:0:" + std::to_string(i + 1) +
        "::1/64 dev cni0 nodad && ip addr del " + "192.168.77." + std::to_string(i + 1) +
        "/24 dev eth0 && "
        "ip -6 route add default via 2001:db8::254"));
    nodes.at(i)->start({"--ip-masq"});
  }
  for (const FlanneldNode* node : nodes) until([&] { return node->ready(); });
  const auto pings_by_v6 = [&] { return one.can("ping -c 1 -W 0.1 -q fd00:0:0:2::1"); };
  const auto mac = [&] { return one.run("ip -o link show flannel-v6.1 | grep -o 'ether [0-9a-f:]*'"); };
  until(pings_by_v6);
  const std::string before = mac();
  static_cast<void>(one.run("ip link del flannel-v6.1"));
  until(pings_by_v6);
  CHECK(mac() == before);

  until([&] { return one.can("grep -q node2 " + one.path("state/overlay.json").native()); });
  one.stop(SIGKILL);
  std::filesystem::rename(home / "nodes", home / "away");
  std::filesystem::remove_all(one.path("run"));
  static_cast<void>(one.run("ip link del flannel-v6.1"));
  CHECK_FALSE(pings_by_v6());
  one.start({"--ip-masq"});
  until(pings_by_v6);
  CHECK(mac() == before);
  CHECK_THAT(one.run("cat " + one.path("run/subnet.env").native()),
             Catch::Contains("FLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64") && !Catch::Contains("FLANNEL_SUBNET"));
  until([&] { return one.ready(); });
}

/// As a kube-proxy of the legacy kind holds it while it replaces thousands of rules.
TEST_CASE_METHOD(Cluster, "A lock of iptables that somebody holds keeps no tunnel from coming up",
                 "[flanneld]") {
  for (FlanneldNode* node : {&two, &three}) node->start();
  const std::string release = one.path("release").native();
  std::string legacy = "mount -t tmpfs t /run; cp -a /etc/alternatives /run/alternatives; ";
  for (const char* family : {"iptables", "ip6tables"}) {
    for (const char* form : {"", "-save", "-restore"}) {
      const std::string name = std::string(family) + form;
      legacy +=
          "ln -sf /usr/sbin/" + std::string(family) + "-legacy" + form + " /run/alternatives/" + name + "; ";
    }
  }
  one.start_after(legacy + "mount --bind /run/alternatives /etc/alternatives; touch /run/xtables.lock; " +
                      "flock /run/xtables.lock sh -c 'n=0; until [ -e " + release +
                      " ] || [ $n = 600 ]; do sleep 0.1; n=$((n + 1)); done' & sleep 0.3",
                  {"--ip-masq"});
  until([&] { return pings(one, 2); });
  CHECK(std::filesystem::exists(one.path("run/subnet.env")));
  CHECK_FALSE(one.ready());
  CHECK(one.run("iptables-legacy-save -t nat").find("FLANNEL") == std::string::npos);
  std::ofstream(release) << "now";
  print_time("rules behind the lock of iptables",
             until([&] { return one.ready(); }, std::chrono::seconds(60)));
  CHECK_THAT(one.run("iptables-legacy-save -t nat"), Catch::Contains("-A FLANNEL-POSTRTG"));
}

TEST_CASE_METHOD(Cluster, "A mistake in a node's own pod CIDR is told, and its overlay is kept up",
                 "[flanneld]") {
  start_all();
  one.publish_as("10.9.1.0/24");
  until([&] { return one.get("/readyz").find("10.9.1.0/24") != std::string::npos; });
  static_cast<void>(one.run("ip link del flannel.1"));
  until([&] { return has_peers(one, 2); });
  one.stop(SIGTERM);
  static_cast<void>(one.run("ip link del flannel.1"));
  one.start();
  until([&] { return has_peers(one, 2); });
  CHECK(one.get("/readyz").find("10.9.1.0/24") != std::string::npos);
  one.publish();
  until([&] { return one.ready(); });
}

TEST_CASE_METHOD(Cluster, "subnet.env is back when somebody has taken it away, and an idle node does nothing",
                 "[flanneld]") {
  start_all();
  const auto whole_looks = [&] { return one.metric("flanneld_reconcile_seconds_count{what=\"all\"}"); };
  std::filesystem::remove(one.path("run/subnet.env"));
  print_time("subnet.env is back", until([&] { return exists(one.path("run/subnet.env")); }));
  const double before = whole_looks();
  std::this_thread::sleep_for(std::chrono::seconds(4));
  CHECK(whole_looks() <= before + 2);  // what was put off at the start
}

TEST_CASE_METHOD(Cluster, "What others do to the overlay is mended", "[flanneld]") {
  start_all();
  struct Case {
    const char* name;
    const char* command;
  };
  const Case cases[] = {
      {"device deleted", "ip link del flannel.1"},
      {"forwarding database flushed",
       "for m in $(bridge fdb show dev flannel.1 | cut -d' ' -f1); do bridge fdb del $m dev flannel.1; done"},
      {"neighbour deleted", "ip neigh del 10.244.2.0 dev flannel.1"},
      {"neighbour given another MAC",
       "ip neigh replace 10.244.2.0 lladdr 02:00:00:00:00:09 dev flannel.1 nud permanent"},
      {"route deleted", "ip route del 10.244.2.0/24"},
      {"route led elsewhere", "ip route replace 10.244.2.0/24 via 192.168.77.254"},
      {"MAC changed by hand", "ip link set flannel.1 address 02:00:00:00:00:07"},
      {"device set down", "ip link set flannel.1 down"},
      {"address taken away", "ip addr del 10.244.1.0/32 dev flannel.1"},
      {"MTU changed", "ip link set flannel.1 mtu 1300"},
  };
  const std::string before = picture(one);
  for (const Case& c : cases) {
    INFO(c.name);
    static_cast<void>(one.run(c.command));
    const auto is_whole = [&] { return one.can("ip link show flannel.1") && picture(one) == before; };
    print_time(std::string("mended: ") + c.name, until(is_whole));
    CHECK(pings(one, 2));
  }
}

}  // namespace
}  // namespace holdfast::flannel
