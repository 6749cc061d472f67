#include "common/netlink/link.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "common/netlink/netns.h"
#include "test/catch.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::nl {
namespace {

using test::RouteKernel;

const MacAddress kBridgeMac({0x02, 0, 0, 0, 0, 0x01});
const MacAddress kPodMac({0x02, 0, 0, 0, 0, 0x02});

BridgeSpec bridge_spec(const std::string& name) {
  BridgeSpec spec;
  spec.name = name;
  spec.mac = kBridgeMac;
  spec.mtu = 1450;
  return spec;
}

VethSpec veth_spec(const std::string& name, const std::string& peer) {
  VethSpec spec;
  spec.name = name;
  spec.peer_name = peer;
  return spec;
}

TEST_CASE_METHOD(RouteKernel, "A bridge is made up, with its MAC pinned and its MTU", "[netlink]") {
  const auto made = create_bridge(socket, bridge_spec("cni0"));
  REQUIRE(made.has_value());
  const auto found = find_link(socket, "cni0");
  REQUIRE(found.has_value());
  REQUIRE(found->has_value());
  for (const Link& link : {*made, **found}) {
    CHECK(link.index > 0);
    CHECK(link.name == "cni0");
    CHECK(link.kind == "bridge");
    CHECK(link.mac == kBridgeMac);
    CHECK(link.mtu == 1450);
    CHECK(link.up);
    CHECK(link.master == 0);
    CHECK_FALSE(link.port.has_value());
  }
  REQUIRE(create_veth(socket,
                      [&] {
                        VethSpec spec = veth_spec("veth0", "veth1");
                        spec.mac = MacAddress({0x00, 0, 0, 0, 0, 0x01});  // lower than the bridge's
                        spec.master = made->index;
                        return spec;
                      }())
              .has_value());
  CHECK((*find_link(socket, made->index))->mac == kBridgeMac);
}

TEST_CASE_METHOD(RouteKernel, "A bridge filters VLANs as asked or is not made", "[netlink]") {
  BridgeSpec spec = bridge_spec("cni0");
  spec.vlan_filtering = true;
  const auto made = create_bridge(socket, spec);
  if (made) {
    CHECK(made->vlan_filtering == true);
  } else {
    CHECK(made.error().code == Code::kUnimplemented);
    CHECK(made.error().message ==
          "create bridge cni0: this kernel's bridges cannot filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING)");
    CHECK(find_link(socket, "cni0").value() == std::nullopt);
  }
}

TEST_CASE_METHOD(RouteKernel, "A link that is not there is found absent, not failed", "[netlink]") {
  CHECK(find_link(socket, "cni0").value() == std::nullopt);
  CHECK(find_link(socket, 4711).value() == std::nullopt);
}

TEST_CASE_METHOD(RouteKernel, "Making a link whose name is taken says so", "[netlink]") {
  REQUIRE(create_bridge(socket, bridge_spec("cni0")).has_value());
  const auto again = create_bridge(socket, bridge_spec("cni0"));
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == Code::kAlreadyExists);
  CHECK(again.error().sys_errno == EEXIST);
  CHECK(again.error().message == "create bridge cni0: File exists");
}

TEST_CASE_METHOD(RouteKernel, "One message makes a veth whose ends are where they belong", "[netlink]") {
  const Fd pod = test::new_netns();
  Socket in_pod = Socket::open_in(pod.get()).value();
  const int bridge = create_bridge(socket, bridge_spec("cni0"))->index;

  VethSpec spec = veth_spec("veth1234", "eth0");
  spec.mtu = 1400;
  spec.master = bridge;
  spec.alias = "default/web-0";
  spec.peer_netns_fd = pod.get();
  spec.peer_mac = kPodMac;
  const auto made = create_veth(socket, spec);
  REQUIRE(made.has_value());
  CHECK(made->name == "veth1234");
  CHECK(made->master == bridge);
  CHECK(made->alias == "default/web-0");

  const Link host = find_link(socket, "veth1234").value().value();
  CHECK(host.index == made->index);
  CHECK(host.mac == made->mac);
  CHECK(host.kind == "veth");
  CHECK(host.up);
  CHECK_FALSE(host.lower_up);
  CHECK(host.mtu == 1400);
  CHECK(host.master == bridge);
  CHECK(host.alias == "default/web-0");
  CHECK(host.port.has_value());
  CHECK(host.peer_netnsid.has_value());

  const Link peer = find_link(in_pod, "eth0").value().value();
  CHECK(peer.index == host.peer);
  CHECK(peer.peer == host.index);
  CHECK(peer.mac == kPodMac);
  CHECK(peer.mtu == 1400);
  CHECK_FALSE(peer.up);
  CHECK(find_link(socket, "eth0").value() == std::nullopt);

  LinkChange up;
  up.up = true;
  REQUIRE(in_pod.run(change_link(peer.index, up)).has_value());
  Link running = find_link(socket, "veth1234").value().value();
  CHECK(running.lower_up);
  // the kernel follows the carrier with these two in its own time
  for (int i = 0; i < 500 && running.oper_state != OperState::kUp; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    running = find_link(socket, "veth1234").value().value();
  }
  CHECK(running.oper_state == OperState::kUp);
  CHECK(running.port->state == PortState::kForwarding);
}

