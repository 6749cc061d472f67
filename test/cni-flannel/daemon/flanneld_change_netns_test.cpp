// What changes in a cluster while the real program runs.

#include <filesystem>
#include <fstream>

#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::Cluster;
using holdfast::test::FlanneldNode;
using holdfast::test::print_time;
using holdfast::test::until;

/// What the kernel tells of changes of neighbours, FDB and routes in a node while it lives.
class KernelNews {
 public:
  explicit KernelNews(const FlanneldNode& node) : node_(node) {
    static_cast<void>(node_.run("sh -c 'timeout 20 ip monitor neigh route >" + file() + " 2>&1 & echo $! >" +
                                file() + ".pid'; sleep 0.2"));
  }
  std::string end() {
    static_cast<void>(node_.run("kill $(cat " + file() + ".pid); sleep 0.1"));
    return node_.run("cat " + file());
  }

 private:
  [[nodiscard]] std::string file() const { return node_.path("news").native(); }
  const FlanneldNode& node_;
};

TEST_CASE_METHOD(Cluster, "A peer that changes its MAC is programmed, and no other is touched",
                 "[flanneld]") {
  start_all();
  KernelNews news(one);
  two.publish("    backendData: {VNI: 1, VtepMAC: 02:00:00:00:00:22}\n");
  print_time("peer's new MAC programmed", until([&] {
               return one.run("ip neigh show 10.244.2.0 dev flannel.1").find("02:00:00:00:00:22") !=
                          std::string::npos &&
                      one.run("bridge fdb show dev flannel.1")
                              .find("02:00:00:00:00:22 dst 192.168.77.2 self permanent") != std::string::npos;
             }));
  const std::string told = news.end();
  CHECK_THAT(told, Catch::Contains("10.244.2.0"));
  CHECK(told.find("10.244.3.0") == std::string::npos);
  CHECK(has_peers(one, 2));
}

TEST_CASE_METHOD(Cluster, "Of a peer that changes one family the other stays, and what it had before goes",
                 "[flanneld]") {
  one.net_conf =
      R"({"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"vxlan"}})";
  const auto publish = [&](const std::string& v4, const std::string& v6, const std::string& mac6) {
    std::ofstream(home / "nodes/.two.new")
        << "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\n"
           "metadata: {name: node2}\nspec: {flannel: {publicIP: " +
               v4 + ", publicIPv6: \"" + v6 +
               "\", podCIDRs: [10.244.2.0/24, \"fd00:0:0:2::/64\"], "
               "backendData: {VNI: 1, VtepMAC: \"02:00:00:00:00:22\"}, "
               "backendV6Data: {VNI: 1, VtepMAC: \"" +
               mac6 + "\"}}}\n";
    std::filesystem::rename(home / "nodes/.two.new", home / "nodes/node2.yaml");
  };
  // of node2, both families
  const auto entries = [&] {
    return one.run(
        "for d in flannel.1 flannel-v6.1; do bridge fdb show dev $d; ip neigh show dev $d; done 2>/dev/null "
        "| "
        "grep -i '^02:00\\|lladdr 02:00' | sed 's/ *$//' | LC_ALL=C sort");
  };
  const auto expected = [](const std::string& v4, const std::string& v6, const std::string& mac6) {
    return "02:00:00:00:00:22 dst " + v4 + " self permanent\n" + mac6 + " dst " + v6 +
           " self permanent\n10.244.2.0 lladdr 02:00:00:00:00:22 PERMANENT\nfd00:0:0:2:: lladdr " + mac6 +
           " PERMANENT\n";
  };
  const auto check = [&](const std::string& v4, const std::string& v6, const std::string& mac6) {
    publish(v4, v6, mac6);
    const std::string wanted = expected(v4, v6, mac6);
    until([&] { return entries() == wanted; });
  };
  const std::string mac = "02:00:00:00:06:22";
  const std::string other_mac = "02:00:00:00:06:33";
  publish("192.168.77.2", "2001:db8::2", mac);
  one.start();
  until([&] { return entries() == expected("192.168.77.2", "2001:db8::2", mac); });
  check("192.168.77.2", "2001:db8::2", other_mac);
  check("192.168.77.2", "2001:db8::5", other_mac);
  check("192.168.77.9", "2001:db8::5", other_mac);
  // while it is away
  one.stop(SIGKILL);
  publish("192.168.77.8", "2001:db8::5", mac);
  one.start();
  until([&] { return entries() == expected("192.168.77.8", "2001:db8::5", mac); });
}

