// Who reaches whom through a gateway, in network namespaces, by both back ends and both families.

#include <unistd.h>

#include <memory>

#include "common/firewall/iptables_firewall.h"
#include "common/firewall/nftables_firewall.h"
#include "common/netlink/netns.h"
#include "egw-gateway/core/kernel_settings.h"
#include "egw-gateway/core/reachability_keeper.h"
#include "test/catch.h"
#include "test/egw-gateway/core/gateway_world.h"

namespace holdfast::gateway {
namespace {

using test::Datagram;
using test::GatewayWorld;
using test::Place;

constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(20);

IpAddress address(const char* text) { return IpAddress::parse(text).value(); }

/// A gateway that forwards by its rules.
class Core {
 public:
  Core(const Place& place, bool iptables)
      : place_(place), socket_(nl::Socket::open_in(place.netns(), nl::Protocol::kNetfilter).value()) {
    if (iptables) {
      firewall_ = std::make_unique<firewall::IptablesFirewall>(executor_);
    } else {
      firewall_ = std::make_unique<firewall::NftablesFirewall>(socket_);
    }
    keeper_.emplace(*firewall_, std::vector{IpFamily::kV4, IpFamily::kV6});
    Status ready;
    const Status done = nl::run_in_netns(place.netns(), [&] {
      ready = prepare_kernel();
      if (ready) ready = check_kernel({"eth0", "wg0"});
    });
    if (!done || !ready) throw std::runtime_error("prepare: " + (done ? ready : done).error().message);
  }

  ReachabilityKeeper::Look look(const Reachability& wanted = GatewayWorld::wanted()) {
    ReachabilityKeeper::Look out;
    const Status done = nl::run_in_netns(place_.netns(), [&] { out = keeper_->look(wanted); });
    if (!done) throw std::runtime_error(done.error().message);
    return out;
  }
  void use_iptables() {
    auto iptables = std::make_unique<firewall::IptablesFirewall>(executor_);
    firewall_.reset();  // as egw-core does: the one before is gone already
    keeper_->use(*iptables);
    firewall_ = std::move(iptables);
  }
  std::uint64_t packets(Passage passage) {
    return look().counts.at(static_cast<std::size_t>(passage)).packets;
  }
  Status clean() {
    Status out;
    const Status done = nl::run_in_netns(place_.netns(), [&] { out = keeper_->clean(); });
    return done ? out : done;
  }

