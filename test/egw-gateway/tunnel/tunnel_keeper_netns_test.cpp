#include <unistd.h>

#include <string>

#include "common/netlink/netns.h"
#include "common/wireguard/kernel.h"
#include "common/wireguard/user_space.h"
#include "egw-gateway/tunnel/tunnel_keeper.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"
#include "test/netlink/fresh_netns.h"
#include "test/wireguard/own_wireguard_go.h"

namespace holdfast::gateway {
namespace {

using holdfast::test::new_netns;
using holdfast::test::output_in;
using holdfast::test::TemporaryFolder;
using wireguard::SecretKey;
using Lines = std::vector<std::string>;

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }
Cidr cidr(const std::string& text) { return Cidr::parse(text).value(); }

/// One end of tunnels: a namespace with a keeper in it, whose links begin with `prefix`.
struct End {
  explicit End(std::string prefix) : own(std::move(prefix)) {}
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() { static_cast<void>(look({})); }

  TunnelKeeper::Look look(const std::vector<Tunnel>& wanted) {
    TunnelKeeper::Look out;
    static_cast<void>(nl::run_in_netns(netns.get(), [&] { out = keeper.look(wanted); }));
    return out;
  }
  /// That must succeed. Returns what was done.
  Lines put(const std::vector<Tunnel>& wanted) {
    const TunnelKeeper::Look found = look(wanted);
    INFO((found.done ? std::string() : found.done.error().message));
    REQUIRE(found.done.has_value());
    return found.news;
  }
  [[nodiscard]] std::string run(const std::string& command) const { return output_in(netns.get(), command); }
  [[nodiscard]] bool can(const std::string& command) const {
    return run("(" + command + ") >/dev/null 2>&1 && echo yes || true") == "yes\n";
  }

  Fd netns = new_netns();
  TemporaryFolder folder;
  SystemClock clock;
  SystemExecutor executor;
  wireguard::UserSpaceWireGuard engine{executor, clock, holdfast::test::own_wireguard_go(folder.path()),
                                       folder / "wireguard"};
  std::string own;
  TunnelKeeper keeper{engine, nl::Socket::open_in(netns.get()).value(), own};
  SecretKey key = SecretKey::generate().value();
};

/// A gateway and an access point with a link between, 192.0.2.1 and .2.
struct TwoEnds {
  TwoEnds() {
    const std::string there =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(access.netns.get());
    static_cast<void>(gateway.run("ip link set lo up && ip link add eth0 type veth peer name eth0 netns " +
                                  there + " && ip addr add 192.0.2.1/24 dev eth0 && ip link set eth0 up"));
    static_cast<void>(access.run("ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up"));
  }

  [[nodiscard]] Tunnel at_gateway(const std::string& link = "wg-one") const {
    Tunnel out{link, {gateway.key, 0, 0, {}}, {ip("198.18.0.7"), ip("fd00:99::7")}, {}, 1380};
    out.peers = {ip("198.18.0.1"), ip("fd00:99::1")};
    wireguard::PeerSpec peer{public_key_of(access.key).value(), {}, {}, {}, {}};
    peer.endpoint = wireguard::Endpoint{ip("192.0.2.2"), 51827};
    peer.allowed = {cidr("0.0.0.0/0"), cidr("::/0")};
    out.wireguard.peers.push_back(peer);
    return out;
  }
  [[nodiscard]] Tunnel at_access() const {
    Tunnel out{"acc-7", {access.key, 51827, 0, {}}, {ip("198.18.0.1"), ip("fd00:99::1")}, {}, 1380};
    out.peers = {ip("198.18.0.7"), ip("fd00:99::7")};
    out.wireguard.peers.push_back(
        {public_key_of(gateway.key).value(), {}, {}, {cidr("0.0.0.0/0"), cidr("::/0")}, {}});
    return out;
  }
  void connect() {
    // first who is spoken to: a handshake that nobody answers is tried again after 5 s
    CHECK(access.put({at_access()}) == Lines{"acc-7: made"});
    CHECK(gateway.put({at_gateway()}) == Lines{"wg-one: made"});
    REQUIRE(pings());
  }
  [[nodiscard]] bool pings() const {
    return gateway.can("ping -c 1 -w 30 198.18.0.1 && ping -c 1 -w 30 fd00:99::1");
  }

