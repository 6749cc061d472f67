#include "cni-flannel/daemon/wanted_peers.h"

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::ip;
using test::mac;
using test::pointers;

OwnEnd own() {
  return {"edge-1",
          cidr("10.244.0.0/16"),
          {cidr("10.244.1.0/24"), mac("66:00:00:00:00:01"), ip("192.168.0.1")},
          1};
}

NodeNetwork node(int number) {
  const std::string n = std::to_string(number);
  NodeNetwork out;
  out.node = "edge-" + n;
  out.backend_type = "vxlan";
  out.pod_cidrs = {cidr("10.244." + n + ".0/24"), cidr("fd00:0:0:" + n + "::/64")};
  out.backend_data = BackendData{1, mac("66:00:00:00:00:0" + n)};
  out.backend_v6_data = BackendData{1, mac("66:00:00:00:06:0" + n)};
  out.public_ip = ip("192.168.0." + n);
  out.public_ipv6 = ip("2001:db8::" + n);
  return out;
}

TEST_CASE("Every other managed VXLAN node with a subnet of the family is wanted", "[flanneld]") {
  std::vector<NodeNetwork> published{node(1), node(2), node(3), node(4), node(5), node(6)};
  published[2].managed = false;
  published[3].backend_type = "host-gw";
  published[4].pod_cidrs = {cidr("fd00:0:0:5::/64")};
  const WantedPeers v4 = wanted_peers(own(), pointers(published));
  CHECK(v4.rejected.empty());
  REQUIRE(v4.peers.size() == 2);
  CHECK(v4.peers[0] ==
        WantedPeer{"edge-2", {cidr("10.244.2.0/24"), mac("66:00:00:00:00:02"), ip("192.168.0.2")}, 0});
  CHECK(v4.peers[1].node == "edge-6");

  OwnEnd own6{
      "edge-1", cidr("fd00::/48"), {cidr("fd00:0:0:1::/64"), mac("66:00:00:00:06:01"), ip("2001:db8::1")}, 1};
  const WantedPeers v6 = wanted_peers(own6, pointers(published));
  REQUIRE(v6.peers.size() == 3);
  CHECK(v6.peers[1].node == "edge-5");
  CHECK(v6.peers[1].end.public_address == ip("2001:db8::5"));
}

TEST_CASE("A node that must not be programmed is rejected with the reason, and no other with it",
          "[flanneld]") {
  struct Case {
    const char* name;
    void (*spoil)(NodeNetwork&);
    const char* why;
  };
  const Case cases[] = {
      {"no MAC yet", [](NodeNetwork& n) { n.backend_data.reset(); },
       "node edge-2 has published no VTEP MAC for IPv4"},
      {"outside the network", [](NodeNetwork& n) { n.pod_cidrs = {cidr("10.33.2.0/24")}; },
       "its subnet 10.33.2.0/24 is not in the cluster's network 10.244.0.0/16"},
      {"around the network", [](NodeNetwork& n) { n.pod_cidrs = {cidr("0.0.0.0/0")}; },
       "its subnet 0.0.0.0/0 is not in the cluster's network 10.244.0.0/16"},
      {"over our subnet", [](NodeNetwork& n) { n.pod_cidrs = {cidr("10.244.0.0/23")}; },
       "its subnet 10.244.0.0/23 overlaps ours, 10.244.1.0/24"},
      {"our MAC", [](NodeNetwork& n) { n.backend_data->vtep_mac = mac("66:00:00:00:00:01"); },
       "it claims our VTEP MAC 66:00:00:00:00:01"},
      {"our address", [](NodeNetwork& n) { n.public_ip = ip("192.168.0.1"); },
       "it claims our public address 192.168.0.1: give each node an address of its own, behind a NAT too, "
       "and "
       "delete the Node of a machine that is gone"},
      {"an address that no host has", [](NodeNetwork& n) { n.public_ip = ip("224.0.0.1"); },
       "node edge-2 has published '224.0.0.1' as its public IPv4 address, which no host can have"},
      {"everybody's address", [](NodeNetwork& n) { n.public_ip = ip("255.255.255.255"); },
       "node edge-2 has published '255.255.255.255' as its public IPv4 address, which no host can have"},
      {"each host's own address", [](NodeNetwork& n) { n.public_ip = ip("127.0.0.1"); },
       "node edge-2 has published '127.0.0.1' as its public IPv4 address, which no host can have"},
      {"another VNI", [](NodeNetwork& n) { n.backend_data->vni = 7; }, "it has VNI 7, we have 1"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::vector<NodeNetwork> published{node(2), node(3)};
      c.spoil(published[0]);
      const WantedPeers wanted = wanted_peers(own(), pointers(published));
      CHECK(wanted.rejected == std::vector<RejectedPeer>{{"edge-2", c.why}});
      REQUIRE(wanted.peers.size() == 1);
      CHECK(wanted.peers[0].node == "edge-3");
    }
  }
}

