// Addresses on the host and in the cloud that the overlay must leave alone, in both modes of the rules.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <string>

#include "common/netlink/link.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

/// "ADDRESS:PORT"
std::string text_of(const sockaddr_in& end) {
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &end.sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(end.sin_port));
}

sockaddr_in end_of(const std::string& address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &out.sin_addr);
  return out;
}

/// A UDP socket of the namespace `netns`, bound there.
Fd udp(int netns, const std::string& address, std::uint16_t port) {
  Fd out;
  const Status done = nl::run_in_netns(netns, [&] {
    out = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in end = end_of(address, port);
    const void* bound = &end;
    if (::bind(out.get(), static_cast<const sockaddr*>(bound), sizeof end) != 0) out = Fd();
  });
  if (!done || !out.valid()) throw std::runtime_error("cannot bind to " + address);
  return out;
}

/// Waits for a datagram; from where it came, or "nothing".
std::string heard(const Fd& socket) {
  pollfd wait{socket.get(), POLLIN, 0};
  if (::poll(&wait, 1, 500) != 1) return "nothing";
  sockaddr_in from{};
  socklen_t size = sizeof from;
  void* raw = &from;
  char byte = 0;
  ::recvfrom(socket.get(), &byte, 1, 0, static_cast<sockaddr*>(raw), &size);
  return text_of(from);
}

void send(const Fd& socket, const std::string& address, std::uint16_t port) {
  const sockaddr_in to = end_of(address, port);
  const void* raw = &to;
  ::sendto(socket.get(), "x", 1, 0, static_cast<const sockaddr*>(raw), sizeof to);
}

constexpr std::uint16_t kFrom = 40404;
constexpr std::uint16_t kPort = 6443;

/// Node one with a pod, and a cloud behind the LAN's router that answers at 198.19.0.2.
struct Edge : Cluster {
  Edge() {
    lan.connect(cloud.get(), 9, {"192.168.77.9/24", "198.19.0.2/32"});
    static_cast<void>(
        one.run("ip route add 198.18.0.0/15 via 192.168.77.9 && ip addr add 169.254.2.1/32 dev lo && "
                "ip addr add 169.254.20.11/32 dev lo"));
  }
  /// A pod on the bridge, with that address; the bridge has `gateway`.
  void add_pod(const std::string& address, const std::string& gateway) {
    nl::Socket socket = nl::Socket::open_in(one.netns()).value();
    nl::VethSpec link;
    link.name = "veth1";
    link.master = nl::find_link(socket, "cni0").value()->index;
    link.peer_name = "eth0";
    link.peer_netns_fd = pod.get();
    nl::create_veth(socket, link).value();
    const Status done = nl::run_in_netns(pod.get(), [&] {
      output_of("ip link set eth0 up && ip addr add " + address +
                "/24 dev eth0 && ip route add default via " + gateway);
    });
    REQUIRE(done.has_value());
  }
  void start(const std::string& network, bool nftables) {
    one.net_conf = R"({"Network": ")" + network + R"(", "EnableNFTables": )" + (nftables ? "true" : "false") +
                   R"(, "Backend": {"Type": "vxlan"}})";
    one.start({"--ip-masq"});
    until([&] { return one.ready(); });
  }
  /// The pod asks the host at `address`; the host sees the pod, and the pod hears the answer.
  void check_local(const std::string& pod_address, const std::string& address) {
    const Fd server = udp(one.netns(), address, kPort);
    const Fd client = udp(pod.get(), pod_address, kFrom);
    send(client, address, kPort);
    CHECK(heard(server) == pod_address + ":" + std::to_string(kFrom));
    send(server, pod_address, kFrom);
    CHECK(heard(client) == address + ":" + std::to_string(kPort));
  }
  Fd cloud = new_netns();
  Fd pod = new_netns();
};

TEST_CASE_METHOD(
    Edge, "What answers on the host at link-local addresses sees the pods, and the API server the node",
    "[flanneld]") {
  for (const bool nftables : {false, true}) {
    DYNAMIC_SECTION((nftables ? "nftables" : "iptables")) {
      add_pod("10.244.1.9", "10.244.1.1");
      start("10.244.0.0/16", nftables);
      check_local("10.244.1.9", "169.254.2.1");
      check_local("10.244.1.9", "169.254.20.11");

      // the node's own way to its API server: neither another source nor another way
      const Fd api = udp(cloud.get(), "198.19.0.2", kPort);
      const Fd node = udp(one.netns(), "192.168.77.1", kFrom);
      send(node, "198.19.0.2", kPort);
      CHECK(heard(api) == "192.168.77.1:" + std::to_string(kFrom));
      CHECK_THAT(one.run("ip route get 198.19.0.2"), Catch::Contains("via 192.168.77.9 dev eth0"));
      // a pod's is the node's, for the cloud knows no pods
      const Fd client = udp(pod.get(), "10.244.1.9", kFrom);
      send(client, "198.19.0.2", kPort);
      CHECK_THAT(heard(api), Catch::StartsWith("192.168.77.1:"));
    }
  }
}

TEST_CASE_METHOD(Edge, "A pod network that is link-local leaves the host its own addresses there",
                 "[flanneld]") {
  const auto document = [&](int n) {
    const std::string number = std::to_string(n);
    std::ofstream(home.path() / "nodes" / ("node" + number + ".yaml"))
        << "kind: NodeNetworkConfiguration\napiVersion: net.holdfast.dev/v1alpha1\nmetadata: {name: node" +
               number + "}\nspec: {flannel: {publicIP: 192.168.77." + number + ", podCidr: 169.254." +
               number + ".0/24}}\n";
  };
  document(1);
  document(2);  // its pods' range is around the host's address
  three.unpublish();
  for (const bool nftables : {false, true}) {
    DYNAMIC_SECTION((nftables ? "nftables" : "iptables")) {
      static_cast<void>(one.run("ip addr flush dev cni0 && ip addr add 169.254.1.1/24 dev cni0"));
      add_pod("169.254.1.9", "169.254.1.1");
      start("169.254.0.0/17", nftables);
      until([&] { return one.can("ip route show dev flannel.1 | grep -q 169.254.2.0/24"); });
      check_local("169.254.1.9", "169.254.2.1");
      check_local("169.254.1.9", "169.254.20.11");
      CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("the pod network 169.254.0.0/17 overlaps"));
    }
  }
}

}  // namespace
}  // namespace holdfast::test