 private:
  const Place& place_;
  SystemExecutor executor_;
  nl::Socket socket_;
  std::unique_ptr<firewall::Firewall> firewall_;
  std::optional<ReachabilityKeeper> keeper_;
};

struct Way {
  const char* name;
  bool from_edge;
  const char* from;
  const char* to;
  Passage passage;
  const char* seen_as;  ///< null: it does not come through
};

const Way kWays[] = {
    {"pod to VPC", true, "10.244.1.20", "172.16.0.5", Passage::kPodToVpc, "10.244.1.20"},
    {"VPC to pod", false, "172.16.0.5", "10.244.1.20", Passage::kVpcToPod, "172.16.0.5"},
    {"pod to cloud pod", true, "10.244.2.20", "10.200.0.5", Passage::kPodToCloudPod, "10.244.2.20"},
    {"cloud pod to pod", false, "10.200.0.5", "10.244.2.20", Passage::kCloudPodToPod, "10.200.0.5"},
    {"node to VPC", true, "192.168.77.2", "172.16.0.5", Passage::kNodeToVpc, "10.99.0.1"},
    {"node to cloud pod", true, "192.168.77.2", "10.200.0.5", Passage::kNodeToCloudPod, "10.99.0.1"},
    {"node by its overlay address", true, "10.244.2.0", "172.16.0.5", Passage::kNodeToVpc, "10.99.0.1"},
    {"node by its bridge's", true, "10.244.2.1", "10.200.0.5", Passage::kNodeToCloudPod, "10.99.0.1"},
    {"VPC to node", false, "172.16.0.5", "192.168.77.2", Passage::kRefusedToNode, nullptr},
    {"cloud pod to node", false, "10.200.0.5", "192.168.77.2", Passage::kRefusedToNode, nullptr},
    {"VPC to a node's overlay address", false, "172.16.0.5", "10.244.2.0", Passage::kRefusedToNode, nullptr},
    {"cloud pod to a node's bridge", false, "10.200.0.5", "10.244.2.1", Passage::kRefusedToNode, nullptr},
    {"pod to elsewhere", true, "10.244.1.20", "203.0.113.5", Passage::kDropped, nullptr},
    {"elsewhere to pod", false, "203.0.113.5", "10.244.1.20", Passage::kDropped, nullptr},
    {"else at the edge to VPC", true, "192.168.77.9", "172.16.0.5", Passage::kDropped, nullptr},
    {"VPC to else at the edge", false, "172.16.0.5", "192.168.77.9", Passage::kDropped, nullptr},
    {"elsewhere to node", false, "203.0.113.5", "192.168.77.2", Passage::kRefusedToNode, nullptr},
    {"node to elsewhere", true, "192.168.77.2", "203.0.113.5", Passage::kDropped, nullptr},

    {"IPv6 pod to VPC", true, "fd00:244:0:1::20", "fd00:172::5", Passage::kPodToVpc, "fd00:244:0:1::20"},
    {"IPv6 VPC to pod", false, "fd00:172::5", "fd00:244:0:1::20", Passage::kVpcToPod, "fd00:172::5"},
    {"IPv6 pod to cloud pod", true, "fd00:244:0:2::20", "fd00:200::5", Passage::kPodToCloudPod,
     "fd00:244:0:2::20"},
    {"IPv6 cloud pod to pod", false, "fd00:200::5", "fd00:244:0:2::20", Passage::kCloudPodToPod,
     "fd00:200::5"},
    {"IPv6 node to VPC", true, "fd00:77::2", "fd00:172::5", Passage::kNodeToVpc, "fd00:99::1"},
    {"IPv6 node to cloud pod", true, "fd00:77::2", "fd00:200::5", Passage::kNodeToCloudPod, "fd00:99::1"},
    {"IPv6 node by its bridge's", true, "fd00:244:0:2::1", "fd00:172::5", Passage::kNodeToVpc, "fd00:99::1"},
    {"IPv6 VPC to node", false, "fd00:172::5", "fd00:77::2", Passage::kRefusedToNode, nullptr},
    {"IPv6 cloud pod to node", false, "fd00:200::5", "fd00:77::2", Passage::kRefusedToNode, nullptr},
    {"IPv6 VPC to a node's bridge", false, "fd00:172::5", "fd00:244:0:2::1", Passage::kRefusedToNode,
     nullptr},
    {"IPv6 pod to elsewhere", true, "fd00:244:0:1::20", "fd00:203::5", Passage::kDropped, nullptr},
    {"IPv6 elsewhere to pod", false, "fd00:203::5", "fd00:244:0:1::20", Passage::kDropped, nullptr},
    {"IPv6 else at the edge to VPC", true, "fd00:77::9", "fd00:172::5", Passage::kDropped, nullptr},
};

void check_way(const GatewayWorld& world, Core& core, const Way& way) {
  INFO(way.name);
  const std::uint64_t before = core.packets(way.passage);
  const Place& sender = way.from_edge ? world.edge : world.cloud;
  const Place& receiver = way.from_edge ? world.cloud : world.edge;
  Datagram datagram(sender, address(way.from), receiver, address(way.to));
  if (way.seen_as != nullptr) {
    const Datagram::Fate fate = datagram.fate(kPatience);
    CHECK(fate.seen_as == address(way.seen_as));
    CHECK(core.packets(way.passage) == before + 1);
    return;
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (core.packets(way.passage) == before && std::chrono::steady_clock::now() < end) {
  }
  CHECK(core.packets(way.passage) == before + 1);
  const bool refused = way.passage == Passage::kRefusedToNode;
  const Datagram::Fate fate = datagram.fate(refused ? kPatience : std::chrono::milliseconds(0));
  CHECK_FALSE(fate.seen_as.has_value());
  CHECK(fate.refused == refused);
}

TEST_CASE("Exactly the allowed cells of the matrix pass, with the sources that they are to have",
          "[egw-core]") {
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      const GatewayWorld world;
      Core core(world.a, iptables);
      const auto look = core.look();
      INFO((look.done ? std::string() : look.done.error().message));
      REQUIRE(look.done.has_value());
      for (const Way& way : kWays) check_way(world, core, way);
    }
  }
}

TEST_CASE("Connections work from every side that may begin one, and only from there", "[egw-core]") {
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      const GatewayWorld world;
      Core core(world.a, iptables);
      REQUIRE(core.look().done.has_value());
      for (const Way& way : kWays) {
        if (way.seen_as == nullptr) continue;
        INFO(way.name);
        const Place& client = way.from_edge ? world.edge : world.cloud;
        const Place& server = way.from_edge ? world.cloud : world.edge;
        CHECK(talk(client, address(way.from), server, address(way.to), kPatience));
      }
      CHECK(core.packets(Passage::kAnswerToNode) > 0);
      // a refused one is told so at once, not after a time
      CHECK_FALSE(talk(world.cloud, address("172.16.0.5"), world.edge, address("192.168.77.2"), kPatience));
    }
  }
}

