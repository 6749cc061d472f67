// The program `holdfast` on nodes that run the real flanneld.

#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <regex>
#include <span>

#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"
#include "test/fakes/handbook.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::Cluster;
using holdfast::test::FlanneldNode;
using holdfast::test::until;

/// What `holdfast WORDS` prints on the node, and "status N" behind it; everything else is left to flanneld's
/// flags. What doctor finds is to be in the handbook.
std::string ask_plainly(const FlanneldNode& node, const std::string& words) {
  std::string printed = node.run(std::string(HOLDFAST_PROGRAM) + " " + words +
                                 " --ipam-dir=" + node.path("networks").native() + " 2>&1; echo status $?");
  if (words.starts_with("doctor")) CHECK(holdfast::test::not_in_handbook(printed).empty());
  return printed;
}

/// The same where the files are told, as it takes with flanneld dead.
std::string files_of(const FlanneldNode& node) {
  return " --net-config-path=" + node.path("net-conf.json").native() +
         " --subnet-file=" + node.path("run/subnet.env").native() +
         " --state-dir=" + node.path("state").native();
}
std::string ask(const FlanneldNode& node, const std::string& words) {
  return ask_plainly(node, words + " --node-name=node1" + files_of(node));
}

/// Waits until flanneld has nothing more to do or to tell, and has stored both peers as their files tell: it
/// programs a peer before it stores it.
void settle(const FlanneldNode& node) {
  until([&] {
    const std::string page = node.get("/readyz?verbose");
    return page.find(" 200 OK") != std::string::npos && page.find("[-]") == std::string::npos;
  });
  until([&] {
    return ask(node, "status").find("node3") != std::string::npos &&
           ask_plainly(node, "doctor --probe=false").find("is not what") == std::string::npos;
  });
}

/// Three nodes whose states are stored.
struct Site : Cluster {
  Site() {
    start_all({"--ip-masq"});
    settle(one);
  }
};

TEST_CASE_METHOD(Site, "status shows the lease and every peer, with flanneld dead as well", "[inspect]") {
  const std::string running = ask(one, "status");
  CHECK_THAT(running, Catch::StartsWith("node1  192.168.77.1  10.244.1.0/24"));
  CHECK_THAT(running, Catch::Contains("flanneld  ready\n") && Catch::Contains("flannel.1  up") &&
                          Catch::Contains("status 0"));
  CHECK_THAT(running,
             Catch::Matches("(.|\n)*node2 +10.244.2.0/24 +192.168.77.2 +66:[0-9a-f:]{14} +programmed\n"
                            "(.|\n)*"));
  CHECK(ask_plainly(one, "status") == running);
  one.stop(SIGKILL);
  const std::string dead = ask(one, "status");
  CHECK_THAT(dead, Catch::Contains("flanneld  does not run\n"));
  CHECK(dead.substr(dead.find("\n\n")) == running.substr(running.find("\n\n")));
  // nobody tells the name but the store
  CHECK(ask_plainly(one, "status" + files_of(one)) == dead);

  static_cast<void>(one.run("ip link del flannel.1"));
  CHECK_THAT(ask(one, "status"),
             Catch::Contains("WRONG: is not there") &&
                 Catch::Matches("(.|\n)*node2 [^\n]*NOT programmed(.|\n)*node3 [^\n]*NOT programmed(.|\n)*"));
}

TEST_CASE_METHOD(Cluster, "status shows the node's own address of an IPv6-only network", "[inspect]") {
  one.net_conf = R"({"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/48",
                     "Backend": {"Type": "vxlan"}})";
  static_cast<void>(one.run("ip -6 route add default via 2001:db8::254"));
  one.start();
  until([&] { return ask_plainly(one, "status").find("flanneld  ready") != std::string::npos; });
  CHECK_THAT(ask_plainly(one, "status"), Catch::StartsWith("node1  2001:db8::1  "));
}

