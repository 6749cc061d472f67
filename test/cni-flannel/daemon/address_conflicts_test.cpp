#include "cni-flannel/daemon/address_conflicts.h"

#include <functional>

#include "test/catch.h"
#include "test/cni-flannel/daemon/overlay_peers.h"

namespace holdfast::flannel {
namespace {

using test::cidr;
using test::ip;

nl::Link link(int index, const std::string& name, const std::string& kind = "") {
  nl::Link out;
  out.index = index;
  out.name = name;
  out.kind = kind;
  return out;
}

nl::Address address(int ifindex, const char* text) {
  nl::Address out;
  out.ifindex = ifindex;
  out.cidr = cidr(text);
  return out;
}

nl::Route route(const char* dst, int ifindex, const char* gateway = nullptr, std::uint8_t protocol = 4) {
  nl::Route out;
  out.dst = cidr(dst);
  out.ifindex = ifindex;
  out.protocol = protocol;
  if (gateway != nullptr) out.gateway = ip(gateway);
  return out;
}

NodeNetwork node(const std::string& name, const char* pods, const char* address) {
  NodeNetwork out;
  out.node = name;
  out.pod_cidrs = {cidr(pods)};
  out.public_ip = ip(address);
  return out;
}

/// A node as it should be, with all that is no conflict: the overlay's device and routes, a bridge and a
/// point-to-point link of pods, services on a dummy link, an upstream peer's direct route.
struct Site {
  AddressPlan plan;
  UnderlayTables tables;
  std::vector<NodeNetwork> nodes;