TEST_CASE_METHOD(RouteKernel, "A veth of which a part is refused leaves nothing behind", "[netlink]") {
  const Fd pod = test::new_netns();
  VethSpec spec = veth_spec("veth1", "eth0");
  spec.peer_netns_fd = pod.get();
  SECTION("the master is not a bridge") { spec.master = 1; }
  SECTION("the master is not there") { spec.master = 4711; }
  SECTION("the peer's name is taken") {
    Socket in_pod = Socket::open_in(pod.get()).value();
    REQUIRE(create_bridge(in_pod, bridge_spec("eth0")).has_value());
  }
  SECTION("the alias is longer than the kernel takes") { spec.alias = std::string(300, 'a'); }
  const auto made = create_veth(socket, spec);
  REQUIRE_FALSE(made.has_value());
  CHECK(find_link(socket, "veth1").value() == std::nullopt);
  Socket in_pod = Socket::open_in(pod.get()).value();
  const auto eth0 = find_link(in_pod, "eth0").value();
  CHECK((!eth0 || eth0->kind == "bridge"));
}

TEST_CASE_METHOD(RouteKernel, "A refused change carries the kernel's sentence", "[netlink]") {
  const auto made = create_bridge(socket, bridge_spec("cni0"));
  REQUIRE(made.has_value());
  LinkChange change;
  change.mtu = 1;
  change.master = 1;  // lo takes no ports
  change.mtu.reset();
  Status done = socket.run(change_link(made->index, change));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().sys_errno == EOPNOTSUPP);

  change = {};
  change.mtu = 70000;
  done = socket.run(change_link(made->index, change));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().sys_errno == EINVAL);
  CHECK(done.error().message == "change link " + std::to_string(made->index) +
                                    " (mtu greater than device maximum): Invalid argument");
}

TEST_CASE_METHOD(RouteKernel, "Everything that change_link names is changed and the rest is not",
                 "[netlink]") {
  const int bridge = create_bridge(socket, bridge_spec("cni0"))->index;
  const Link before = create_veth(socket, veth_spec("veth0", "veth1")).value();
  LinkChange change;
  SECTION("down") {
    change.up = false;
    REQUIRE(socket.run(change_link(before.index, change)).has_value());
    CHECK_FALSE(find_link(socket, before.index).value()->up);
  }
  SECTION("MTU, MAC, alias, master, promiscuous mode and arp_notify in one message") {
    change.mtu = 1300;
    change.mac = kPodMac;
    change.alias = "pod a";
    change.master = bridge;
    change.promiscuous = true;
    change.arp_notify = true;
    REQUIRE(socket.run(change_link(before.index, change)).has_value());
    const Link after = find_link(socket, before.index).value().value();
    CHECK(after.name == "veth0");
    CHECK(after.up);
    CHECK(after.mtu == 1300);
    CHECK(after.mac == kPodMac);
    CHECK(after.alias == "pod a");
    CHECK(after.master == bridge);
    CHECK(after.promiscuous);
    CHECK(test::output_of("cat /proc/sys/net/ipv4/conf/veth0/arp_notify") == "1\n");

    LinkChange back;
    back.master = 0;
    back.promiscuous = false;
    back.alias = "";
    REQUIRE(socket.run(change_link(before.index, back)).has_value());
    const Link undone = find_link(socket, before.index).value().value();
    CHECK(undone.master == 0);
    CHECK_FALSE(undone.promiscuous);
    CHECK(undone.alias.empty());
    CHECK(undone.mtu == 1300);
  }
  SECTION("name") {
    change.up = false;  // older kernels rename no link that is up
    REQUIRE(socket.run(change_link(before.index, change)).has_value());
    change.name = "eth0";
    REQUIRE(socket.run(change_link(before.index, change)).has_value());
    CHECK(find_link(socket, "eth0").value()->index == before.index);
  }
}

TEST_CASE_METHOD(RouteKernel, "Bridge port flags are set and read back", "[netlink]") {
  const int bridge = create_bridge(socket, bridge_spec("cni0"))->index;
  VethSpec spec = veth_spec("veth0", "veth1");
  spec.master = bridge;
  const int port = create_veth(socket, spec)->index;
  const BridgePort before = find_link(socket, port).value()->port.value();
  CHECK_FALSE(before.hairpin);
  CHECK_FALSE(before.isolated);
  CHECK(before.learning);
  CHECK(before.flood);

  BridgePortChange change;
  change.hairpin = true;
  change.isolated = true;
  change.learning = false;
  change.flood = false;
  REQUIRE(socket.run(change_bridge_port(port, change)).has_value());
  const BridgePort after = find_link(socket, port).value()->port.value();
  CHECK(after.hairpin);
  CHECK(after.isolated);
  CHECK_FALSE(after.learning);
  CHECK_FALSE(after.flood);

  const int loose = create_veth(socket, veth_spec("veth2", "veth3"))->index;
  CHECK_FALSE(socket.run(change_bridge_port(loose, change)).has_value());
}

