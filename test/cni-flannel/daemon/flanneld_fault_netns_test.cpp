// What goes wrong around the real program.

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::Cluster;
using holdfast::test::print_time;
using holdfast::test::until;

TEST_CASE_METHOD(Cluster, "A second flanneld in one network namespace does not start, and says why",
                 "[flanneld]") {
  one.start();
  until([&] { return one.ready(); });
  const std::string again =
      one.run(std::string(FLANNELD_PROGRAM) + " --source=dir --state-dir=" + one.path("other").native() +
              " 2>&1 || echo status $?");
  CHECK_THAT(again,
             Catch::Contains("another flanneld of ours runs in this network namespace; stop it first") &&
                 Catch::EndsWith("status 1\n"));
  // upstream's, as far as one can tell: a process of that name
  one.stop(SIGTERM);
  std::filesystem::copy_file("/usr/bin/sleep", one.path("flanneld"));
  static_cast<void>(one.run("sh -c '" + one.path("flanneld").native() + " 30 >/dev/null 2>&1 & echo $! >" +
                            one.path("pid").native() + "'"));
  one.start();
  CHECK(one.wait() == 1);
  CHECK_THAT(one.log(), Catch::Contains("another flanneld runs in this network namespace, as process "));
  static_cast<void>(one.run("kill $(cat " + one.path("pid").native() + ")"));
}

TEST_CASE_METHOD(Cluster,
                 "What files tell wrongly is told, of this node and of others, and ready it is all the same",
                 "[flanneld]") {
  one.start({"--iface=flannel.1", "--iface=eth0"});
  until([&] { return one.ready(); });
  CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("[+]PublicAddressWrong none\n"));
  const std::string own = (home.path() / "nodes/node1.yaml").native();
  const auto tells = [&](const std::string& line) {
    return one.get("/readyz?verbose").find(line) != std::string::npos;
  };
  static_cast<void>(one.run("sed -i s/192.168.77.1$/192.168.77.99/ " + own));
  until([&] {
    return tells(
        "[-]PublicAddressWrong found: peers send to 192.168.77.99, and this node receives at 192.168.77.1:");
  });
  static_cast<void>(one.run("sed -i s/192.168.77.99$/192.168.77.1/ " + own));
  until([&] { return tells("[+]PublicAddressWrong none\n"); });
  std::ofstream(home.path() / "nodes/z.yaml") << "a\x1b[2J: [";
  until([&] { return tells("; until that is mended no node counts as removed (ready all the same)\n"); });
  CHECK(tells("[+]SourceReachable ok\n"));
  CHECK(one.ready());
  CHECK(one.get("/readyz?verbose").find('\x1b') == std::string::npos);
}

TEST_CASE_METHOD(Cluster, "Peers with one public address are counted and logged once, and both stay",
                 "[flanneld]") {
  start_all();
  const std::string document = (home.path() / "nodes/node3.yaml").native();
  const std::string metric = "flanneld_shared_public_addresses{family=\"ipv4\"}";
  CHECK(one.metric(metric) == 0);
  static_cast<void>(one.run("sed -i s/192.168.77.3$/192.168.77.2/ " + document));
  until([&] { return one.metric(metric) == 1; });
  ::kill(one.pid(), SIGHUP);
  const auto logged = [&] {
    const std::string log = one.log();
    const std::string line = "several nodes have published one public address";
    const std::size_t first = log.find(line);
    return first != std::string::npos && log.find(line, first + 1) == std::string::npos;
  };
  until(logged);
  CHECK_THAT(one.log(), Catch::Contains("node2, node3") && Catch::Contains("give each node an address"));
  CHECK(has_peers(one, 2));
  CHECK(pings(one, 2));
  until([&] {
    return two.get("/readyz?verbose").find("[-]PeersRejected found: node3: it claims our public address") !=
           std::string::npos;
  });
  static_cast<void>(one.run("sed -i s/192.168.77.2$/192.168.77.3/ " + document));
  until([&] { return one.metric(metric) == 0; });
  CHECK(logged());
  until([&] { return pings(one, 3); });
}

/// Ways in which a file is spoiled, as shell commands on "$0".
constexpr std::array<const char*, 4> kDamages{
    "truncate -s 100 $0", "truncate -s 0 $0",
    "printf X | dd of=$0 bs=1 seek=$(($(stat -c %s $0) / 2)) conv=notrunc status=none", "printf garbage >$0"};