/// What kube-proxy has in its FORWARD chain, before our rules.
void drop_invalid(const Place& place) {
  for (const char* program : {"iptables", "ip6tables"}) {
    static_cast<void>(
        place.run(std::string(program) + " -w -I FORWARD -m conntrack --ctstate INVALID -j DROP"));
  }
}

TEST_CASE("Pods' connections whose ways there and back differ live, beside a rule that drops what is invalid",
          "[egw-core]") {
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      const GatewayWorld world;
      Core a(world.a, iptables);
      Core b(world.b, iptables);
      REQUIRE(a.look().done.has_value());
      REQUIRE(b.look().done.has_value());
      // as kube-proxy does: before ours, until they are put first again
      drop_invalid(world.a);
      drop_invalid(world.b);
      world.send_by(world.cloud, world.b);
      for (const auto& [pod, far] :
           {std::pair{"10.244.1.20", "172.16.0.5"}, std::pair{"fd00:244:0:1::20", "fd00:172::5"},
            std::pair{"10.244.2.20", "10.200.0.5"}}) {
        INFO(pod << " and " << far);
        CHECK(talk(world.edge, address(pod), world.cloud, address(far), kPatience));
        CHECK(talk(world.cloud, address(far), world.edge, address(pod), kPatience));
      }
      CHECK(a.packets(Passage::kPodToVpc) > 0);
      CHECK(a.packets(Passage::kVpcToPod) == 0);
      CHECK(b.packets(Passage::kVpcToPod) > 0);
      CHECK(b.packets(Passage::kPodToVpc) == 0);

      // and with connections kept track of they do not: the answer is of none that b knows. The rule comes
      // before ours again, which went first when they were counted.
      drop_invalid(world.b);
      static_cast<void>(world.b.run(iptables ? "iptables -w -t raw -F EGW-UNTRACKED"
                                             : "nft flush chain ip egw-core untracked"));
      CHECK_FALSE(talk(world.edge, address("10.244.1.20"), world.cloud, address("172.16.0.5"),
                       std::chrono::seconds(2)));
    }
  }
}

