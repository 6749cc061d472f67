#include "test/egw-gateway/core/gateway_world.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <stdexcept>
#include <thread>

#include "common/base/socket_address.h"
#include "common/netlink/netns.h"
#include "test/fakes/shell.h"

namespace holdfast::test {
namespace {

constexpr std::uint16_t kPort = 7007;

void need(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string(what) + ": errno " + std::to_string(errno));
}

/// A socket in the place, bound to the address; port 0 takes a free one.
Fd bound(const Place& place, int type, const IpAddress& address, std::uint16_t port) {
  Fd out;
  const Status done = nl::run_in_netns(place.netns(), [&] {
    out = Fd(::socket(address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
  });
  need(done.has_value() && out.valid(), "socket");
  const int yes = 1;
  need(::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0, "SO_REUSEADDR");
  const SocketAddress name = to_socket_address(address, port);
  need(::bind(out.get(), name.get(), name.size) == 0, "bind");
  return out;
}

void limit(const Fd& fd, std::chrono::milliseconds patience) {
  timeval time{};
  time.tv_sec = patience.count() / 1000;
  time.tv_usec = patience.count() % 1000 * 1000;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

bool connect_to(const Fd& fd, const IpAddress& to) {
  const SocketAddress name = to_socket_address(to, kPort);
  return ::connect(fd.get(), name.get(), name.size) == 0;
}

bool receive_all(int fd, std::span<char> into) {
  while (!into.empty()) {
    const ssize_t got = ::recv(fd, into.data(), into.size(), 0);
    if (got <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

bool send_all(int fd, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

constexpr std::size_t kTalkBytes = std::size_t{64} << 10;

void answer_one(const Fd& listener) {
  const Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer.valid()) return;
  limit(peer, std::chrono::seconds(5));
  std::vector<char> bytes(kTalkBytes);
  if (receive_all(peer.get(), bytes)) send_all(peer.get(), bytes);
}

/// The option of a SYN, which begins with its IP header; 0 without one.
int mss_of(std::span<const std::uint8_t> syn, bool v4) {
  std::size_t at = (v4 ? std::size_t{syn[0]} % 16 * 4 : sizeof(ip6_hdr)) + sizeof(tcphdr);
  while (at + 4 <= syn.size()) {
    if (syn[at] == TCPOPT_MAXSEG) return syn[at + 2] * 256 + syn[at + 3];
    at += syn[at] == TCPOPT_NOP ? std::size_t{1} : std::max<std::size_t>(syn[at + 1], 1);
  }
  return 0;
}

}  // namespace

Place::Place() : netns_(nl::make_netns().value()) {
  static_cast<void>(
      run("ip link set lo up && sysctl -qw net.ipv6.conf.default.accept_dad=0 "
          "net.ipv6.conf.all.accept_dad=0 net.ipv4.tcp_timestamps=0"));
}

std::string Place::run(const std::string& command) const {
  std::string out;
  std::string wrong;
  const Status done = nl::run_in_netns(netns_.get(), [&] {
    try {
      out = output_of(command);
    } catch (const std::exception& e) {
      wrong = e.what();
    }
  });
  if (!done) throw std::runtime_error(done.error().message);
  if (!wrong.empty()) throw std::runtime_error(wrong);
  return out;
}

GatewayWorld::GatewayWorld() {
  // ip(8) inherits no descriptor of ours: it reaches the namespaces by our /proc
  const auto ns = [](const Place& place) {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(place.netns());
  };
  static_cast<void>(
      lan_.run("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up && "
               "ip link add to-edge type veth peer eth0 netns " +
               ns(edge) + " && ip link add to-a type veth peer eth0 netns " + ns(a) +
               " && ip link add to-b type veth peer eth0 netns " + ns(b) +
               " && for l in to-edge to-a to-b; do ip link set $l master br0 up; done"));
  // a tunnel has no neighbours to look for: gateways drop what looks for them
  const std::string tunnel_end = " address 02:00:00:00:77:01 arp off";
  static_cast<void>(cloud.run("ip link add wg0" + tunnel_end + " type veth peer wg0" + tunnel_end +
                              " netns " + ns(a) + " && ip link add wg1" + tunnel_end + " type veth peer wg0" +
                              tunnel_end + " netns " + ns(b) +
                              " && ip link set wg0 up && ip link set wg1 up"));
  static_cast<void>(edge.run(
      "ip link set eth0 up && ip addr add 192.168.77.2/24 dev eth0 && "
      "for x in 192.168.77.9 10.244.1.20 10.244.2.20 10.244.2.0 10.244.2.1; do ip addr add $x/32 dev eth0; "
      "done && ip addr add fd00:77::2/64 dev eth0 && "
      "for x in fd00:77::9 fd00:244:0:1::20 fd00:244:0:2::20 fd00:244:0:2::1; do ip addr add $x/128 dev "
      "eth0; "
      "done && sysctl -qw net.ipv4.conf.all.rp_filter=1"));
  static_cast<void>(cloud.run(
      "for x in 172.16.0.5/32 10.200.0.5/32 203.0.113.5/32 fd00:172::5/128 fd00:200::5/128 fd00:203::5/128; "
      "do ip addr add $x dev lo; done && ip addr add 10.99.1.2/30 dev wg0 && ip addr add 10.99.2.2/30 dev "
      "wg1 "
      "&& ip addr add fd00:99:1::2/64 dev wg0 && ip addr add fd00:99:2::2/64 dev wg1 && "
      "sysctl -qw net.ipv4.conf.all.rp_filter=2"));
  int number = 0;
  for (const Place* gateway : {&a, &b}) {
    const std::string n = std::to_string(++number);
    static_cast<void>(gateway->run(
        "ip link set eth0 up && ip link set wg0 mtu 1420 up && ip addr add 192.168.77.10" + n +
        "/24 dev eth0 && ip addr add fd00:77::10" + n + "/64 dev eth0 && ip addr add 10.99." + n +
        ".1/30 dev wg0 && ip addr add fd00:99:" + n + "::1/64 dev wg0 && ip addr add 10.99.0." + n +
        "/32 dev lo && ip addr add fd00:99::" + n +
        "/128 dev lo && "
        "ip route add 10.244.0.0/16 via 192.168.77.2 && ip route add fd00:244::/48 via fd00:77::2 && "
        "for r in 172.16.0.0/12 10.200.0.0/16 203.0.113.0/24; do ip route add $r via 10.99." +
        n +
        ".2; done && for r in fd00:172::/32 fd00:200::/48 fd00:203::/48; do ip route add $r via fd00:99:" +
        n + "::2; done"));
    static_cast<void>(cloud.run("ip route add 10.99.0." + n + " via 10.99." + n +
                                ".1 && ip route add fd00:99::" + n + " via fd00:99:" + n + "::1"));
  }
  send_by(edge, a);
  send_by(cloud, a);
}

void GatewayWorld::send_by(const Place& sender, const Place& gateway) const {
  const std::string n = &gateway == &a ? "1" : "2";
  if (&sender == &edge) {
    static_cast<void>(edge.run(
        "for r in 172.16.0.0/12 10.200.0.0/16 203.0.113.0/24; do ip route replace $r via 192.168.77.10" + n +
        "; done; for r in fd00:172::/32 fd00:200::/48 fd00:203::/48; do ip -6 route replace $r via "
        "fd00:77::10" +
        n + "; done"));
    return;
  }
  static_cast<void>(cloud.run("for r in 10.244.0.0/16 192.168.77.0/24; do ip route replace $r via 10.99." +
                              n +
                              ".1; done; for r in fd00:244::/48 fd00:77::/64; do ip -6 route replace $r via "
                              "fd00:99:" +
                              n + "::1; done"));
}

gateway::Reachability GatewayWorld::wanted() {
  const auto cidr = [](const char* text) { return Cidr::parse(text).value(); };
  const auto address = [](const char* text) { return IpAddress::parse(text).value(); };
  gateway::Reachability out;
  out.edge_link = "eth0";
  out.tunnels = {"wg", true};
  out.pods = {cidr("10.244.0.0/16"), cidr("fd00:244::/48")};
  out.node_subnets = {cidr("10.244.1.0/24"), cidr("fd00:244:0:1::/64")};
  out.nodes = {address("192.168.77.2"), address("fd00:77::2")};
  out.cloud_pods = {cidr("10.200.0.0/16"), cidr("fd00:200::/48")};
  out.vpc = {cidr("172.16.0.0/12"), cidr("fd00:172::/32")};
  out.translations = {address("10.99.0.1"), address("fd00:99::1")};
  return out;
}

Datagram::Datagram(const Place& sender, const IpAddress& from, const Place& receiver, const IpAddress& to)
    : receiver_(bound(receiver, SOCK_DGRAM, to, kPort)), sender_(bound(sender, SOCK_DGRAM, from, 0)) {
  need(connect_to(sender_, to), "connect");
  const char byte = 'x';
  need(::send(sender_.get(), &byte, 1, 0) == 1, "send");
}

Datagram::Fate Datagram::fate(std::chrono::milliseconds patience) {
  std::array<pollfd, 2> waits{pollfd{receiver_.get(), POLLIN, 0}, pollfd{sender_.get(), POLLIN, 0}};
  ::poll(waits.data(), waits.size(), static_cast<int>(patience.count()));
  Fate out;
  char byte = 0;
  if ((waits[0].revents & POLLIN) != 0) {
    sockaddr_storage source{};
    socklen_t size = sizeof source;
    void* raw = &source;
    if (::recvfrom(receiver_.get(), &byte, 1, 0, static_cast<sockaddr*>(raw), &size) == 1)
      out.seen_as = address_of(source);
  }
  if ((waits[1].revents & POLLERR) != 0) {
    // what ICMP's "administratively prohibited" is told as, in IPv4 and in IPv6
    out.refused =
        ::recv(sender_.get(), &byte, 1, MSG_DONTWAIT) < 0 && (errno == EHOSTUNREACH || errno == EACCES);
  }
  return out;
}

bool talk(const Place& client, const IpAddress& from, const Place& server, const IpAddress& to,
          std::chrono::milliseconds patience) {
  const Fd listener = bound(server, SOCK_STREAM, to, kPort);
  need(::listen(listener.get(), 1) == 0, "listen");
  limit(listener, patience);
  std::thread answering([&] { answer_one(listener); });
  const Fd speaker = bound(client, SOCK_STREAM, from, 0);
  limit(speaker, patience);
  std::vector<char> bytes(kTalkBytes, 'x');
  const bool all =
      connect_to(speaker, to) && send_all(speaker.get(), bytes) && receive_all(speaker.get(), bytes);
  // whoever waits for a connection that does not come is woken
  ::shutdown(listener.get(), SHUT_RDWR);
  answering.join();
  return all;
}

ToldMss told_mss(const Place& client, const IpAddress& from, const Place& server, const IpAddress& to) {
  const Fd listener = bound(server, SOCK_STREAM, to, kPort);
  const int yes = 1;
  need(::setsockopt(listener.get(), IPPROTO_TCP, TCP_SAVE_SYN, &yes, sizeof yes) == 0, "TCP_SAVE_SYN");
  need(::listen(listener.get(), 1) == 0, "listen");
  limit(listener, std::chrono::seconds(10));
  const Fd speaker = bound(client, SOCK_STREAM, from, 0);
  limit(speaker, std::chrono::seconds(10));
  need(connect_to(speaker, to), "connect");
  const Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  need(peer.valid(), "accept");
  std::array<std::uint8_t, 256> syn{};
  socklen_t size = syn.size();
  need(::getsockopt(peer.get(), IPPROTO_TCP, TCP_SAVED_SYN, syn.data(), &size) == 0, "TCP_SAVED_SYN");
  ToldMss out;
  out.server = mss_of(std::span(syn).first(size), to.is_v4());
  socklen_t length = sizeof out.client;
  need(::getsockopt(speaker.get(), IPPROTO_TCP, TCP_MAXSEG, &out.client, &length) == 0, "TCP_MAXSEG");
  return out;
}

}  // namespace holdfast::test