TEST_CASE_METHOD(Cluster, "A store that is damaged is moved aside, and the source brings all back",
                 "[flanneld]") {
  const std::string damage = GENERATE(from_range(kDamages));
  INFO(damage);
  start_all();
  until([&] { return std::filesystem::exists(one.path("state/overlay.json")); });
  const std::string mac = one.vtep_mac();
  one.stop(SIGKILL);
  static_cast<void>(one.run("sh -ec '" + damage + "' " + one.path("state/overlay.json").native()));
  one.start();
  until([&] { return one.ready(); });
  CHECK(has_peers(one, 2));
  CHECK(one.vtep_mac() == mac);
  CHECK_THAT(one.log(), Catch::Contains("overlay.json.damaged-1"));
  CHECK(one.log().find("device made") == std::string::npos);
}

TEST_CASE_METHOD(Cluster, "With a damaged store and no source nothing of a running overlay is taken away",
                 "[flanneld]") {
  start_all({"--ip-masq"});
  until([&] { return std::filesystem::exists(one.path("state/overlay.json")); });
  const std::string before =
      picture(one) + one.run("iptables-save | grep -v ^#; cat " + one.path("run/subnet.env").native());
  one.stop(SIGKILL);
  for (const char* copy : {"state/overlay.json", "state/overlay.json.before"}) {
    std::filesystem::resize_file(one.path(copy), 100);
  }
  std::filesystem::rename(home / "nodes", home / "away");
  one.start({"--ip-masq"});
  until([&] {
    return one.get("/readyz?verbose").find("[-]LeaseKnown failed: node node1 has no pod CIDR") !=
           std::string::npos;
  });
  CHECK_FALSE(one.ready());
  CHECK(pings(one, 2));
  std::filesystem::rename(home / "away", home / "nodes");
  until([&] { return one.ready(); });
  const auto rules = [&] {
    return one.run("iptables-save | grep -v ^#; cat " + one.path("run/subnet.env").native());
  };
  CHECK(picture(one) + rules() == before);
}

TEST_CASE_METHOD(Cluster, "A node that boots with a damaged store and no source has its lease all the same",
                 "[flanneld]") {
  start_all();
  until([&] { return std::filesystem::exists(one.path("state/overlay.json.before")); });
  const std::string mac = one.vtep_mac();
  const std::string lease = one.run("cat " + one.path("run/subnet.env").native());
  one.stop(SIGKILL);
  std::filesystem::resize_file(one.path("state/overlay.json"), 100);
  std::filesystem::rename(home / "nodes", home / "away");
  static_cast<void>(one.run("ip link delete flannel.1; rm " + one.path("run/subnet.env").native()));
  one.start();
  until([&] { return one.ready(); });
  CHECK(one.run("cat " + one.path("run/subnet.env").native()) == lease);
  CHECK(one.vtep_mac() == mac);
  CHECK_THAT(one.log(), Catch::Contains("overlay.json.before, the state before it, is used instead"));
}

TEST_CASE_METHOD(Cluster, "Rules that somebody takes away or alters are put back", "[flanneld]") {
  one.net_conf = R"({"Network": "10.244.0.0/16", "EnableNFTables": true, "Backend": {"Type": "vxlan"}})";
  one.start({"--ip-masq", "--iptables-resync=1"});
  const auto rules = [&] {
    return one.run(
        "nft -s list table ip flannel-ipv4 2>&1; nft -s list table inet flanneld-peers 2>&1; true");
  };
  until([&] { return one.ready() && rules().find("192.168.77.3") != std::string::npos; });
  const std::string before = rules();
  const std::string replace_drop =
      "nft replace rule inet flanneld-peers input handle $(nft -a list chain inet flanneld-peers input | "
      "sed -n 's/.*peers4.*handle //p') accept";
  for (const std::string& command : {std::string("nft flush ruleset"),
                                     replace_drop + " && nft insert rule ip flannel-ipv4 forward drop && "
                                                    "nft flush set inet flanneld-peers peers4"}) {
    INFO(command);
    const double mended = one.metric("flanneld_rules_mended_total");
    static_cast<void>(one.run(command));
    CHECK(rules() != before);
    print_time("rules mended (a look each second)", until([&] { return rules() == before; }));
    until([&] { return one.metric("flanneld_rules_mended_total") >= mended + 2; });
  }
  CHECK_THAT(one.log(), Catch::Contains("rules were not as we left them; they are again"));
}