TEST_CASE("What both sides of a connection may send fits the tunnel", "[egw-core]") {
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      const GatewayWorld world;
      Core core(world.a, iptables);
      REQUIRE(core.look().done.has_value());
      const test::ToldMss v4 =
          test::told_mss(world.edge, address("10.244.1.20"), world.cloud, address("172.16.0.5"));
      CHECK(v4.server == 1380);
      CHECK(v4.client == 1380);
      const test::ToldMss v6 =
          test::told_mss(world.cloud, address("fd00:172::5"), world.edge, address("fd00:244:0:1::20"));
      CHECK(v6.server == 1360);
      CHECK(v6.client == 1360);
      REQUIRE(core.clean().has_value());
      CHECK(test::told_mss(world.edge, address("10.244.1.20"), world.cloud, address("172.16.0.5")).server ==
            1460);
    }
  }
}

/// A part of the VPC behind a link of 1280 bytes, which a router with addresses of no range leads to.
class NarrowPart {
 public:
  explicit NarrowPart(const GatewayWorld& world) {
    const std::string netns = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(far_.netns());
    static_cast<void>(
        world.cloud.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 && "
                        "ip link add narrow mtu 1280 type veth peer eth0 mtu 1280 netns " +
                        netns +
                        " && ip link set narrow up && ip addr add 172.17.0.1/24 dev narrow && "
                        "ip addr add fd00:172:9::1/64 dev narrow nodad"));
    static_cast<void>(far_.run(
        "ip link set eth0 up && ip addr add 172.17.0.5/24 dev eth0 && ip addr add fd00:172:9::5/64 dev eth0 "
        "nodad && ip route add default via 172.17.0.1 && ip route add default via fd00:172:9::1"));
    // what the router says is sent by its tunnel, with the address that it has there
    static_cast<void>(world.edge.run("ip route add 10.99.0.0/16 via 192.168.77.101"));
  }

 private:
  Place far_;
};

TEST_CASE("Pods are told by routers beyond the tunnel that a packet is too big, or was too long on its way",
          "[egw-core]") {
  struct Ping {
    const char* words;
    const char* answer;
  };
  const Ping pings[] = {
      {"-s 100 -I 10.244.1.20 172.17.0.5", " 0% packet loss"},
      {"-M do -s 1300 -I 10.244.1.20 172.17.0.5", "From 10.99.1.2 icmp_seq=1 Frag needed"},
      {"-t 2 -I 10.244.2.20 172.17.0.5", "From 10.99.1.2 icmp_seq=1 Time to live exceeded"},
      {"-I 10.244.1.20 172.17.77.5", "From 10.99.1.2 icmp_seq=1 Destination"},
      {"-s 100 -I fd00:244:0:1::20 fd00:172:9::5", " 0% packet loss"},
      {"-M do -s 1300 -I fd00:244:0:1::20 fd00:172:9::5",
       "From fd00:99:1::2 icmp_seq=1 Packet too big: mtu=1280"},
      {"-t 2 -I fd00:244:0:2::20 fd00:172:9::5", "From fd00:99:1::2 icmp_seq=1 Time exceeded"},
  };
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      const GatewayWorld world;
      const NarrowPart narrow(world);
      static_cast<void>(world.cloud.run("ip route add unreachable 172.17.77.0/24"));
      Core core(world.a, iptables);
      REQUIRE(core.look().done.has_value());
      for (const Ping& ping : pings) {
        const std::string said =
            world.edge.run(std::string("ping -n -c 1 -W 20 ") + ping.words + " 2>&1 || true");
        CHECK_THAT(said, Catch::Contains(ping.answer));
      }
      CHECK(core.packets(Passage::kErrorToPod) == 5);
      CHECK(core.packets(Passage::kDropped) == 0);
    }
  }
}

