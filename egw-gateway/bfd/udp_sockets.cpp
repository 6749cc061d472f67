#include "egw-gateway/bfd/udp_sockets.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "common/base/socket_address.h"

namespace holdfast::bfd {
namespace {

constexpr std::size_t kBatch = 64;
constexpr int kBatchesAtOnce = 8;
constexpr std::size_t kPayloadRoom = 256;  // Length has 8 bits
constexpr std::uint16_t kFirstSourcePort = 49152;
constexpr std::uint32_t kSourcePorts = 65536 - kFirstSourcePort;
constexpr int kPortsTried = 64;
constexpr int kReceiveBytes = 1 << 20;
constexpr int kInternetControl = 0xc0;  // DSCP CS6, of routing protocols: RFC 4594 section 3.1

std::uint16_t port_of(Hops hops) { return hops == Hops::kSingle ? kSingleHopPort : kMultihopPort; }
int domain_of(IpFamily family) { return family == IpFamily::kV4 ? AF_INET : AF_INET6; }
IpAddress any(IpFamily family) { return family == IpFamily::kV4 ? IpAddress::v4({}) : IpAddress::v6({}); }

Status set(int fd, int level, int option, int value, const char* what) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) return fail_errno(errno, what);
  return {};
}

Result<Fd> udp_socket(IpFamily family) {
  Fd out(::socket(domain_of(family), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!out.valid()) return fail_errno(errno, "open a UDP socket for BFD");
  if (family == IpFamily::kV6) HOLDFAST_CHECK(set(out.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"));
  return out;
}

Result<Fd> open_receiver(Hops hops, IpFamily family) {
  HOLDFAST_TRY(Fd out, udp_socket(family));
  const int fd = out.get();
  if (family == IpFamily::kV4) {
    HOLDFAST_CHECK(set(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO"));
    HOLDFAST_CHECK(set(fd, IPPROTO_IP, IP_RECVTTL, 1, "IP_RECVTTL"));
  } else {
    HOLDFAST_CHECK(set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"));
    HOLDFAST_CHECK(set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT"));
  }
  // as much as we may have, for what comes while we are kept from running
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBytes, "SO_RCVBUFFORCE")) {
    HOLDFAST_CHECK(set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBytes, "SO_RCVBUF"));
  }
  const SocketAddress at = to_socket_address(any(family), port_of(hops));
  if (::bind(fd, at.get(), at.size) != 0) {
    const std::string what = "listen on UDP port " + std::to_string(port_of(hops));
    if (errno != EADDRINUSE) return fail_errno(errno, what);
    return fail(Code::kFailedPrecondition, what + ": another BFD daemon has it; stop that one");
  }
  return out;
}

Status bind_source_port(int fd, IpFamily family) {
  for (int tried = 0; tried < kPortsTried; ++tried) {
    const auto port = static_cast<std::uint16_t>(kFirstSourcePort + ::arc4random_uniform(kSourcePorts));
    const SocketAddress at = to_socket_address(any(family), port);
    if (::bind(fd, at.get(), at.size) == 0) return {};
    if (errno != EADDRINUSE) return fail_errno(errno, "bind a source port for BFD");
  }
  return fail(Code::kResourceExhausted, "no free UDP port of 49152..65535 for BFD");
}

Result<Fd> open_sender(IpFamily family) {
  HOLDFAST_TRY(Fd out, udp_socket(family));
  const int fd = out.get();
  if (family == IpFamily::kV4) {
    HOLDFAST_CHECK(set(fd, IPPROTO_IP, IP_TTL, kTtl, "IP_TTL"));
    HOLDFAST_CHECK(set(fd, IPPROTO_IP, IP_TOS, kInternetControl, "IP_TOS"));
  } else {
    HOLDFAST_CHECK(set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kTtl, "IPV6_UNICAST_HOPS"));
    HOLDFAST_CHECK(set(fd, IPPROTO_IPV6, IPV6_TCLASS, kInternetControl, "IPV6_TCLASS"));
  }
  // nothing is read from it
  HOLDFAST_CHECK(set(fd, SOL_SOCKET, SO_RCVBUF, 0, "SO_RCVBUF"));
  HOLDFAST_CHECK(bind_source_port(fd, family));
  return out;
}

/// Room for the control messages of one datagram, of either family and way.
struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int))> bytes;
};

template <class Info>
void put_control(msghdr& message, int level, int type, const Info& info) {
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(control), &info, sizeof info);
  message.msg_controllen = CMSG_SPACE(sizeof info);
}