TEST_CASE_METHOD(Cluster, "Without an iptables program the rules in nftables are put all the same",
                 "[flanneld]") {
  const std::string without = "mount -t tmpfs t /usr/sbin";
  one.net_conf = R"({"Network": "10.244.0.0/16", "EnableNFTables": true, "Backend": {"Type": "vxlan"}})";
  one.start_after(without, {"--ip-masq"});
  until([&] { return one.ready(); });
  CHECK_THAT(one.run("nft list table ip flannel-ipv4"), Catch::Contains("masquerade"));
  one.stop(SIGTERM);
  // and in the other mode what is missing is told, while tunnels come up
  one.net_conf = R"({"Network": "10.244.0.0/16", "EnableNFTables": false, "Backend": {"Type": "vxlan"}})";
  one.start_after(without, {"--ip-masq"});
  until([&] {
    return one.get("/readyz?verbose").find("[-]RulesInPlace failed: iptables") != std::string::npos;
  });
  CHECK_THAT(one.get("/readyz?verbose"),
             Catch::Contains("is not installed; install iptables or use nftables"));
  CHECK(has_peers(one, 2));
}

TEST_CASE_METHOD(Cluster, "The store of another node is no state, and is replaced", "[flanneld]") {
  start_all();
  until([&] { return std::filesystem::exists(two.path("state/overlay.json")); });
  one.stop(SIGKILL);
  std::filesystem::copy_file(two.path("state/overlay.json"), one.path("state/overlay.json"),
                             std::filesystem::copy_options::overwrite_existing);
  one.start();
  until([&] { return one.ready(); });
  CHECK_THAT(one.log(), Catch::Contains("it is of node 'node2'"));
  CHECK_THAT(one.run("cat " + one.path("run/subnet.env").native()), Catch::Contains("10.244.1.1/24"));
  until([&] {
    return one.run("cat " + one.path("state/overlay.json").native()).find("\"nodeName\":\"node1\"") !=
           std::string::npos;
  });
}

TEST_CASE_METHOD(Cluster, "A disk that takes nothing is told, and the overlay comes up all the same",
                 "[flanneld]") {
  struct Case {
    const char* name;
    const char* mount;
    const char* why;
  };
  const Case cases[] = {
      {"read-only", "mount -t tmpfs -o ro none ", "Read-only file system"},
      {"full", "mount -t tmpfs -o size=4k,nr_inodes=8 none ", "No space left on device"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const std::string state = one.path("state").native();
      std::filesystem::create_directories(state);
      std::string before = c.mount + state;
      if (std::string(c.name) == "full") before += "; head -c 4096 /dev/zero >" + state + "/filler";
      one.start_after(before);
      until([&] { return one.get("/readyz?verbose").find(c.why) != std::string::npos; });
      until([&] { return one.ready(); });
      CHECK(has_peers(one, 2));
      CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("[-]StateStored failed: "));
      CHECK(one.metric("flanneld_store_errors_total") >= 1);
    }
  }
}

TEST_CASE_METHOD(Cluster, "Who fights over the MAC is told after three corrections, and not fought",
                 "[flanneld]") {
  start_all();
  for (int i = 1; i <= 3; ++i) {
    static_cast<void>(one.run("ip link set flannel.1 address 02:00:00:00:01:0" + std::to_string(i)));
    until([&] { return one.metric("flanneld_vtep_mac_corrections_total") == i; });
    CHECK(has_peers(one, 2));
  }
  static_cast<void>(one.run("ip link set flannel.1 address 02:00:00:00:01:04"));
  until([&] { return one.metric("flanneld_vtep_mac_contested") == 1; });
  CHECK(one.metric("flanneld_vtep_mac_corrections_total") == 3);
  CHECK_THAT(one.vtep_mac(), Catch::Contains("02:00:00:00:01:04"));
  CHECK_THAT(one.get("/readyz?verbose"),
             Catch::Contains("[-]VtepMacContested found: flannel.1 is given MAC 02:00:00:00:01:04"));
  // all but the MAC is kept right
  until([&] { return has_peers(one, 2); });
}

TEST_CASE_METHOD(Cluster, "Events that were lost in a flood lead to a look at all", "[flanneld]") {
  start_all();
  const std::string before = picture(one);
  ::kill(one.pid(), SIGSTOP);
  std::ofstream batch(one.path("batch"));
  for (int i = 0; i < 12000; ++i) {
    batch << "route " << (i % 2 == 0 ? "add" : "del") << " 172.31.0.0/24 dev eth0\n";
  }
  batch.close();
  static_cast<void>(one.run("ip -batch " + one.path("batch").native() + " && ip route del 10.244.2.0/24"));
  ::kill(one.pid(), SIGCONT);
  print_time("mended after lost events", until([&] { return picture(one) == before; }));
  CHECK(one.metric("flanneld_netlink_resyncs_total") >= 1);
}