TEST_CASE("Backend data without VNI, as old writers leave it, is taken", "[flanneld]") {
  std::vector<NodeNetwork> published{node(2)};
  published[0].backend_data->vni.reset();
  CHECK(wanted_peers(own(), pointers(published)).peers.size() == 1);
}

TEST_CASE("The later claim to a subnet or a MAC displaces the earlier node", "[flanneld]") {
  struct Case {
    const char* name;
    void (*claim)(NodeNetwork&);
    const char* why;
  };
  const Case cases[] = {
      {"subnet", [](NodeNetwork& n) { n.pod_cidrs = {cidr("10.244.2.0/24")}; },
       "node edge-4 claims its subnet 10.244.2.0/24 now"},
      {"a part of the subnet", [](NodeNetwork& n) { n.pod_cidrs = {cidr("10.244.2.128/25")}; },
       "node edge-4 claims its subnet 10.244.2.0/24 now with 10.244.2.128/25"},
      {"MAC", [](NodeNetwork& n) { n.backend_data->vtep_mac = mac("66:00:00:00:00:02"); },
       "node edge-4 has its VTEP MAC 66:00:00:00:00:02"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::vector<NodeNetwork> published{node(2), node(3), node(4)};
      c.claim(published[2]);
      const WantedPeers wanted = wanted_peers(own(), pointers(published));
      CHECK(wanted.rejected == std::vector<RejectedPeer>{{"edge-2", c.why}});
      REQUIRE(wanted.peers.size() == 2);
      CHECK(wanted.peers[0].node == "edge-3");
      CHECK(wanted.peers[1].node == "edge-4");
    }
  }
}

TEST_CASE("Who claims another's public address takes nothing from it", "[flanneld]") {
  std::vector<NodeNetwork> published{node(2), node(3)};
  published[1].public_ip = published[0].public_ip;
  const WantedPeers wanted = wanted_peers(own(), pointers(published));
  CHECK(wanted.rejected.empty());
  REQUIRE(wanted.peers.size() == 2);
  CHECK(wanted.peers[0].end == PeerEnd{cidr("10.244.2.0/24"), mac("66:00:00:00:00:02"), ip("192.168.0.2")});
  CHECK(wanted.peers[1].end == PeerEnd{cidr("10.244.3.0/24"), mac("66:00:00:00:00:03"), ip("192.168.0.2")});
}

TEST_CASE("A public address that several peers have is told, with their names", "[flanneld]") {
  std::vector<NodeNetwork> published{node(5), node(2), node(3), node(4), node(6)};
  CHECK(wanted_peers(own(), pointers(published)).shared.empty());
  published[0].public_ip = published[1].public_ip = published[2].public_ip = ip("192.168.0.9");
  published[4].public_ip = published[3].public_ip;
  CHECK(wanted_peers(own(), pointers(published)).shared ==
        std::vector<SharedAddress>{{ip("192.168.0.4"), {"edge-4", "edge-6"}},
                                   {ip("192.168.0.9"), {"edge-2", "edge-3", "edge-5"}}});
  published[4].managed = false;
  published[1].pod_cidrs = published[2].pod_cidrs;  // is displaced
  CHECK(wanted_peers(own(), pointers(published)).shared ==
        std::vector<SharedAddress>{{ip("192.168.0.9"), {"edge-3", "edge-5"}}});
}