TEST_CASE_METHOD(RouteKernel, "A link list is narrowed by bridge and by kind", "[netlink]") {
  const int bridge = create_bridge(socket, bridge_spec("cni0"))->index;
  VethSpec spec = veth_spec("veth0", "veth1");
  spec.master = bridge;
  REQUIRE(create_veth(socket, spec).has_value());
  const auto names = [&](const LinkFilter& filter) {
    std::vector<std::string> out;
    const std::vector<Link> links = list_links(socket, filter).value();
    for (const Link& link : links) out.push_back(link.name);
    std::sort(out.begin(), out.end());
    return out;
  };
  CHECK(names({}) == std::vector<std::string>{"cni0", "lo", "veth0", "veth1"});
  CHECK(names({bridge, ""}) == std::vector<std::string>{"veth0"});
  CHECK(names({0, "bridge"}) == std::vector<std::string>{"cni0"});
  CHECK(names({0, "nosuchkind"}).empty());
}

TEST_CASE_METHOD(RouteKernel, "A list far longer than one datagram is complete", "[netlink]") {
  constexpr int kPairs = 60;
  for (int i = 0; i < kPairs; ++i) {
    REQUIRE(create_veth(socket, veth_spec("a" + std::to_string(i), "b" + std::to_string(i))).has_value());
  }
  CHECK(list_links(socket)->size() == 2 * kPairs + 1);
}

TEST_CASE_METHOD(RouteKernel, "Deleting a link takes its peer, and deleting it again succeeds", "[netlink]") {
  const Link made = create_veth(socket, veth_spec("veth0", "veth1")).value();
  CHECK(socket.run(delete_link(made.index)).has_value());
  CHECK(find_link(socket, "veth1").value() == std::nullopt);
  CHECK(socket.run(delete_link(made.index)).has_value());
  CHECK(socket.run(delete_link("veth0")).has_value());

  REQUIRE(create_veth(socket, veth_spec("veth0", "veth1")).has_value());
  CHECK(socket.run(delete_link("veth1")).has_value());
  CHECK(find_link(socket, "veth0").value() == std::nullopt);
}

TEST_CASE_METHOD(RouteKernel, "A VXLAN device is made with all that flannel asks of it", "[netlink]") {
  const int underlay = create_veth(socket, veth_spec("eth0", "eth1"))->index;
  VxlanSpec spec;
  spec.name = "flannel.1";
  spec.mac = kPodMac;
  spec.mtu = 1400;
  spec.up = true;
  spec.info.vni = 1;
  spec.info.device = underlay;
  spec.info.port = 8472;
  spec.info.learning = false;
  SECTION("IPv4") { spec.info.local = IpAddress::parse("10.9.0.1").value(); }
  SECTION("IPv4 with group policy") {
    spec.info.local = IpAddress::parse("10.9.0.1").value();
    spec.info.gbp = true;
  }
  SECTION("IPv6") { spec.info.local = IpAddress::parse("fd00::1").value(); }
  const auto made = create_vxlan(socket, spec);
  REQUIRE(made.has_value());
  const Link found = find_link(socket, "flannel.1").value().value();
  CHECK(found.kind == "vxlan");
  CHECK(found.mac == kPodMac);
  CHECK(found.mtu == 1400);
  CHECK(found.up);
  REQUIRE(found.vxlan.has_value());
  CHECK(*found.vxlan == spec.info);
}

TEST_CASE_METHOD(RouteKernel, "A name that no interface can have is refused before the kernel is asked",
                 "[netlink]") {
  const char* const names[] = {"",    ".",    "..",    "a/b",  "a:b",
                               "a b", "a\tb", "a\x01", "br%d", "sixteen-bytes-xx"};
  for (const char* name : names) {
    DYNAMIC_SECTION("'" << name << "'") {
      const auto found = find_link(socket, name);
      REQUIRE_FALSE(found.has_value());
      CHECK(found.error().message == "'" + std::string(name) + "' cannot be the name of a network interface");
      CHECK(create_veth(socket, veth_spec("veth0", name)).error().code == Code::kInvalidArgument);
      CHECK(socket.run(delete_link(name)).error().code == Code::kInvalidArgument);
    }
  }
  CHECK(check_link_name("fifteen-bytes-x").has_value());
}

}  // namespace
}  // namespace holdfast::nl