/// From this address, by this interface.
void put_source(msghdr& message, const Path& path) {
  if (path.local.is_v4()) {
    in_pktinfo info{};
    info.ipi_ifindex = path.interface;
    std::memcpy(&info.ipi_spec_dst, path.local.bytes().data(), sizeof info.ipi_spec_dst);
    return put_control(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  info.ipi6_ifindex = static_cast<unsigned>(path.interface);
  std::memcpy(&info.ipi6_addr, path.local.bytes().data(), sizeof info.ipi6_addr);
  put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

template <class T>
T data_of(cmsghdr* control) {
  T out{};
  std::memcpy(&out, CMSG_DATA(control), sizeof out);
  return out;
}

void read_control(cmsghdr* control, Incoming& out) {
  const std::pair<int, int> kind{control->cmsg_level, control->cmsg_type};
  if (kind == std::pair<int, int>{IPPROTO_IP, IP_TTL} ||
      kind == std::pair<int, int>{IPPROTO_IPV6, IPV6_HOPLIMIT}) {
    out.ttl = static_cast<std::uint8_t>(data_of<int>(control));
  } else if (kind == std::pair<int, int>{IPPROTO_IP, IP_PKTINFO}) {
    const auto info = data_of<in_pktinfo>(control);
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &info.ipi_addr, bytes.size());
    out.path.local = IpAddress::v4(bytes);
    out.path.interface = info.ipi_ifindex;
  } else if (kind == std::pair<int, int>{IPPROTO_IPV6, IPV6_PKTINFO}) {
    const auto info = data_of<in6_pktinfo>(control);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &info.ipi6_addr, bytes.size());
    out.path.local = IpAddress::v6(bytes);
    out.path.interface = static_cast<int>(info.ipi6_ifindex);
  }
}

/// Buffers of one recvmmsg(2).
struct ReceiveBatch {
  struct One {
    sockaddr_storage from{};
    Control control{};
    std::array<std::uint8_t, kPayloadRoom> payload{};
    iovec data{};
  };
  std::array<One, kBatch> each;
  std::array<mmsghdr, kBatch> messages;

  void prepare() {
    for (std::size_t n = 0; n < kBatch; ++n) {
      One& one = each.at(n);
      one.data = {one.payload.data(), one.payload.size()};
      messages.at(n) = {};
      msghdr& header = messages.at(n).msg_hdr;
      header.msg_name = &one.from;
      header.msg_namelen = sizeof one.from;
      header.msg_iov = &one.data;
      header.msg_iovlen = 1;
      header.msg_control = one.control.bytes.data();
      header.msg_controllen = one.control.bytes.size();
    }
  }
};

/// Without the control messages that were asked for (never seen) its local address is 0.0.0.0, no session's.
std::optional<Incoming> incoming_of(Hops hops, mmsghdr& message, const ReceiveBatch::One& one) {
  const std::optional<IpAddress> from = address_of(one.from);
  if (!from) return std::nullopt;
  Incoming out;
  out.path.hops = hops;
  out.path.peer = *from;
  out.payload = {one.payload.data(), std::min<std::size_t>(message.msg_len, kPayloadRoom)};
  for (cmsghdr* control = CMSG_FIRSTHDR(&message.msg_hdr); control != nullptr;
       control = CMSG_NXTHDR(&message.msg_hdr, control)) {
    read_control(control, out);
  }
  return out;
}

/// Buffers of one sendmmsg(2).
struct SendBatch {
  struct One {
    SocketAddress to;
    Control control{};
    iovec data{};
  };
  std::array<One, kBatch> each;
  std::array<mmsghdr, kBatch> messages;

  void prepare(std::span<const Outgoing* const> packets, std::uint16_t port) {
    for (std::size_t n = 0; n < packets.size(); ++n) {
      const Outgoing& packet = *packets[n];
      One& one = each.at(n);
      one.to = to_socket_address(packet.path.peer, port);
      // sendmmsg(2) only reads it
      one.data = {const_cast<std::uint8_t*>(packet.packet.bytes.data()), packet.packet.size};
      messages.at(n) = {};
      msghdr& header = messages.at(n).msg_hdr;
      header.msg_name = &one.to.storage;
      header.msg_namelen = one.to.size;
      header.msg_iov = &one.data;
      header.msg_iovlen = 1;
      header.msg_control = one.control.bytes.data();
      header.msg_controllen = one.control.bytes.size();
      put_source(header, packet.path);
    }
  }
};

}  // namespace

Result<UdpSockets> UdpSockets::open(Hops hops, IpFamily family) {
  HOLDFAST_TRY(Fd receiver, open_receiver(hops, family));
  HOLDFAST_TRY(Fd sender, open_sender(family));
  return UdpSockets(hops, std::move(receiver), std::move(sender));
}

Sent UdpSockets::send(std::span<const Outgoing* const> packets) {
  Sent out;
  SendBatch batch;
  while (!packets.empty()) {
    const auto now = packets.first(std::min(packets.size(), kBatch));
    packets = packets.subspan(now.size());
    batch.prepare(now, port_of(hops_));
    for (std::size_t done = 0; done < now.size();) {
      const int sent =
          ::sendmmsg(sender_.get(), &batch.messages.at(done), static_cast<unsigned>(now.size() - done), 0);
      if (sent > 0) {
        done += static_cast<std::size_t>(sent);
        continue;
      }
      // it tells of the first one only: the others may pass
      ++out.refused;
      out.sys_errno = errno;
      ++done;
    }
  }
  return out;
}

void UdpSockets::receive(const std::function<void(const Incoming&)>& take) {
  ReceiveBatch batch;
  for (int n = 0; n < kBatchesAtOnce; ++n) {
    batch.prepare();
    const int got = ::recvmmsg(receiver_.get(), batch.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    for (int at = 0; at < got; ++at) {
      const auto number = static_cast<std::size_t>(at);
      const std::optional<Incoming> incoming =
          incoming_of(hops_, batch.messages.at(number), batch.each.at(number));
      if (incoming) take(*incoming);
    }
    if (got < static_cast<int>(kBatch)) return;
  }
}

}  // namespace holdfast::bfd