TEST_CASE("Of three nodes that claim one subnet the last is wanted, and it alone", "[flanneld]") {
  std::vector<NodeNetwork> published{node(2), node(3), node(4)};
  for (NodeNetwork& claimer : published) claimer.pod_cidrs = {cidr("10.244.2.0/24")};
  const WantedPeers wanted = wanted_peers(own(), pointers(published));
  REQUIRE(wanted.peers.size() == 1);
  CHECK(wanted.peers[0].node == "edge-4");
  CHECK(wanted.rejected ==
        std::vector<RejectedPeer>{{"edge-2", "node edge-4 claims its subnet 10.244.2.0/24 now"},
                                  {"edge-3", "node edge-4 claims its subnet 10.244.2.0/24 now"}});
}

TEST_CASE("A subnet around those of others displaces them all", "[flanneld]") {
  std::vector<NodeNetwork> published{node(2), node(3), node(4)};
  published[2].pod_cidrs = {cidr("10.244.2.0/23")};
  const WantedPeers wanted = wanted_peers(own(), pointers(published));
  REQUIRE(wanted.rejected.size() == 2);
  CHECK(wanted.rejected[1].why == "node edge-4 claims its subnet 10.244.3.0/24 now with 10.244.2.0/23");
  CHECK(wanted.peers.size() == 1);
}

TEST_CASE("Who is displaced displaces nobody", "[flanneld]") {
  std::vector<NodeNetwork> published{node(2), node(3), node(4)};
  published[1].pod_cidrs = published[0].pod_cidrs;        // claims edge-2's subnet
  published[2].backend_data = published[1].backend_data;  // and gives way itself
  const WantedPeers wanted = wanted_peers(own(), pointers(published));
  REQUIRE(wanted.peers.size() == 2);
  CHECK(wanted.peers[0].node == "edge-2");
  CHECK(wanted.peers[1].node == "edge-4");
  REQUIRE(wanted.rejected.size() == 1);
  CHECK(wanted.rejected[0].node == "edge-3");
}

TEST_CASE("A peer is reached directly where the best route to it has no gateway", "[flanneld]") {
  nl::Route connected;
  connected.dst = cidr("192.168.0.0/24");
  connected.ifindex = 3;
  nl::Route by_default;
  by_default.dst = cidr("0.0.0.0/0");
  by_default.gateway = ip("192.168.0.254");
  by_default.ifindex = 3;
  nl::Route closer = connected;
  closer.dst = cidr("192.168.0.128/25");
  closer.gateway = ip("192.168.0.9");
  nl::Route overlay = connected;
  overlay.dst = cidr("192.168.0.7/32");
  overlay.ifindex = 9;
  nl::Route several = connected;
  several.dst = cidr("192.168.0.8/32");
  several.multipath = true;
  nl::Route dead = connected;
  dead.dst = cidr("192.168.0.6/32");
  dead.type = nl::RouteType::kUnreachable;
  nl::Route worse = connected;
  worse.ifindex = 4;
  worse.priority = 100;
  const std::vector<nl::Route> routes{worse, by_default, connected, closer, overlay, several, dead};

  CHECK(direct_link(routes, ip("192.168.0.5"), 9) == 3);
  CHECK(direct_link(routes, ip("192.168.0.200"), 9) == 0);
  CHECK(direct_link(routes, ip("8.8.8.8"), 9) == 0);
  CHECK(direct_link(routes, ip("192.168.0.7"), 9) == 3);
  CHECK(direct_link(routes, ip("192.168.0.8"), 9) == 0);
  CHECK(direct_link(routes, ip("192.168.0.6"), 9) == 0);
  CHECK(direct_link({}, ip("192.168.0.5"), 9) == 0);
  CHECK(direct_link(routes, ip("2001:db8::1"), 9) == 0);

  const std::vector<NodeNetwork> published{node(2)};
  WantedPeers wanted = wanted_peers(own(), pointers(published));
  route_directly(wanted, routes, 9);
  CHECK(wanted.peers[0].direct_link == 3);
}

}  // namespace
}  // namespace holdfast::flannel