TEST_CASE_METHOD(Cluster, "A peer whose file is gone stays for the removal delay, then only it goes",
                 "[flanneld]") {
  one.start({"--peer-removal-delay=2"});
  until([&] { return has_peers(one, 2) && one.ready(); });
  KernelNews news(one);
  two.unpublish();
  until([&] { return one.metric("flanneld_nodes_leaving") == 1; });
  CHECK(has_peers(one, 2));
  print_time("peer's end after its file was removed (delay 2 s)", until([&] { return has_peers(one, 1); }));
  CHECK(news.end().find("10.244.3.0") == std::string::npos);
  // and it comes back
  two.publish();
  until([&] { return has_peers(one, 2); });
}

TEST_CASE_METHOD(Cluster, "A file that cannot be read, or an empty folder, takes nobody away", "[flanneld]") {
  one.start({"--peer-removal-delay=0"});
  until([&] { return has_peers(one, 2) && one.ready(); });
  std::ofstream(home / "nodes/node2.yaml") << "nonsense: [";
  until([&] { return one.get("/readyz?verbose").find("node2.yaml: line 1") != std::string::npos; });
  std::filesystem::rename(home / "nodes", home / "away");
  std::filesystem::create_directory(home / "nodes");
  until([&] { return one.get("/readyz?verbose").find("[+]SourceReachable ok") != std::string::npos; });
  CHECK(has_peers(one, 2));
  CHECK(one.ready());
}

TEST_CASE_METHOD(Cluster, "A node that takes another's subnet displaces it at once", "[flanneld]") {
  start_all();
  two.unpublish();
  std::ofstream(home / "nodes/heir.yaml")
      << "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: heir}\n"
         "spec: {flannel: {publicIP: 192.168.77.9, podCidr: 10.244.2.0/24}}\n";
  until([&] {
    const std::string fdb = one.run("bridge fdb show dev flannel.1");
    return fdb.find("dst 192.168.77.9") != std::string::npos &&
           fdb.find("dst 192.168.77.2") == std::string::npos;
  });
  CHECK(has_peers(one, 2));
  CHECK_THAT(one.get("/readyz?verbose"),
             Catch::Contains("node2: node heir claims its subnet 10.244.2.0/24 now"));
}

TEST_CASE_METHOD(Cluster, "A node that claims another's MAC or address takes no traffic of it",
                 "[flanneld]") {
  start_all();
  const std::string mac = two.vtep_mac().substr(std::string("link/ether ").size(), 17);
  const auto claim = [&](const std::string& more) {
    std::ofstream(home / "nodes/thief.yaml")
        << "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: thief}\n"
           "spec: {flannel: {podCidr: 10.244.7.0/24, " +
               more + "}}\n";
  };
  INFO("the MAC");
  claim("publicIP: 192.168.77.9, backendData: {VNI: 1, VtepMAC: '" + mac + "'}");
  until([&] {
    return one.get("/readyz?verbose").find("thief: node node2 has its VTEP MAC " + mac) != std::string::npos;
  });
  CHECK(one.run("bridge fdb show dev flannel.1").find("192.168.77.9") == std::string::npos);
  CHECK(has_peers(one, 2));
  CHECK(pings(one, 2));
  INFO("the address");
  claim("publicIP: 192.168.77.2");
  until([&] { return has_peers(one, 3); });
  CHECK(pings(one, 2));
  until([&] { return one.get("/readyz?verbose").find("[+]PeersGuarded ok") != std::string::npos; });
  CHECK(one.ready());
  INFO("the MAC again, and flanneld is started anew");
  claim("publicIP: 192.168.77.9, backendData: {VNI: 1, VtepMAC: '" + mac + "'}");
  until([&] { return has_peers(one, 2); });
  one.stop(SIGTERM);
  one.start();
  until([&] { return one.ready() && has_peers(one, 2); });
  CHECK(pings(one, 2));
  INFO("the node is gone");
  two.unpublish();
  until([&] { return one.run("bridge fdb show dev flannel.1").find("192.168.77.9") != std::string::npos; });
}