TEST_CASE_METHOD(Cluster, "doctor tells that a node of an IPv6-only network does not forward", "[inspect]") {
  one.net_conf = R"({"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00::/48",
                     "Backend": {"Type": "vxlan"}})";
  static_cast<void>(one.run("ip -6 route add default via 2001:db8::254"));
  one.start();
  until([&] { return one.ready(); });
  const std::string name = "net.ipv6.conf.all.forwarding";
  static_cast<void>(one.run("sysctl -qw " + name + "=1"));
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"), Catch::Matches("(.|\n)*ok +" + name + " +1\n(.|\n)*"));
  static_cast<void>(one.run("sysctl -qw " + name + "=0"));
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"),
             Catch::Matches("(.|\n)*WRONG +" + name + " +is 0: nothing is forwarded(.|\n)*"));
}

TEST_CASE_METHOD(Site,
                 "The network's configuration is read where flanneld has it, if only its container does",
                 "[inspect]") {
  const std::string conf = one.path("net-conf.json").native();
  const std::string outside =
      one.run("unshare --mount sh -ec 'mount --bind /dev/null " + conf +
              "; " HOLDFAST_PROGRAM " status --state-dir=" + one.path("state").native() +
              " --ipam-dir=" + one.path("networks").native() + "'");
  CHECK_THAT(outside,
             Catch::Contains("flanneld  ready\n") &&
                 Catch::Matches("(.|\n)*node2 +10.244.2.0/24 +192.168.77.2 [^\n]*programmed\n(.|\n)*"));
}

TEST_CASE_METHOD(Site, "explain tells what the kernel lacks of one peer, and is content with the others",
                 "[inspect]") {
  one.stop(SIGKILL);
  static_cast<void>(
      one.run("bridge fdb del $(bridge fdb show dev flannel.1 | awk '/77.2 / {print $1}') "
              "dev flannel.1 dst 192.168.77.2"));
  const std::string lacking = ask(one, "explain node2");
  CHECK_THAT(lacking,
             Catch::Contains("put fdb") && Catch::Contains("192.168.77.2") && Catch::Contains("status 1"));
  CHECK_THAT(ask(one, "explain 10.244.3.7"), Catch::Contains("node3: 10.244.3.0/24") &&
                                                 Catch::Contains("the kernel has all of it") &&
                                                 Catch::Contains("status 0"));
  CHECK_THAT(ask(one, "status"), Catch::Contains("LACKS 1 entry") && Catch::Contains("status 1"));
  for (const char* ourselves : {"node1", "10.244.1.7", "192.168.77.1"}) {
    CHECK_THAT(
        ask(one, std::string("explain ") + ourselves),
        Catch::StartsWith("node1: this node; its pods are in 10.244.1.0/24") && Catch::Contains("status 0"));
  }
  CHECK_THAT(ask(one, "explain node9"),
             Catch::Contains("'node9' is no node that is known here") && Catch::Contains("status 1"));
}

TEST_CASE_METHOD(Site, "doctor is content with a node that is well", "[inspect]") {
  const std::string report = ask_plainly(one, "doctor");
  CHECK_THAT(report,
             Catch::Contains("all 2 programmed") && !Catch::Contains("WRONG") && !Catch::Contains("??"));
  CHECK_THAT(report, Catch::Contains(", ready\n") && Catch::Contains("2 other nodes") &&
                         Catch::Contains("eth0, 192.168.77.1") && Catch::Contains("of 2 addresses"));
  CHECK_THAT(report, Catch::Matches("(.|\n)*rules in iptables, IPv4 +as wanted(.|\n)*"));
  CHECK_THAT(report, Catch::EndsWith("status 0\n"));
}