  Site() {
    plan.node = "node1";
    plan.networks = {cidr("10.244.0.0/16")};
    plan.pod_cidrs = {cidr("10.244.1.0/24")};
    plan.services = {cidr("10.96.0.0/12")};
    plan.api_server = ip("198.19.0.2");
    plan.devices = {"flannel.1"};
    plan.uplink = 2;
    plan.locals = {ip("192.168.7.1")};
    tables.links = {link(1, "lo"),
                    link(2, "eth0"),
                    link(3, "flannel.1", "vxlan"),
                    link(4, "cni0", "bridge"),
                    link(5, "veth1", "veth"),
                    link(6, "kube-ipvs0", "dummy"),
                    link(7, "eth1")};
    tables.addresses = {address(1, "127.0.0.1/8"),    address(2, "192.168.7.1/24"),
                        address(3, "10.244.1.0/32"),  address(4, "10.244.1.1/24"),
                        address(5, "10.244.1.1/32"),  address(6, "10.96.0.1/32"),
                        address(6, "169.254.2.1/32"), address(7, "172.20.0.5/16")};
    tables.routes = {route("0.0.0.0/0", 2, "192.168.7.254"),   route("10.244.2.0/24", 3, "10.244.2.0", 102),
                     route("10.244.1.0/24", 4, nullptr, 2),    route("10.244.1.9/32", 5),
                     route("10.244.3.0/24", 2, "192.168.7.3"), route("10.244.4.0/24", 2, "192.168.7.4", 102),
                     route("172.16.0.0/12", 7, "172.20.0.1")};
    nodes = {node("node1", "10.244.1.0/24", "192.168.7.1"), node("node2", "10.244.2.0/24", "192.168.7.2"),
             node("node3", "10.244.3.0/24", "192.168.7.3")};
  }
  [[nodiscard]] std::vector<AddressConflict> find() {
    const std::vector<const NodeNetwork*> peers = test::pointers(nodes);
    plan.peers = peers;
    return find_address_conflicts(plan, tables);
  }
};

TEST_CASE("A node's own device, pods, services and ways to its peers are no conflicts", "[flanneld]") {
  CHECK(Site().find().empty());
  CHECK(summary(Site().find()).empty());
}

struct Case {
  const char* name;
  std::function<void(Site&)> change;
  Harm harm;
  const char* message;
};

const Case kCases[] = {
    {"the tunnels' own address in the pod network",
     [](Site& s) {
       s.tables.addresses[1] = address(2, "10.244.77.1/24");
       s.plan.locals = {ip("10.244.77.1")};
     },
     Harm::kCutsOff,
     "the pod network 10.244.0.0/16 overlaps 10.244.77.1/24 of eth0: a node that is given pods' addresses"},
    {"the LAN in this node's own pod CIDR",
     [](Site& s) {
       s.tables.addresses[1] = address(2, "10.244.1.77/24");
       s.plan.locals = {ip("10.244.1.77")};
     },
     Harm::kCutsOff, "10.244.1.77/24 of eth0"},
    {"the gateway in the pod network", [](Site& s) { s.tables.routes[0].gateway = ip("10.244.200.1"); },
     Harm::kCutsOff, "10.244.200.1, the default gateway by eth0"},
    {"a second address of the external interface",
     [](Site& s) { s.tables.addresses.push_back(address(2, "10.244.9.1/24")); }, Harm::kUnreachable,
     "overlaps 10.244.9.1/24 of eth0: hosts there and pods cannot both be reached; give the cluster another "
     "pod "
     "network (Network in net-conf.json and the cluster's pod CIDR), or eth0 another address"},
    {"another interface in the pod network, in this node's range",
     [](Site& s) { s.tables.addresses[7] = address(7, "10.244.1.7/24"); }, Harm::kUnreachable,
     "10.244.1.7/24 of eth1"},
    {"a bridge that is left of an earlier pod CIDR",
     [](Site& s) { s.tables.addresses[3] = address(4, "10.244.8.1/24"); }, Harm::kUnreachable,
     "if it is left of an earlier pod CIDR, new pods start after ip addr del 10.244.8.1/24 dev cni0, and "
     "those that run here are to be restarted"},
    {"a LAN that is wider than the pod network",
     [](Site& s) { s.tables.addresses[7] = address(7, "10.240.2.3/11"); }, Harm::kDoubtful,
     "10.240.2.3/11 of eth1: hosts there that have addresses of pods cannot be reached"},
    {"a route into the pod network",
     [](Site& s) { s.tables.routes.push_back(route("10.244.64.0/18", 7, "172.20.0.1")); }, Harm::kUnreachable,
     "the route to 10.244.64.0/18 by 172.20.0.1 on eth1"},
    {"a route to a peer's pods by another host",
     [](Site& s) { s.tables.routes[4].gateway = ip("192.168.7.9"); }, Harm::kUnreachable,
     "the route to 10.244.3.0/24 by 192.168.7.9 on eth0"},
    {"a route around the pod network",
     [](Site& s) { s.tables.routes.push_back(route("10.0.0.0/8", 7, "172.20.0.1")); }, Harm::kDoubtful,
     "the route to 10.0.0.0/8"},
    {"services in the pod network", [](Site& s) { s.plan.services = {cidr("10.244.128.0/20")}; },
     Harm::kUnreachable, "the services' range 10.244.128.0/20 overlaps the pod network 10.244.0.0/16"},
    {"the LAN in the services' range", [](Site& s) { s.plan.services = {cidr("192.168.0.0/16")}; },
     Harm::kUnreachable, "the services' range 192.168.0.0/16 overlaps 192.168.7.1/24 of eth0"},
    {"the API server in the pod network", [](Site& s) { s.plan.api_server = ip("10.244.0.1"); },
     Harm::kUnreachable, "10.244.0.1, the API server"},
    {"pods with link-local addresses",
     [](Site& s) {
       s.plan.networks = {cidr("169.254.0.0/17")};
       s.plan.pod_cidrs = {cidr("169.254.1.0/24")};
       s.tables.addresses.pop_back();
       s.tables.addresses.pop_back();
       s.nodes.clear();
     },
     Harm::kDoubtful, "the pod network 169.254.0.0/17 overlaps 169.254.0.0/16, link-local addresses"},
    {"this node's pods around the local API cache",
     [](Site& s) {
       s.plan.networks = {cidr("169.254.0.0/17")};
       s.plan.pod_cidrs = {cidr("169.254.2.0/24")};
       s.nodes.clear();
     },
     Harm::kUnreachable,
     "the pod CIDR of this node 169.254.2.0/24 overlaps 169.254.2.1, the address of the "
     "local API cache"},
    {"this node's pods around the tunnel proxy",
     [](Site& s) {
       s.plan.networks = {cidr("169.254.0.0/17")};
       s.plan.pod_cidrs = {cidr("169.254.20.0/24")};
       s.tables.addresses.erase(s.tables.addresses.begin() + 3, s.tables.addresses.end());
     },
     Harm::kUnreachable, "overlaps 169.254.20.11, the address of the tunnel proxy"},
    {"services where managed clusters have their API server",
     [](Site& s) { s.plan.services = {cidr("198.18.0.0/16")}; }, Harm::kDoubtful,
     "the services' range 198.18.0.0/16 overlaps 198.18.0.0/15"},
    {"pods where managed clusters have their API server",
     [](Site& s) {
       s.plan.networks.push_back(cidr("198.0.0.0/8"));
       s.plan.api_server.reset();
     },
     Harm::kDoubtful, "the pod network 198.0.0.0/8 overlaps 198.18.0.0/15"},
    {"a peer with our pod CIDR",
     [](Site& s) { s.nodes.push_back(node("node9", "10.244.0.0/23", "192.168.7.9")); }, Harm::kUnreachable,
     "the pod CIDR of this node 10.244.1.0/24 overlaps 10.244.0.0/23, the pod CIDR of node node9"},
    {"a peer whose address is a pod's",
     [](Site& s) { s.nodes.push_back(node("node9", "10.244.9.0/24", "10.244.5.5")); }, Harm::kUnreachable,
     "10.244.5.5, the public address of node node9"},
    {"IPv6 link-local pods", [](Site& s) { s.plan.networks.push_back(cidr("fe80::/16")); },
     Harm::kUnreachable, "the pod network fe80::/16 overlaps fe80::/10"},
};

TEST_CASE("Each conflict tells both ranges, where the other one is, and the cure", "[flanneld]") {
  for (const Case& c : kCases) {
    DYNAMIC_SECTION(c.name) {
      Site site;
      c.change(site);
      const std::vector<AddressConflict> found = site.find();
      REQUIRE_FALSE(found.empty());
      CHECK(found.front().harm == c.harm);
      CHECK_THAT(found.front().message, Catch::Contains(c.message));
      CHECK(found.front().ours.overlaps(found.front().other));
    }
  }
}

TEST_CASE("The worst conflict stands first, and how many more there are", "[flanneld]") {
  Site site;
  site.tables.addresses[7] = address(7, "10.1.2.3/8");
  site.plan.services.clear();
  site.tables.addresses[1] = address(2, "10.244.77.1/24");
  site.plan.locals = {ip("10.244.77.1")};
  const auto found = site.find();
  REQUIRE(found.size() == 2);
  CHECK(found.front().harm == Harm::kCutsOff);
  CHECK_THAT(summary(found), Catch::EndsWith("choose another interface by --iface (and 1 more)"));
}

TEST_CASE("Ranges and devices are as net-conf.json tells", "[flanneld]") {
  const NetConf conf = parse_net_conf(R"({"Network": "10.1.0.0/16", "EnableIPv6": true,
      "IPv6Network": "fd00::/48", "Backend": {"Type": "vxlan", "VNI": 7}})")
                           .value();
  const AddressPlan plan = address_plan(conf, {cidr("10.96.0.0/12")}, "10.96.0.1");
  CHECK(plan.networks == std::vector{cidr("10.1.0.0/16"), cidr("fd00::/48")});
  CHECK(plan.devices == std::vector<std::string>{"flannel.7", "flannel-v6.7"});
  CHECK(plan.services == std::vector{cidr("10.96.0.0/12")});
  CHECK(plan.api_server == ip("10.96.0.1"));
  CHECK_FALSE(address_plan(conf, {}, "api.example.org").api_server.has_value());
}

}  // namespace
}  // namespace holdfast::flannel