  End gateway{"wg-"};
  End access{"acc-"};
};

TEST_CASE_METHOD(TwoEnds, "Two ends make a tunnel by which each reaches the other's address", "[tunnel]") {
  connect();
  CHECK(gateway.put({at_gateway()}).empty());
  const TunnelKeeper::Look found = access.look({at_access()});
  CHECK(found.news.empty());
  REQUIRE(found.tunnels.size() == 1);
  CHECK(found.tunnels[0].ifindex > 0);
  REQUIRE(found.tunnels[0].peers.size() == 1);
  CHECK(found.tunnels[0].peers[0].last_handshake.has_value());
  CHECK(found.tunnels[0].peers[0].received_bytes > 0);
}

TEST_CASE_METHOD(TwoEnds, "What others do to a tunnel is put right", "[tunnel]") {
  connect();
  struct Case {
    const char* name;
    const char* harm;
    const char* news;
  };
  const auto harm =
      GENERATE(Case{"its address", "ip addr del 198.18.0.7/32 dev wg-one", nullptr},
               Case{"another address", "ip addr add 198.18.9.9/32 dev wg-one", "wg-one: 1 change"},
               Case{"its route", "ip route del 198.18.0.1 dev wg-one", "wg-one: 1 change"},
               Case{"a route of ours", "ip route add 198.18.0.3 dev wg-one proto 159", "wg-one: 1 change"},
               Case{"its size", "ip link set wg-one mtu 1300", "wg-one: 1 change"},
               Case{"that it is up", "ip link set wg-one down", nullptr},
               Case{"its process", "ip link del wg-one", "wg-one: made"});
  DYNAMIC_SECTION(harm.name) {
    static_cast<void>(gateway.run(harm.harm));
    const Lines news = gateway.put({at_gateway()});
    CHECK(news.size() == 1);
    if (harm.news != nullptr) CHECK(news == Lines{harm.news});
    CHECK(pings());
    CHECK(gateway.put({at_gateway()}).empty());
  }
}

TEST_CASE_METHOD(TwoEnds, "What is not a tunnel of ours is left alone", "[tunnel]") {
  connect();
  static_cast<void>(
      gateway.run("ip link add wg-bridge type bridge && ip tuntap add mode tun name other0 && "
                  "ip route add 203.0.113.0/24 dev wg-one"));
  CHECK(gateway.put({at_gateway()}).empty());
  CHECK(
      gateway.can("ip link show wg-bridge && ip link show other0 && ip route show 203.0.113.0/24 | grep ."));
}

TEST_CASE_METHOD(TwoEnds, "A tunnel that is not wanted goes, and its peer's address is found by the next",
                 "[tunnel]") {
  connect();
  CHECK(gateway.put({at_gateway("wg-two")}) == Lines{"wg-two: made", "wg-one: removed"});
  CHECK_FALSE(gateway.can("ip link show wg-one"));
  CHECK(gateway.put({at_gateway("wg-two")}).size() <= 1);
  CHECK(pings());
}

TEST_CASE_METHOD(TwoEnds, "A tunnel that cannot be made keeps no other from being made", "[tunnel]") {
  Tunnel twice = at_gateway("wg-bad");
  twice.wireguard.peers.push_back(twice.wireguard.peers.front());
  const TunnelKeeper::Look found = gateway.look({twice, at_gateway()});
  REQUIRE_FALSE(found.done.has_value());
  CHECK_THAT(found.done.error().message, Catch::StartsWith("tunnel wg-bad: WireGuard peer"));
  REQUIRE(found.tunnels.size() == 2);
  CHECK(found.tunnels[1].ifindex > 0);
}

TEST_CASE("A link that another engine made is taken away, and made anew", "[tunnel]") {
  TwoEnds scene;
  End& end = scene.gateway;
  wireguard::KernelWireGuard kernel;
  TunnelKeeper keeper(kernel, nl::Socket::open_in(end.netns.get()).value(), end.own);
  static_cast<void>(end.run("ip tuntap add mode tun name wg-one; ip tuntap add mode tun name wg-old"));
  TunnelKeeper::Look found;
  static_cast<void>(nl::run_in_netns(end.netns.get(), [&] { found = keeper.look({scene.at_gateway()}); }));
  CHECK_THAT(found.news, Catch::VectorContains(std::string("wg-one: another engine's, removed")) &&
                             Catch::VectorContains(std::string("wg-old: another engine's, removed")));
  CHECK_FALSE(end.can("ip link show type tun | grep -q wg-"));
  CHECK(end.can("ip link show wg-one") == wireguard::KernelWireGuard::is_there().value());
}

TEST_CASE("A link's name tells whose tunnel it is as long as it can", "[tunnel]") {
  CHECK(tunnel_link("wg-", "hangzhou-1") == "wg-hangzhou-1");
  const std::string longer = tunnel_link("wg-", "hangzhou-one-and-two");
  CHECK(longer.size() == 13);
  CHECK(longer != tunnel_link("wg-", "hangzhou-one-and-three"));
}

}  // namespace
}  // namespace holdfast::gateway