struct Ailment {
  const char* command;
  const char* finding;
};
/// One behind the other on one node.
constexpr Ailment kAilments[] = {
    {"sysctl -qw net.ipv4.ip_forward=0", "net.ipv4.ip_forward +is 0"},
    {"ip link set cni0 down", "cni0 +is down"},
    {"iptables -F FLANNEL-FWD", "chain FLANNEL-FWD has 0 of ours instead of 2"},
    {"iptables -t nat -F POSTROUTING", "chain POSTROUTING lacks ours"},
    {"iptables -I INPUT -p udp --dport 8472 -j DROP",
     "UDP 8472 +what peers send is dropped by a rule of somebody: INPUT -p udp"},
    {"ip addr add 10.244.9.1/24 dev eth0", "10.244.9.1/24 of eth0: hosts there and pods"},
    {"ip neigh flush dev flannel.1 nud permanent", "not as wanted: node2, node3"},
    {"ip link set eth0 mtu 1400", "1450 and 50 for VXLAN exceed 1400 of eth0"},
};
constexpr Ailment kDeviceAilments[] = {
    {"ip addr flush dev eth0", "external interface +eth0 has no address 192.168.77.1"},
    {"ip link set eth0 down", "external interface +eth0 is down"},
    {"ip link set flannel.1 down", "flannel.1 +is down"},
    {"ip link set flannel.1 address 02:00:00:00:00:09", "has MAC 02:00:00:00:00:09"},
    {"ip link del flannel.1", "flannel.1 +is not there"},
    {"ip link del eth0", "external interface +no default route tells[^\n]*there are: lo\n"},
};

/// That each is found once it is there, and not before.
void check_findings(FlanneldNode& node, std::span<const Ailment> ailments) {
  node.stop(SIGKILL);
  std::string before = ask(node, "doctor --probe=false");
  for (const Ailment& ailment : ailments) {
    INFO(ailment.command);
    const auto finding = Catch::Matches("(.|\n)*WRONG[^\n]*" + std::string(ailment.finding) + "(.|\n)*");
    CHECK_THAT(before, !finding);
    static_cast<void>(node.run(ailment.command));
    before = ask(node, "doctor --probe=false");
    CHECK_THAT(before, finding);
    CHECK_THAT(before, Catch::EndsWith("status 1\n"));
  }
}

TEST_CASE_METHOD(Site, "doctor names what is wrong with a node, and is status 1", "[inspect]") {
  check_findings(one, kAilments);
}

TEST_CASE_METHOD(Site, "A node that has had no pod yet is well, though the first one turns forwarding on",
                 "[inspect]") {
  static_cast<void>(one.run("ip link del cni0; sysctl -qw net.ipv4.ip_forward=0"));
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"),
             Catch::Matches("(.|\n)*[?][?] +net.ipv4.ip_forward +is 0, which the first pod(.|\n)*") &&
                 Catch::EndsWith("status 0\n"));
}

TEST_CASE_METHOD(Site, "doctor names what is wrong with the interfaces of a node", "[inspect]") {
  check_findings(one, kDeviceAilments);
}

TEST_CASE_METHOD(Site, "doctor tells what flanneld itself is not content with, and that it does not answer",
                 "[inspect]") {
  static_cast<void>(
      one.run("sed -i s/192.168.77.1$/192.168.77.99/ " + (home.path() / "nodes/node1.yaml").native()));
  until([&] { return one.can("grep -q 192.168.77.99 " + one.path("state/overlay.json").native()); });
  static_cast<void>(one.run("ip link set eth0 down"));
  until([&] { return !one.ready(); });
  const std::string report = ask_plainly(one, "doctor --probe=false");
  CHECK_THAT(report, Catch::Contains(", and is not ready:\n") &&
                         Catch::Matches("(.|\n)*WRONG +flanneld: InterfaceFound +no default route(.|\n)*") &&
                         Catch::Contains("flanneld: PublicAddressWrong") && Catch::EndsWith("status 1\n"));
  CHECK_THAT(ask_plainly(one, "status"), Catch::Contains("flanneld  not ready: InterfaceFound: no default") &&
                                             Catch::Contains("WRONG: eth0 is down") &&
                                             Catch::EndsWith("status 1\n"));
  ::kill(one.pid(), SIGSTOP);
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"),
             Catch::Contains("it does not answer at 127.0.0.1 port 8081") &&
                 Catch::Matches("(.|\n)*WRONG +own public address +peers send to 192.168.77.99(.|\n)*"));
}

