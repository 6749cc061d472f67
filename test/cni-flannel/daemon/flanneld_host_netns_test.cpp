// What flanneld does about the host that it runs on.

#include <unistd.h>

#include <fstream>

#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

/// Two nodes; the first one's LAN is in the pods' network too.
struct Conflict : Cluster {
  Conflict() { static_cast<void>(one.run(kMove)); }
  static constexpr const char* kMove =
      "ip addr add 10.244.77.1/24 dev eth0 && ip addr del 192.168.77.1/24 dev eth0 && "
      "ip route replace default via 10.244.77.254";
};

TEST_CASE_METHOD(Conflict, "A node does not join with its own network in the pods' range, and is told why",
                 "[flanneld]") {
  one.start();
  CHECK(one.wait() == 3);
  CHECK_THAT(one.log(), Catch::Contains("the pod network 10.244.0.0/16 overlaps 10.244.77.1/24 of eth0") &&
                            Catch::Contains("choose another interface by --iface") &&
                            Catch::Contains("--accept-cidr-conflicts"));
  CHECK_FALSE(one.can("ip link show flannel.1 2>/dev/null"));
  CHECK_FALSE(std::filesystem::exists(one.path("run/subnet.env")));
  CHECK_FALSE(one.can("iptables-save -t nat 2>/dev/null | grep FLANNEL"));
}

TEST_CASE_METHOD(Conflict, "It joins when that is accepted, and tells of it", "[flanneld]") {
  one.start({"--accept-cidr-conflicts"});
  until([&] { return one.ready(); });
  CHECK(one.metric("flanneld_cidr_conflicts") == 2);  // the address and the gateway
  CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("[-]CidrConflict found: the pod network"));
}

TEST_CASE_METHOD(Cluster, "flanneld does its work in a container as upstream's manifest makes it",
                 "[flanneld]") {
  // two capabilities, and a kernel whose settings are only to be read
  const std::string confine =
      "mount --make-rprivate /; mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; "
      "set -- setpriv --bounding-set=-all,+net_admin,+net_raw \"$@\"";
  for (FlanneldNode* node : nodes) node->start_after(confine, {"--ip-masq"});
  for (const FlanneldNode* node : nodes) until([&] { return has_peers(*node, 2) && node->ready(); });
  CHECK(one.can("iptables -t nat -S FLANNEL-POSTRTG"));
  until([&] { return pings(one, 2); });
}

TEST_CASE_METHOD(Cluster, "A node that has joined is not stopped by a conflict that comes later",
                 "[flanneld]") {
  one.start();
  until([&] { return one.ready(); });
  CHECK(one.metric("flanneld_cidr_conflicts") == 0);

  // on another interface: seen without waiting for the next look at everything
  static_cast<void>(one.run(
      "ip link add lan2 type veth peer lan3 && ip link set lan2 up && ip addr add 10.244.9.1/24 dev lan2"));
  until([&] { return one.metric("flanneld_cidr_conflicts") == 1; });
  CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("10.244.9.1/24 of lan2"));
  CHECK(one.ready());

  // its own network moves into the range, and it is started again
  one.stop(SIGTERM);
  static_cast<void>(one.run(Conflict::kMove));
  one.start();
  until([&] { return one.get("/readyz?verbose").find("10.244.77.1/24 of eth0") != std::string::npos; });
  until([&] { return one.ready(); });
}

TEST_CASE_METHOD(Cluster, "The tunnels run by the interface that nodeIface names, which is waited for",
                 "[flanneld]") {
  one.start({"--node-iface=lan2", "--flannel-iface=eth0"});
  until([&] {
    return one.get("/readyz?verbose").find("no interface lan2 (--node-iface)") != std::string::npos;
  });
  CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("there are: lo, eth0 (192.168.77.1"));
  CHECK_FALSE(one.can("ip link show flannel.1 2>/dev/null"));
  static_cast<void>(one.run(
      "ip link add lan2 type veth peer lan3 && ip link set lan2 up && ip addr add 10.9.0.1/24 dev lan2"));
  until([&] { return one.ready(); });
  CHECK_THAT(one.run("ip -d link show flannel.1"), Catch::Contains("local 10.9.0.1 dev lan2"));
}

TEST_CASE_METHOD(
    Cluster, "The files for the host's other daemons are there before the device, until they are not wanted",
    "[flanneld]") {
  std::filesystem::create_directories(one.path("run/udev/control"));
  one.start();
  until([&] { return one.ready(); });
  const std::filesystem::path file = one.path("run/systemd/network/10-flanneld.link");
  CHECK(std::filesystem::exists(file));
  const std::string log = one.log();
  CHECK(log.find("drop-in file settled") < log.find("device made"));
  one.stop(SIGTERM);
  CHECK(std::filesystem::exists(file));
  one.start({"--network-drop-ins=false"});
  until([&] { return !std::filesystem::exists(file); });
}

TEST_CASE_METHOD(Cluster, "A peer that large packets do not get to is told, with both sizes and the cure",
                 "[flanneld]") {
  // behind a router whose other link carries 1400 bytes
  const Fd router = new_netns();
  lan.connect(router.get(), 9, {"192.168.77.9/24"});
  const Status made = nl::run_in_netns(router.get(), [] {
    output_of(
        "ip link add far type veth peer name near && ip link set far mtu 1400 up && ip addr add 10.9.9.1/24 "
        "dev "
        "far && sysctl -qw net.ipv4.ip_forward=1");
  });
  REQUIRE(made.has_value());
  std::ofstream(home.path() / "nodes/far.yaml")
      << "kind: NodeNetworkConfiguration\napiVersion: net.holdfast.dev/v1alpha1\nmetadata: {name: far}\n"
         "spec: {flannel: {publicIP: 10.9.9.2, podCidr: 10.244.9.0/24}}\n";
  const Fd far = new_netns();
  const Status moved = nl::run_in_netns(router.get(), [&] {
    output_of("ip link set near netns /proc/" + std::to_string(::getpid()) + "/fd/" +
              std::to_string(far.get()));
  });
  REQUIRE(moved.has_value());
  const Status answers = nl::run_in_netns(far.get(), [] {
    output_of(
        "ip link set near mtu 1400 up && ip addr add 10.9.9.2/24 dev near && ip route add default via "
        "10.9.9.1");
  });
  REQUIRE(answers.has_value());
  static_cast<void>(one.run("ip route add 10.9.9.0/24 via 192.168.77.9"));
  one.start();
  until([&] { return one.ready(); });
  until([&] { return one.ready() && one.metric("flanneld_path_mtu_too_small") == 1; });
  CHECK_THAT(
      one.get("/readyz?verbose"),
      Catch::Contains("packets of at most 1400 bytes get to far (10.9.9.2), the tunnel sends up to 1500") &&
          Catch::Contains("set Backend.MTU to 1400 in net-conf.json"));
  until([&] { return one.metric("flanneld_path_mtu_searches_total") == 3; });
  CHECK(one.metric("flanneld_path_mtu_too_small") == 1);  // each once: the nodes on the LAN are content
}

}  // namespace
}  // namespace holdfast::test
