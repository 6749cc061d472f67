#include "cni-flannel/daemon/echo_prober.h"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/internet_checksum.h"
#include "common/base/socket_address.h"

namespace holdfast::flannel {
namespace {

using Kind = EchoAnswer::Kind;

// Source: linux/icmp.h, which cannot be read beside netinet/in.h.
constexpr int kIcmpFilter = 1;
struct IcmpFilter {
  std::uint32_t blocked_types = 0;
};

// Both families: type, code, checksum, id, number.
constexpr std::size_t kHeaderBytes = 8;
constexpr std::uint8_t kEchoReply4 = 0;
constexpr std::uint8_t kEchoRequest4 = 8;
constexpr std::uint8_t kEchoRequest6 = 128;
constexpr std::uint8_t kEchoReply6 = 129;
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;

struct Header {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t checksum = 0;
  std::uint16_t id = 0;
  std::uint16_t number = 0;
};
static_assert(sizeof(Header) == kHeaderBytes);

std::vector<std::uint8_t> request(IpFamily family, std::uint32_t packet_bytes, std::uint16_t id,
                                  std::uint16_t number) {
  const std::size_t ip_header = family == IpFamily::kV4 ? kIpv4Header : kIpv6Header;
  std::vector<std::uint8_t> out(std::max(packet_bytes, kSmallestEcho) - ip_header, 0);
  Header header{family == IpFamily::kV4 ? kEchoRequest4 : kEchoRequest6, 0, 0, id, number};
  std::memcpy(out.data(), &header, sizeof header);
  if (family == IpFamily::kV4) {  // of IPv6 the kernel fills it in
    header.checksum = internet_checksum(out);
    std::memcpy(out.data(), &header, sizeof header);
  }
  return out;
}

template <class Value>
Status set(int fd, int level, int option, const Value& value, const char* what) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) return fail_errno(errno, what);
  return {};
}

/// Only echo replies; fragments are neither sent nor is the learned MTU of the way kept to.
Status set_up(int fd, IpFamily family) {
  if (family == IpFamily::kV4) {
    const IcmpFilter filter{~(1U << kEchoReply4)};
    HOLDFAST_CHECK(set(fd, SOL_RAW, kIcmpFilter, filter, "ICMP_FILTER"));
    HOLDFAST_CHECK(set(fd, IPPROTO_IP, IP_MTU_DISCOVER, int{IP_PMTUDISC_PROBE}, "IP_MTU_DISCOVER"));
    return set(fd, IPPROTO_IP, IP_RECVERR, 1, "IP_RECVERR");
  }
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(kEchoReply6, &filter);
  HOLDFAST_CHECK(set(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter, "ICMP6_FILTER"));
  HOLDFAST_CHECK(set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, int{IPV6_PMTUDISC_PROBE}, "IPV6_MTU_DISCOVER"));
  HOLDFAST_CHECK(set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1, "IPV6_DONTFRAG"));
  return set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1, "IPV6_RECVERR");
}

/// Room for one control message of either family.
struct Control {
  alignas(cmsghdr) std::array<char, 512> bytes{};
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

void put_source(msghdr& message, const IpAddress& from) {
  if (from.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, from.bytes().data(), sizeof info.ipi_spec_dst);
    return put_control(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, from.bytes().data(), sizeof info.ipi6_addr);
  put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

std::optional<sock_extended_err> error_of(msghdr& message) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(&message, control)) {
    const bool is_error = (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR) ||
                          (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR);
    if (!is_error) continue;
    sock_extended_err out{};
    std::memcpy(&out, CMSG_DATA(control), sizeof out);
    return out;
  }
  return std::nullopt;
}

std::optional<Header> header_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  if (bytes.size() < offset + kHeaderBytes) return std::nullopt;
  Header out;
  std::memcpy(&out, &bytes[offset], sizeof out);
  return out;
}

}  // namespace