TEST_CASE_METHOD(Site, "doctor names the peers that have one public address, and the one that has ours",
                 "[inspect]") {
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"), !Catch::Contains("public address 192.168.77"));
  static_cast<void>(
      one.run("sed -i s/192.168.77.3$/192.168.77.2/ " + (home.path() / "nodes/node3.yaml").native()));
  const std::string cure = "give each node an address of its own, behind a NAT too, and delete the Node of";
  const auto told = [&](const FlanneldNode& node, const std::string& row) {
    const std::string report = ask_plainly(node, "doctor --probe=false");
    return report.find(cure) != std::string::npos && std::regex_search(report, std::regex("WRONG +" + row)) &&
           report.ends_with("status 1\n");
  };
  until([&] { return told(one, "public address 192.168.77.2 +is published by node2, node3, and what"); });
  until(
      [&] { return told(two, "peer node3 +is left out: it claims our public address 192.168.77.2: give"); });
}

TEST_CASE_METHOD(Site, "A store that is not what the files tell is no measure of the kernel", "[inspect]") {
  const std::string store = one.path("state/overlay.json").native();
  static_cast<void>(one.run("cp " + store + " " + store + ".old"));
  three.publish("    backendData: {VNI: 1, VtepMAC: \"02:00:00:00:00:33\"}\n");
  until([&] { return one.can("grep -q 02:00:00:00:00:33 " + store); });
  static_cast<void>(one.run("mv " + store + ".old " + store));
  const std::string report = ask_plainly(one, "doctor --probe=false");
  CHECK_THAT(report,
             Catch::Matches("(.|\n)*WRONG +stored state +is not what [^\n]*nodes tells of node3:(.|\n)*"));
  CHECK_THAT(report, Catch::Matches("(.|\n)*[?][?] +peers on flannel.1 +other than the stored state(.|\n)*"));
  CHECK_THAT(report, Catch::Contains(", ready\n"));
}

TEST_CASE_METHOD(Site, "doctor sees that nothing can be stored", "[inspect]") {
  one.stop(SIGKILL);
  const std::string state = one.path("state").native();
  const auto on = [&](const std::string& spoil) {
    std::string printed = one.run(
        "unshare --mount sh -ec 'rm -rf " + state + ".kept; cp -r " + state + " " + state +
        ".kept; mount -t tmpfs -o size=64k t " + state + "; cp " + state + ".kept/* " + state + "; " + spoil +
        "; " HOLDFAST_PROGRAM " doctor --probe=false" + files_of(one) + " --ipam-dir=/nowhere || true'");
    CHECK(holdfast::test::not_in_handbook(printed).empty());
    return printed;
  };
  CHECK_THAT(on("true"), !Catch::Contains("nothing new is stored"));
  CHECK_THAT(on("dd if=/dev/zero of=" + state + "/fill 2>/dev/null || true"),
             Catch::Contains("the disk is full (") && Catch::Contains("so nothing new is stored: make room"));
  CHECK_THAT(on("mount -o remount,ro " + state), Catch::Contains("is read-only, so nothing new is stored"));
  CHECK_THAT(on("printf x >>" + state + "/overlay.json"), Catch::Contains("overlay.json is damaged"));
}

/// Has pods that the real plugin connects.
struct PodSite : Site {
  /// What a call of the plugin for the pod shop/NAME prints, and "status N" behind it.
  std::string cni(const std::string& verb, const std::string& name, const std::string& network = "cbr0") {
    if (!pods.contains(name)) pods[name] = holdfast::test::new_netns();
    const std::string conf =
        R"({"cniVersion":"1.0.0","name":")" + network +
        R"(","type":"flannel","delegate":{"isDefaultGateway":true},)"
        R"("subnetFile":")" +
        one.path("run/subnet.env").native() + R"(","dataDir":")" + one.path("flannel").native() +
        R"(","ipam":{"dataDir":")" + one.path("networks").native() + R"("},"holdfast":{"stateDir":")" +
        one.path("state").native() + R"(","resultsDir":")" + one.path("results").native() + R"("}})";
    return one.run("echo '" + conf + "' | CNI_COMMAND=" + verb + " CNI_CONTAINERID=" + name +
                   " CNI_NETNS=/proc/" + std::to_string(::getpid()) + "/fd/" +
                   std::to_string(pods[name].get()) + " CNI_IFNAME=eth0 CNI_PATH=/nowhere CNI_ARGS='" +
                   "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=" + name + ";K8S_POD_UID=u' " +
                   FLANNEL_PLUGIN + " 2>&1; echo status $?");
  }
  /// And the cure that is told for the bridge's old address.
  void take_pod_cidr(const std::string& pod_cidr) {
    one.publish_as(pod_cidr);
    until([&] {
      return one.can("grep -q '=" + pod_cidr.substr(0, pod_cidr.rfind('.')) + "' " +
                     one.path("run/subnet.env").native());
    });
    static_cast<void>(one.run("ip addr flush dev cni0"));
    settle(one);
  }
  std::map<std::string, Fd> pods;
};