TEST_CASE_METHOD(Cluster, "The external interface's new address is followed by the tunnel", "[flanneld]") {
  start_all();
  const std::string mac = one.vtep_mac();
  static_cast<void>(
      one.run("ip addr add 192.168.77.101/24 dev eth0 && ip addr del 192.168.77.1/24 dev eth0 && "
              "ip addr show dev eth0 | grep -q 192.168.77.101 || ip addr add 192.168.77.101/24 dev eth0; "
              "ip route replace default via 192.168.77.254"));
  const auto took = until([&] {
    return one.can("ip -d link show flannel.1 | grep -q 'local 192.168.77.101 '") && has_peers(one, 2);
  });
  print_time("address of the external interface changed", took);
  CHECK(one.vtep_mac() == mac);
  std::ofstream(home / "nodes/node1.yaml")
      << "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: node1}\n"
         "spec: {flannel: {publicIP: 192.168.77.101, podCidr: 10.244.1.0/24}}\n";
  until([&] { return pings(two, 1) && pings(one, 2); });
}

TEST_CASE_METHOD(Cluster, "Another MTU of the external interface is followed by tunnel and subnet.env",
                 "[flanneld]") {
  one.start();
  until([&] { return one.ready(); });
  static_cast<void>(one.run("ip link set eth0 mtu 1400"));
  until([&] { return one.can("ip link show flannel.1 | grep -q 'mtu 1350 '"); });
  until([&] { return one.can("grep -q FLANNEL_MTU=1350 " + one.path("run/subnet.env").native()); });
  CHECK(one.ready());
}

TEST_CASE_METHOD(Cluster, "A node without a network comes up when the network does", "[flanneld]") {
  start_all();
  until([&] { return std::filesystem::exists(one.path("state/overlay.json")); });
  one.stop(SIGTERM);
  static_cast<void>(one.run("ip link del flannel.1; ip addr flush dev eth0; ip link set eth0 down"));
  std::filesystem::remove_all(one.path("run"));
  one.start();
  // pods can start: the file is there though there is no interface
  until([&] { return std::filesystem::exists(one.path("run/subnet.env")); });
  CHECK_FALSE(one.ready());
  until([&] {
    return one.get("/readyz?verbose").find("[-]InterfaceFound failed: no default route") != std::string::npos;
  });
  static_cast<void>(one.run(
      "ip link set eth0 up; ip addr add 192.168.77.1/24 dev eth0; ip route add default via 192.168.77.254"));
  print_time("network came up, then the first packet to a peer", until([&] { return pings(one, 2); }));
  until([&] { return one.ready(); });
}

TEST_CASE_METHOD(Cluster, "Another pod CIDR is taken: device, rules and subnet.env", "[flanneld]") {
  start_all({"--ip-masq"});
  std::ofstream(home / "nodes/node1.yaml")
      << "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: node1}\n"
         "spec: {flannel: {publicIP: 192.168.77.1, podCidr: 10.244.9.0/24}}\n";
  until([&] {
    return one.can("grep -q 'FLANNEL_SUBNET=10.244.9.1/24' " + one.path("run/subnet.env").native());
  });
  until([&] { return one.run("iptables-save -t nat").find("-d 10.244.9.0/24") != std::string::npos; });
  CHECK(one.run("iptables-save -t nat").find("10.244.1.0/24") == std::string::npos);
  CHECK(one.run("ip -4 -o addr show dev flannel.1").find(" 10.244.9.0/32 ") != std::string::npos);
  CHECK(one.run("ip -4 -o addr show dev flannel.1").find("10.244.1.0") == std::string::npos);
  until([&] { return two.run("ip route").find("10.244.9.0/24 via 10.244.9.0") != std::string::npos; });
  CHECK(two.run("ip route").find("10.244.1.0/24 via") == std::string::npos);
}

