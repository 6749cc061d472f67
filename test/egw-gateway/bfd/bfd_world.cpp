#include "test/egw-gateway/bfd/bfd_world.h"

#include "common/netlink/link.h"
#include "common/netlink/netns.h"
#include "test/catch.h"

namespace holdfast::bfd::test {
namespace {

using holdfast::test::output_in;

/// A link of the same name in both.
void connect(int one, int other, const std::string& name, const std::string& name_there) {
  const Status made = nl::in_netns(one, [&]() -> Status {
    HOLDFAST_TRY(nl::Socket socket, nl::Socket::open());
    nl::VethSpec link;
    link.name = name;
    link.peer_name = name_there;
    link.peer_netns_fd = other;
    HOLDFAST_CHECK(nl::create_veth(socket, link));
    return {};
  });
  REQUIRE(made.has_value());
}

void address(int netns, const std::string& link, const std::string& addresses) {
  output_in(netns, "for a in " + addresses + "; do ip addr add $a dev " + link +
                       " $(case $a in *:*) echo nodad; esac); done");
}

}  // namespace

World::World() {
  // no address of the kernel's own making: it takes a while until one may be used
  const std::string ready =
      "sysctl -qw net.ipv6.conf.default.addr_gen_mode=1 net.ipv6.conf.default.accept_dad=0 "
      "net.ipv6.conf.all.accept_dad=0 && ip link set lo up";
  for (const int netns : {left(), right(), far()}) output_in(netns, ready);
  connect(left(), right(), "eth0", "eth0");
  connect(right(), far(), "eth1", "eth0");
  output_in(left(), "ip link set eth0 up");
  output_in(right(), "ip link set eth0 up && ip link set eth1 up");
  output_in(far(), "ip link set eth0 up");
  address(left(), "eth0", "10.0.0.1/24 fd00::1/64 fe80::1/64");
  address(right(), "eth0", "10.0.0.2/24 fd00::2/64 fe80::2/64");
  address(right(), "eth1", "10.0.1.2/24 fd01::2/64");
  address(far(), "eth0", "10.0.1.3/24 fd01::3/64");
  output_in(right(), "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  output_in(left(), "ip route add default via 10.0.0.2 && ip -6 route add default via fd00::2");
  output_in(far(), "ip route add default via 10.0.1.2 && ip -6 route add default via fd01::2");
}

void World::lose_all_to(int netns) {
  output_in(
      netns,
      "nft 'add table inet lossy; add chain inet lossy in { type filter hook prerouting priority -300; }; "
      "add rule inet lossy in udp dport { 3784, 4784 } drop'");
}

void World::let_all_to(int netns) { output_in(netns, "nft delete table inet lossy"); }

Node::Node(EventLoop& loop, int netns) : loop_(loop), netns_(netns) { restart(); }

void Node::restart() {
  engine_.reset();
  transport_ = std::make_unique<UdpTransport>(loop_);
  engine_ =
      std::make_unique<Engine>(loop_, *transport_, system_random(),
                               [this](SessionId, const StateChange& change) { changes.push_back(change); });
}

Result<SessionId> Node::try_add(const SessionConfig& config) {
  return nl::in_netns(netns_, [&] { return engine_->add(config); });
}

SessionId Node::add(const SessionConfig& config) {
  const Result<SessionId> added = try_add(config);
  INFO((added ? std::string() : added.error().message));
  REQUIRE(added.has_value());
  return *added;
}

void LiveWorld::until(const std::function<bool()>& holds) {
  const auto end = clock.since_boot() + std::chrono::seconds(30);
  while (!holds()) {
    REQUIRE(clock.since_boot() < end);
    REQUIRE(loop->turn(std::chrono::milliseconds(10)).has_value());
  }
}

void LiveWorld::turn_for(std::chrono::milliseconds time) {
  const auto end = clock.since_boot() + time;
  while (clock.since_boot() < end) REQUIRE(loop->turn(std::chrono::milliseconds(10)).has_value());
}

SessionConfig config(Hops hops, const std::string& local, const std::string& peer, int interface) {
  SessionConfig out;
  out.path = {hops, ip(local), ip(peer), interface};
  return out;
}

}  // namespace holdfast::bfd::test