TEST_CASE_METHOD(PodSite, "doctor tells how many addresses are left, and that none is", "[inspect]") {
  take_pod_cidr("10.244.10.0/29");
  const auto row = [&](const std::string& text) { return Catch::Matches("(.|\n)*" + text + "(.|\n)*"); };
  for (const char* name : {"a", "b", "c", "d"}) CHECK_THAT(cni("ADD", name), Catch::EndsWith("status 0\n"));
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"),
             row("ok +addresses of 10.244.10.0/29 +4 of 5 are in use") && row("ok +pods +4 addresses") &&
                 Catch::EndsWith("status 0\n"));
  CHECK_THAT(cni("ADD", "e"), Catch::EndsWith("status 0\n"));
  CHECK_THAT(cni("ADD", "f"), Catch::Contains("no IP addresses available in range set: 10.244.10.1-"));
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"),
             row("WRONG +addresses of 10.244.10.0/29 +5 of 5 are in use: no other pod") &&
                 Catch::EndsWith("status 1\n"));
}

TEST_CASE_METHOD(PodSite, "Pods that nothing reaches are told, with the cure, and others are not",
                 "[inspect]") {
  CHECK_THAT(cni("ADD", "stays"), Catch::EndsWith("status 0\n"));
  const auto row = [&](const std::string& text) { return Catch::Matches("(.|\n)*" + text + "(.|\n)*"); };
  CHECK_THAT(ask_plainly(one, "status"), Catch::Contains("connected") && Catch::EndsWith("status 0\n"));
  CHECK(one.metric("flanneld_pods_outside_lease") == 0);
  CHECK_THAT(ask_plainly(one, "explain shop/stays"), Catch::EndsWith("status 0\n"));
  SECTION("one with an address of an earlier pod CIDR") {
    take_pod_cidr("10.244.9.0/24");
    CHECK_THAT(cni("ADD", "new"), Catch::EndsWith("status 0\n"));
    CHECK_THAT(ask_plainly(one, "doctor --probe=false"),
               row("WRONG +pods +with addresses of an earlier pod CIDR[^\n]*: shop/stays 10.244.1.2\n") &&
                   Catch::EndsWith("status 1\n"));
    CHECK_THAT(ask_plainly(one, "status"), row("shop/stays [^\n]*OUTSIDE") &&
                                               row("shop/new [^\n]*connected") &&
                                               Catch::EndsWith("status 1\n"));
    CHECK_THAT(ask_plainly(one, "explain shop/stays"),
               Catch::Contains("of an earlier pod CIDR") && Catch::EndsWith("status 1\n"));
    CHECK(one.metric("flanneld_pods_outside_lease") == 1);
  }
  SECTION("one whose bridge was deleted and made anew") {
    static_cast<void>(one.run("ip link del cni0"));
    CHECK_THAT(cni("ADD", "new"), Catch::EndsWith("status 0\n"));
    CHECK_THAT(ask_plainly(one, "doctor --probe=false"),
               row("WRONG +pods +with links that are ports of no bridge[^\n]*: shop/stays 10.244.1.2\n") &&
                   Catch::EndsWith("status 1\n"));
    CHECK_THAT(ask_plainly(one, "status"),
               row("shop/stays [^\n]*NO bridge") && Catch::EndsWith("status 1\n"));
    CHECK_THAT(ask_plainly(one, "explain 10.244.1.2"),
               Catch::Contains("port of NO bridge") && Catch::EndsWith("status 1\n"));
  }
  SECTION("one whose address another network has given, too") {
    CHECK_THAT(cni("ADD", "new", "cbr1"), Catch::EndsWith("status 0\n"));
    CHECK_THAT(
        ask_plainly(one, "doctor --probe=false"),
        row("WRONG +pods +shop/stays of network cbr0 and shop/new of network cbr1 both have 10.244.1.2:") &&
            Catch::EndsWith("status 1\n"));
  }
  SECTION("one without link") {
    pods.clear();
    until([&] { return !one.can("ip link | grep -q veth"); });
    CHECK_THAT(
        ask_plainly(one, "doctor --probe=false"),
        row("[?][?] +pods +without link: [^\n]*: shop/stays 10.244.1.2\n") && Catch::EndsWith("status 0\n"));
    CHECK_THAT(ask_plainly(one, "explain shop/stays"), Catch::EndsWith("status 1\n"));
  }
}