TEST_CASE("Rules that somebody changes are put right, and the counts go on", "[egw-core]") {
  for (const bool iptables : {true, false}) {
    DYNAMIC_SECTION((iptables ? "iptables" : "nftables")) {
      const GatewayWorld world;
      Core core(world.a, iptables);
      REQUIRE(core.look().done.has_value());
      const auto once = [&] {
        Datagram datagram(world.edge, address("10.244.1.20"), world.cloud, address("172.16.0.5"));
        return datagram.fate(kPatience).seen_as.has_value();
      };
      CHECK(once());
      CHECK(core.look().mended == 0);
      CHECK(core.packets(Passage::kPodToVpc) == 1);

      static_cast<void>(world.a.run(iptables ? "iptables -w -I EGW-FORWARD -j DROP"
                                             : "nft insert rule ip egw-core forward drop"));
      CHECK(core.look().mended == 1);
      CHECK(once());
      CHECK(core.packets(Passage::kPodToVpc) == 2);

      static_cast<void>(world.a.run(iptables ? "ip6tables -w -F && ip6tables -w -X && iptables -w -t nat -F"
                                             : "nft flush ruleset"));
      CHECK(core.look().mended == 2);
      CHECK(core.look().mended == 0);

      // other ranges are no harm, and lose no counts
      Reachability other = GatewayWorld::wanted();
      other.vpc.clear();
      const auto changed = core.look(other);
      CHECK(changed.mended == 0);
      CHECK(changed.counts.at(static_cast<std::size_t>(Passage::kPodToVpc)).packets == 2);
      CHECK(core.look().mended == 0);
      CHECK(once());
      CHECK(core.packets(Passage::kPodToVpc) == 3);

      REQUIRE(core.clean().has_value());
      REQUIRE(core.clean().has_value());
    }
  }
}

TEST_CASE("A namespace is made ready for a gateway, and told when it is not", "[egw-core]") {
  const GatewayWorld world;
  static_cast<void>(world.a.run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.ip_forward=0"));
  Status before;
  Status after;
  REQUIRE(nl::run_in_netns(world.a.netns(), [&] {
            before = check_kernel({"eth0", "wg0"});
            after = prepare_kernel();
            if (after) after = check_kernel({"eth0", "wg0"});
          }).has_value());
  REQUIRE_FALSE(before.has_value());
  CHECK(before.error().code == Code::kFailedPrecondition);
  CHECK(after.has_value());
}

TEST_CASE("Settings that somebody has changed since are put right, and what they were is told",
          "[egw-core]") {
  const GatewayWorld world;
  const auto put = [&] {
    Result<std::string> out;
    REQUIRE(nl::run_in_netns(world.a.netns(), [&] { out = put_kernel_right({"eth0", "wg0"}); }).has_value());
    REQUIRE(out.has_value());
    return *out;
  };
  static_cast<void>(put());
  CHECK(put().empty());
  // a filter that is off harms nobody: there is nothing to tell
  static_cast<void>(
      world.a.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0 "
                  "net.ipv4.conf.wg0.rp_filter=0"));
  CHECK(put().empty());
  static_cast<void>(world.a.run("sysctl -qw net.ipv6.conf.all.forwarding=0"));
  CHECK_THAT(put(), Catch::Contains("net/ipv6/conf/all/forwarding is 0"));
  CHECK(put().empty());
}

TEST_CASE("Rules that go to another back end are no harm, and lose no counts", "[egw-core]") {
  const GatewayWorld world;
  Core core(world.a, /*iptables=*/false);
  const auto once = [&] {
    Datagram datagram(world.edge, address("10.244.1.20"), world.cloud, address("172.16.0.5"));
    return datagram.fate(kPatience).seen_as.has_value();
  };
  REQUIRE(core.look().done.has_value());
  CHECK(once());
  CHECK(core.packets(Passage::kPodToVpc) == 1);
  core.use_iptables();
  static_cast<void>(world.a.run("nft flush ruleset"));  // as the back end that was left is cleaned
  const auto look = core.look();
  REQUIRE(look.done.has_value());
  CHECK(look.mended == 0);
  CHECK(once());
  CHECK(core.packets(Passage::kPodToVpc) == 2);
}

}  // namespace
}  // namespace holdfast::gateway
