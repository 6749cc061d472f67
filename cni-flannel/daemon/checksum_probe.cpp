#include "cni-flannel/daemon/checksum_probe.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/internet_checksum.h"
#include "common/base/socket_address.h"

namespace holdfast::flannel {
namespace {

constexpr std::array<char, 16> kPayload{"checksum test"};

Status bind_and_connect(int fd, const IpAddress& from, const IpAddress& to, std::uint16_t port) {
  const SocketAddress here = to_socket_address(from, 0);
  const SocketAddress there = to_socket_address(to, port);
  if (::bind(fd, here.get(), here.size) != 0) return fail_errno(errno, "bind to " + from.to_string());
  if (::connect(fd, there.get(), there.size) != 0) return fail_errno(errno, "connect to " + to.to_string());
  return {};
}

/// In network order; 0 when it cannot be told.
std::uint16_t port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  void* raw = &storage;
  if (::getsockname(fd, static_cast<sockaddr*>(raw), &size) != 0) return 0;
  sockaddr_in in{};  // the port stands at the same place in both families
  std::memcpy(&in, &storage, sizeof in);
  return in.sin_port;
}

/// The datagram with its checksum, which for IPv6 the kernel computes (not the device). Source: RFC 768.
std::vector<std::uint8_t> datagram(const IpAddress& from, const IpAddress& to, std::uint16_t source_port) {
  udphdr header{};
  const auto size = static_cast<std::uint16_t>(sizeof header + kPayload.size());
  header.source = source_port;
  header.dest = htons(ChecksumProbe::kPort);
  header.len = htons(size);
  std::vector<std::uint8_t> out(size);
  std::memcpy(out.data(), &header, sizeof header);
  std::memcpy(&out[sizeof header], kPayload.data(), kPayload.size());
  if (!from.is_v4()) return out;
  std::vector<std::uint8_t> covered;
  for (const IpAddress* end : {&from, &to}) {
    covered.insert(covered.end(), end->bytes().begin(), end->bytes().end());
  }
  const std::array<std::uint8_t, 4> rest{0, IPPROTO_UDP, static_cast<std::uint8_t>(size >> 8U),
                                         static_cast<std::uint8_t>(size)};
  covered.insert(covered.end(), rest.begin(), rest.end());
  covered.insert(covered.end(), out.begin(), out.end());
  const std::uint16_t sum = internet_checksum(covered);
  header.check = sum == 0 ? 0xffff : sum;  // 0 would say that there is none
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

/// By a raw socket, whose packets no device adds a checksum to.
Status send_computed(const IpAddress& from, const IpAddress& to, std::uint16_t source_port) {
  const Fd raw(
      ::socket(from.is_v4() ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP));
  if (!raw.valid()) return fail_errno(errno, "open a raw socket");
  HOLDFAST_CHECK(bind_and_connect(raw.get(), from, to, 0));
  const int checksum_at = offsetof(udphdr, check);
  if (!from.is_v4() &&
      ::setsockopt(raw.get(), IPPROTO_IPV6, IPV6_CHECKSUM, &checksum_at, sizeof checksum_at) != 0) {
    return fail_errno(errno, "IPV6_CHECKSUM");
  }
  const std::vector<std::uint8_t> bytes = datagram(from, to, source_port);
  if (::send(raw.get(), bytes.data(), bytes.size(), 0) < 0)
    return fail_errno(errno, "send to " + to.to_string());
  return {};
}

}  // namespace

Result<std::unique_ptr<ChecksumProbe>> ChecksumProbe::begin(EventLoop& loop, const IpAddress& from,
                                                            const IpAddress& to, Done done) {
  std::unique_ptr<ChecksumProbe> out(new ChecksumProbe(loop, std::move(done)));
  HOLDFAST_CHECK(out->open(out->offloaded_, from, to));
  HOLDFAST_CHECK(out->open(out->computed_, from, to));
  out->begun_ = loop.clock().since_boot();
  if (::send(out->offloaded_.socket.get(), kPayload.data(), kPayload.size(), 0) < 0) {
    return fail_errno(errno, "send to " + to.to_string());
  }
  HOLDFAST_CHECK(send_computed(from, to, port_of(out->computed_.socket.get())));
  out->timer_ = loop.after(kPatience, [self = out.get()] { self->end(); });
  return out;
}

Status ChecksumProbe::open(Ear& ear, const IpAddress& from, const IpAddress& to) {
  ear.socket = Fd(::socket(from.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!ear.socket.valid()) return fail_errno(errno, "open a UDP socket");
  HOLDFAST_CHECK(bind_and_connect(ear.socket.get(), from, to, kPort));
  HOLDFAST_TRY(ear.watch,
               loop_.watch(ear.socket.get(), {.readable = true}, [this, &ear](Readiness) { told(ear); }));
  return {};
}

void ChecksumProbe::told(Ear& ear) {
  char byte = 0;
  if (::recv(ear.socket.get(), &byte, 1, 0) >= 0 || errno != ECONNREFUSED) return;
  ear.answered = true;
  if (offloaded_.answered && computed_.answered) return end();
  const auto took = loop_.clock().since_boot() - begun_;
  timer_ = loop_.after(std::max<std::chrono::nanoseconds>(kPatienceForOther, took), [this] { end(); });
}

/// The last thing that is done: the object may be gone after it.
void ChecksumProbe::end() {
  timer_.end();
  offloaded_.watch.end();
  computed_.watch.end();
  const Done done = std::move(done_);
  done({offloaded_.answered, computed_.answered});
}

}  // namespace holdfast::flannel