/// As where upstream's flanneld stays: a lease is there, its net-conf.json is in its container, nothing of
/// ours is stored but the plugin's log.
TEST_CASE_METHOD(PodSite, "Pods and host are looked at where only the plugin is ours", "[inspect]") {
  one.stop(SIGKILL);
  static_cast<void>(
      one.run("rm -r " + one.path("state").native() + " " + one.path("net-conf.json").native()));
  CHECK_THAT(cni("ADD", "till"), Catch::EndsWith("status 0\n"));
  const std::string status = ask_plainly(one, "status" + files_of(one));
  CHECK_THAT(status, Catch::Contains("lease  10.244.1.0/24  of another flanneld") &&
                         Catch::Matches("(.|\n)*shop/till +cbr0 +10.244.1.2 [^\n]*connected\n(.|\n)*") &&
                         Catch::EndsWith("status 0\n"));
  const std::string report = ask_plainly(one, "doctor --probe=false" + files_of(one));
  CHECK_THAT(report, Catch::Matches("(.|\n)*[?][?] +overlay +is not looked at: (.|\n)*") &&
                         Catch::Contains("net.ipv4.ip_forward") && Catch::Contains("rp_filter") &&
                         Catch::Matches("(.|\n)*ok +cni0 +up\n(.|\n)*") &&
                         Catch::Contains("1 of 253 are in use") && Catch::EndsWith("status 0\n"));
  const auto explained = [&](const std::string& address) {
    return ask_plainly(one, "explain " + address + files_of(one));
  };
  CHECK_THAT(explained("10.244.1.2"), Catch::StartsWith("shop/till: has 10.244.1.2 of network cbr0"));
  CHECK(explained("10.244.1.77") ==
        "10.244.1.77: of this node, whose pods are in 10.244.1.0/24\n"
        "  no pod of this node has 10.244.1.77; holdfast status lists those that are here\nstatus 0\n");
  const std::string mac = two.vtep_mac().substr(11, 17);
  CHECK(
      explained("10.244.2.9") ==
      "10.244.2.9: in the pod network 10.244.0.0/16, of another node; its overlay is another flanneld's, so "
      "by the kernel:\n"
      "  route 10.244.2.0/24 via 10.244.2.0 dev flannel.1\n"
      "  neighbour 10.244.2.0 lladdr " +
          mac + "\n  fdb " + mac + " dst 192.168.77.2: the machine to which it is sent\nstatus 0\n");
  static_cast<void>(one.run("ip neigh flush dev flannel.1 nud permanent"));
  CHECK_THAT(explained("10.244.2.9"), Catch::EndsWith("no neighbour 10.244.2.0 there: nothing is sent\n"
                                                      "status 1\n"));
  CHECK_THAT(explained("10.244.9.9"),
             Catch::Contains("no route of the overlay leads to it") && Catch::EndsWith("status 1\n"));
  CHECK_THAT(explained("198.51.100.1"),
             Catch::Contains("is no node that is known here") && Catch::EndsWith("status 1\n"));
  static_cast<void>(one.run("ip link set cni0 down"));
  CHECK_THAT(ask_plainly(one, "doctor --probe=false" + files_of(one)),
             Catch::Matches("(.|\n)*WRONG +cni0 +is down(.|\n)*") && Catch::EndsWith("status 1\n"));
  // one of ours that has stored something is missed
  static_cast<void>(one.run("touch " + one.path("state/overlay.json").native()));
  const std::string ours = ask_plainly(one, "doctor --probe=false" + files_of(one));
  CHECK_THAT(ours, Catch::Matches("(.|\n)*WRONG +overlay +[^\n]*net-conf.json is not there(.|\n)*"));
  CHECK_THAT(ours, Catch::Contains("rp_filter"));
}