TEST_CASE_METHOD(Cluster, "Rules follow the folder of ranges, are mended, and go with the mode",
                 "[flanneld]") {
  one.start({"--ip-masq", "--iptables-resync=1"});
  until([&] { return one.ready(); });
  const auto nat = [&] { return one.run("iptables-save -t nat"); };
  CHECK(nat().find("172.16.0.0/16") == std::string::npos);
  std::filesystem::create_directories(one.path("run/no-masq.d"));
  std::ofstream(one.path("run/no-masq.d/pool")) << "172.16.0.0/16\n";
  until([&] { return nat().find("-d 172.16.0.0/16") != std::string::npos; });
  CHECK(nat().find("-s 172.16.0.0/16 -d 10.244.0.0/16") != std::string::npos);
  std::filesystem::remove(one.path("run/no-masq.d/pool"));
  until([&] { return nat().find("172.16.0.0/16") == std::string::npos; });

  INFO("rules are mended");
  static_cast<void>(one.run("iptables -t nat -F FLANNEL-POSTRTG"));
  print_time("rules mended (a look each second)",
             until([&] { return nat().find("-j MASQUERADE") != std::string::npos; }));
  until([&] { return one.metric("flanneld_rules_mended_total") >= 1; });

  one.stop(SIGTERM);
  CHECK(nat().find("-j MASQUERADE") != std::string::npos);
  one.net_conf = R"({"Network": "10.244.0.0/16", "EnableNFTables": true, "Backend": {"Type": "vxlan"}})";
  one.start({"--ip-masq"});
  until([&] { return one.ready(); });
  CHECK(nat().find("FLANNEL") == std::string::npos);
  CHECK_THAT(one.run("nft list table ip flannel-ipv4"), Catch::Contains("masquerade"));

  one.stop(SIGTERM);
  one.net_conf = R"({"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}})";
  one.start();
  until([&] { return one.ready(); });
  CHECK_FALSE(one.can("nft list table ip flannel-ipv4"));
  CHECK(nat().find("FLANNEL") == std::string::npos);  // without --ip-masq
  CHECK_THAT(one.run("iptables-save -t filter"), Catch::Contains("-A FLANNEL-FWD"));
}

TEST_CASE_METHOD(Cluster, "VXLAN packets are taken from known peers only, unless told otherwise",
                 "[flanneld]") {
  start_all();
  CHECK(pings(one, 2));
  until([&] { return one.get("/readyz?verbose").find("[+]PeersGuarded ok") != std::string::npos; });
  const std::string dropped =
      "nft list chain inet flanneld-peers input | grep 'ip saddr' | grep -o 'packets [0-9]*'";
  CHECK(one.run(dropped) == "packets 0\n");
  // somebody on the LAN who is no peer sends what a peer could send
  FlanneldNode stranger(lan, home.path(), 9);
  static_cast<void>(stranger.run("bash -c 'printf x >/dev/udp/192.168.77.1/8472'"));
  until([&] { return one.run(dropped) == "packets 1\n"; });
  static_cast<void>(two.run("bash -c 'printf x >/dev/udp/192.168.77.1/8472'"));
  CHECK(one.run(dropped) == "packets 1\n");
  // who becomes a peer is let in
  stranger.publish();
  until([&] {
    return one.run("nft list set inet flanneld-peers peers4").find("192.168.77.9") != std::string::npos;
  });
  one.stop(SIGTERM);
  one.start({"--accept-unknown-peers"});
  until([&] { return one.ready(); });
  CHECK_FALSE(one.can("nft list table inet flanneld-peers"));
}

}  // namespace
}  // namespace holdfast::flannel