EchoProber::EchoProber(EventLoop& loop, IpFamily family, Fd socket, std::uint16_t id)
    : loop_(loop), family_(family), socket_(std::move(socket)), id_(id) {}

Result<std::unique_ptr<EchoProber>> EchoProber::create(EventLoop& loop, IpFamily family) {
  const bool v4 = family == IpFamily::kV4;
  Fd socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}));
  if (!socket.valid()) return fail_errno(errno, "open a socket for ICMP");
  HOLDFAST_CHECK(set_up(socket.get(), family));
  std::uint16_t id = 0;
  if (::getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id) id = static_cast<std::uint16_t>(socket.get());
  std::unique_ptr<EchoProber> out(new EchoProber(loop, family, std::move(socket), id));
  HOLDFAST_TRY(out->watch_, loop.watch(out->socket_.get(), {.readable = true}, [self = out.get()](Readiness) {
    self->read_errors();
    self->read_answers();
  }));
  return out;
}

void EchoProber::ask(const EchoQuestion& question, std::chrono::nanoseconds patience, Done done) {
  const std::uint16_t number = ++last_number_;
  const EchoAnswer sent = send(question, number);
  const bool waits = sent.kind == Kind::kSilent;
  pending_[number] = {question.to, std::move(done),
                      loop_.after(waits ? patience : std::chrono::nanoseconds{},
                                  [this, number, sent] { answered(number, sent); })};
}

/// kSilent when it is on its way.
EchoAnswer EchoProber::send(const EchoQuestion& question, std::uint16_t number) const {
  std::vector<std::uint8_t> packet = request(family_, question.packet_bytes, id_, number);
  SocketAddress to = to_socket_address(question.to, 0);
  iovec data{packet.data(), packet.size()};
  Control control;
  msghdr message{};
  message.msg_name = &to.storage;
  message.msg_namelen = to.size;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  put_source(message, question.from);
  if (::sendmsg(socket_.get(), &message, 0) >= 0) return {};
  return errno == EMSGSIZE ? EchoAnswer{Kind::kTooBig, 0} : EchoAnswer{Kind::kUnreachable, 0};
}

void EchoProber::answered(std::uint16_t number, const EchoAnswer& answer) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;
  const Done done = std::move(found->second.done);
  pending_.erase(found);
  done(answer);
}

void EchoProber::read_answers() {
  std::array<std::uint8_t, 128> bytes{};
  sockaddr_storage from{};
  for (;;) {
    socklen_t size = sizeof from;
    void* raw = &from;
    const ssize_t got =
        ::recvfrom(socket_.get(), bytes.data(), bytes.size(), 0, static_cast<sockaddr*>(raw), &size);
    if (got < 0) return;
    const std::span<const std::uint8_t> packet(bytes.data(), static_cast<std::size_t>(got));
    // an IPv4 packet comes with its header
    const std::size_t offset = family_ == IpFamily::kV6 || packet.empty() ? 0 : (packet[0] & 0x0fU) * 4U;
    const std::optional<Header> header = header_at(packet, offset);
    if (!header || header->id != id_) continue;
    const auto asked = pending_.find(header->number);
    if (asked != pending_.end() && address_of(from) == asked->second.to) {
      answered(header->number, {Kind::kAnswered, 0});
    }
  }
}

/// What ICMP told of our requests; each comes with the beginning of the request.
void EchoProber::read_errors() {
  for (;;) {
    std::array<std::uint8_t, 64> bytes{};
    Control control;
    iovec data{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_ERRQUEUE);
    if (got < 0) return;
    const std::optional<sock_extended_err> error = error_of(message);
    const std::optional<Header> header = header_at({bytes.data(), static_cast<std::size_t>(got)}, 0);
    if (!error || !header || header->id != id_) continue;
    const bool too_big = error->ee_errno == EMSGSIZE;
    answered(header->number,
             too_big ? EchoAnswer{Kind::kTooBig, error->ee_info} : EchoAnswer{Kind::kUnreachable, 0});
  }
}

}  // namespace holdfast::flannel