TEST_CASE_METHOD(Cluster, "A peer that no tunnel can lead to stops no other, and is told", "[flanneld]") {
  std::ofstream(home / "nodes/bad.yaml")
      << "apiVersion: net.holdfast.dev/v1alpha1\nkind: NodeNetworkConfiguration\nmetadata: {name: bad}\n"
         "spec: {flannel: {publicIP: 224.0.0.1, podCidr: 10.244.77.0/24,\n"
         "  backendData: {VNI: 1, VtepMAC: \"02:00:00:00:00:77\"}}}\n";
  one.start();
  until([&] { return one.run("ip route").find("10.244.3.0/24 via") != std::string::npos; });
  CHECK(pings(one, 1));
  until([&] { return one.metric("flanneld_peers_programmed{family=\"ipv4\"}") == 2; });
  CHECK(one.metric("flanneld_peers_rejected{family=\"ipv4\"}") == 1);
  CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("224.0.0.1"));
}

TEST_CASE_METHOD(Cluster, "Before the first whole list nobody's entries are taken away", "[flanneld]") {
  std::filesystem::rename(home / "nodes", home / "away");
  static_cast<void>(one.run(
      "ip link add flannel.1 address 02:00:00:00:00:01 mtu 1450 type vxlan id 1 dev eth0 local 192.168.77.1 "
      "dstport 8472 nolearning && ip addr add 10.244.1.0/32 dev flannel.1 && ip link set flannel.1 up && "
      "ip neigh add 10.244.5.0 lladdr 02:00:00:00:00:05 dev flannel.1 nud permanent && "
      "bridge fdb add 02:00:00:00:00:05 dev flannel.1 dst 192.168.77.5 self permanent && "
      "ip route add 10.244.5.0/24 via 10.244.5.0 dev flannel.1 onlink"));
  const std::string before = picture(one);
  one.start();
  until([&] { return one.log().find("is not a folder") != std::string::npos; });
  CHECK(picture(one) == before);
  std::filesystem::rename(home / "away", home / "nodes");
  until([&] { return one.ready(); });
  until([&] { return one.run("ip route").find("10.244.5.0/24") == std::string::npos; });
  CHECK(has_peers(one, 2));
}

TEST_CASE_METHOD(Cluster, "SIGHUP changes nothing", "[flanneld]") {
  start_all();
  const std::string before = picture(one);
  ::kill(one.pid(), SIGHUP);
  ::usleep(200'000);
  CHECK(picture(one) == before);
  CHECK(one.ready());
  CHECK(one.stop(SIGTERM) == 0);
}

TEST_CASE_METHOD(Cluster,
                 "Without credentials a node that has a lease comes up by it, and says what is missing",
                 "[flanneld]") {
  start_all();
  one.stop(SIGTERM);
  static_cast<void>(one.run("ip link del flannel.1"));
  std::filesystem::remove(one.path("run/subnet.env"));
  one.start({"--source=crd", "--kubeconfig-file=" + one.path("late").native()});
  until([&] { return has_peers(one, 2) && exists(one.path("run/subnet.env")); });
  CHECK(pings(one, 2));
  until([&] { return one.get("/readyz?verbose").find("late: No such file") != std::string::npos; });
}

TEST_CASE_METHOD(Cluster, "Health pages that cannot be served yet stop nothing, and come later",
                 "[flanneld]") {
  two.start({"--healthz-ip=192.0.2.9"});
  until([&] { return has_peers(two, 2); });
  CHECK_THAT(two.log(), Catch::Contains("listen on 192.0.2.9 port 8081"));
  static_cast<void>(two.run("ip addr add 192.0.2.9/32 dev lo"));
  until([&] { return two.can("timeout 1 bash -c 'exec 3<>/dev/tcp/192.0.2.9/8081' 2>/dev/null"); });
}

TEST_CASE_METHOD(Cluster, "What the program cannot start with is told with the cure", "[flanneld]") {
  struct Case {
    std::vector<std::string> more;
    std::string conf;
    int status;
    const char* said;
  };
  const Case cases[] = {
      {{"--net-config-path=/nowhere/net-conf.json"},
       "{}",
       1,
       "/nowhere/net-conf.json is not there; it holds"},
      {{}, R"({"Network":"10.244.0.0/16","Backend":{"Type":"host-gw"}})", 1, "host-gw"},
      {{"--source=crd"}, "", 1, "this is no pod; give a kubeconfig file; --kubeconfig-file or "},
      {{"--healthz-port=x"}, "", 2, "--healthz-port 'x': is not a whole number from 0 to 65535"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.said) {
      if (!c.conf.empty()) one.net_conf = c.conf;
      one.start(c.more);
      CHECK(one.wait() == c.status);
      CHECK_THAT(one.log(), Catch::Contains(c.said));
    }
  }
}

}  // namespace
}  // namespace holdfast::flannel