TEST_CASE_METHOD(Cluster, "doctor looks at the rules in nftables, and at the policy that they cannot undo",
                 "[inspect]") {
  one.net_conf = R"({"Network": "10.244.0.0/16", "EnableNFTables": true, "Backend": {"Type": "vxlan"}})";
  start_all({"--ip-masq"});
  settle(one);
  CHECK_THAT(
      ask_plainly(one, "doctor --probe=false"),
      Catch::Matches("(.|\n)*rules in nftables, IPv4 +as wanted(.|\n)*") && Catch::EndsWith("status 0\n"));
  one.stop(SIGKILL);
  static_cast<void>(
      one.run("nft flush chain ip flannel-ipv4 postrtg && iptables -P FORWARD DROP && "
              "nft delete table inet flanneld-peers && nft \"table inet site { chain through { type filter "
              "hook forward priority 0; policy drop; }; }\""));
  const std::string report = ask(one, "doctor --probe=false");
  CHECK_THAT(report,
             Catch::Matches("(.|\n)*WRONG +rules in nftables, IPv4 +chain postrtg has 0 of ours(.|\n)*"));
  CHECK_THAT(report, Catch::Matches("(.|\n)*WRONG +iptables FORWARD +its policy is DROP(.|\n)*"));
  CHECK_THAT(report, Catch::Matches("(.|\n)*[?][?] +forwarding +the chain inet site through of nftables "
                                    "drops [^\n]* cni0 flannel.1(.|\n)*"));
  CHECK_THAT(report, Catch::Matches("(.|\n)*[?][?] +peers' guard +the table inet flanneld-peers(.|\n)*"));
}

TEST_CASE_METHOD(Site, "doctor asks the peers, and tells a port that is blocked from a host without tunnel",
                 "[inspect]") {
  const std::string well = ask(one, "doctor");
  CHECK_THAT(well, Catch::Contains("tunnel to node2") && Catch::Contains("UDP 8472 passes both ways") &&
                       Catch::Contains("arrive right"));
  static_cast<void>(
      two.run("nft 'add table ip t; add chain ip t c { type filter hook prerouting priority -300; }; "
              "add rule ip t c udp dport 8472 drop'"));
  three.stop(SIGKILL);
  static_cast<void>(three.run("ip link del flannel.1"));
  const std::string report = ask(one, "doctor");
  CHECK_THAT(report,
             Catch::Contains("192.168.77.2 answers, but not through the tunnel: UDP 8472 is blocked") &&
                 Catch::Contains("there, holdfast explain node1"));
  CHECK_THAT(report, Catch::Contains("nobody listens on UDP 8472 at 192.168.77.3"));
  CHECK_THAT(report, Catch::EndsWith("status 1\n"));
  CHECK_THAT(ask(one, "doctor --probe=false"), !Catch::Contains("tunnel to"));
}

TEST_CASE_METHOD(Site, "doctor names the plugin's log that was damaged", "[inspect]") {
  CHECK_THAT(ask_plainly(one, "doctor --probe=false"), !Catch::Contains("damaged"));
  static_cast<void>(one.run("touch " + one.path("state/cbr0.bindings.damaged").native()));
  CHECK_THAT(
      ask_plainly(one, "doctor --probe=false"),
      Catch::Matches("(.|\n)*[?][?] +[^ ]*/cbr0.bindings.damaged +a damaged file was set aside(.|\n)*"));
}

TEST_CASE_METHOD(Site, "A store that is damaged is told, and left for flanneld to set aside", "[inspect]") {
  one.stop(SIGKILL);
  std::ofstream(one.path("state/overlay.json"), std::ios::app) << "x";
  CHECK_THAT(ask(one, "status"), Catch::Contains("overlay.json is damaged") && Catch::Contains("status 1"));
  CHECK(one.run("ls " + one.path("state").native() + " | grep -c damaged || true") == "0\n");
}

}  // namespace
}  // namespace holdfast::flannel
