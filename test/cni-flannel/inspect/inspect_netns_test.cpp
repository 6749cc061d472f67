// The program `holdfast` on nodes that run the real flanneld.

#include <fstream>
#include <sstream>

#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::Cluster;
using holdfast::test::FlanneldNode;
using holdfast::test::until;

/// What `holdfast WORDS` prints on the node, and "status N" behind it.
std::string ask(const FlanneldNode& node, const std::string& words) {
  return node.run(std::string(HOLDFAST_PROGRAM) + " " + words +
                  " --node-name=node1 --net-config-path=" + node.path("net-conf.json").native() +
                  " --subnet-file=" + node.path("run/subnet.env").native() +
                  " --state-dir=" + node.path("state").native() +
                  " --ipam-dir=" + node.path("networks").native() + " 2>&1; echo status $?");
}

/// Three nodes whose states are stored.
struct Site : Cluster {
  Site() {
    start_all();
    until([&] { return ask(one, "status").find("node3") != std::string::npos; });
  }
};

TEST_CASE_METHOD(Site, "status shows the lease and every peer, with flanneld dead as well", "[inspect]") {
  const std::string running = ask(one, "status");
  CHECK_THAT(running, Catch::StartsWith("node1  192.168.77.1  10.244.1.0/24"));
  CHECK_THAT(running, Catch::Contains("flannel.1  up") && Catch::Contains("status 0"));
  CHECK_THAT(running,
             Catch::Matches("(.|\n)*node2 +10.244.2.0/24 +192.168.77.2 +66:[0-9a-f:]{14} +programmed\n"
                            "(.|\n)*"));
  one.stop(SIGKILL);
  CHECK(ask(one, "status") == running);
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
  CHECK_THAT(ask(one, "explain node9"),
             Catch::Contains("'node9' is no node that is known here") && Catch::Contains("status 1"));
}

TEST_CASE_METHOD(Site, "doctor is content with a node that is well", "[inspect]") {
  const std::string report = ask(one, "doctor");
  CHECK_THAT(report, Catch::Contains("all 2 programmed") && !Catch::Contains("WRONG"));
  CHECK_THAT(report, Catch::EndsWith("status 0\n"));
}

struct Ailment {
  const char* name;
  const char* command;
  const char* finding;
};
constexpr Ailment kAilments[] = {
    {"no device", "ip link del flannel.1", "flannel.1 +is not there"},
    {"another MAC", "ip link set flannel.1 address 02:00:00:00:00:09", "has MAC 02:00:00:00:00:09"},
    {"device down", "ip link set flannel.1 down", "flannel.1 +is down"},
    {"no neighbours", "ip neigh flush dev flannel.1 nud permanent", "not as wanted: node2, node3"},
    {"MTU too large", "ip link set eth0 mtu 1400", "1450 and 50 for VXLAN exceed 1400 of eth0"},
    {"no forwarding", "sysctl -qw net.ipv4.ip_forward=0", "net.ipv4.ip_forward +is 0"},
    {"LAN in the pods' network", "ip addr add 10.244.9.1/24 dev eth0",
     "10.244.9.1/24 of eth0: hosts there and pods"},
};

TEST_CASE_METHOD(Site, "doctor names what is wrong with a node, and is status 1", "[inspect]") {
  one.stop(SIGKILL);
  for (const Ailment& ailment : kAilments) {
    DYNAMIC_SECTION(ailment.name) {
      static_cast<void>(one.run(ailment.command));
      const std::string report = ask(one, "doctor");
      CHECK_THAT(report, Catch::Matches("(.|\n)*WRONG[^\n]*" + std::string(ailment.finding) + "(.|\n)*"));
      CHECK_THAT(report, Catch::EndsWith("status 1\n"));
    }
  }
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

TEST_CASE_METHOD(Site, "A store that is damaged is told, and left for flanneld to set aside", "[inspect]") {
  one.stop(SIGKILL);
  std::ofstream(one.path("state/overlay.json"), std::ios::app) << "x";
  CHECK_THAT(ask(one, "status"), Catch::Contains("overlay.json is damaged") && Catch::Contains("status 1"));
  CHECK(one.run("ls " + one.path("state").native() + " | grep -c damaged || true") == "0\n");
}

}  // namespace
}  // namespace holdfast::flannel
