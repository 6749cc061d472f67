#include "test/tools/pod_traffic.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

#include "test/tools/private_host.h"

namespace holdfast::test {
namespace {

constexpr int kPatienceMs = 2000;  // a packet that takes longer is lost, whatever the machine is busy with
constexpr std::chrono::milliseconds kPause{1};

sockaddr* generic(sockaddr_in& address) {
  return reinterpret_cast<sockaddr*>(
      &address);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): bind(2)
}

Result<Fd> udp_socket() {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno(errno, "open a socket");
  return socket;
}

/// Waits at `place` of its namespace on a port of the kernel's choice, which is put into `place`.
Result<Fd> bound_socket(sockaddr_in& place) {
  HOLDFAST_TRY(Fd socket, udp_socket());
  socklen_t size = sizeof place;
  if (::bind(socket.get(), generic(place), size) != 0 ||
      ::getsockname(socket.get(), generic(place), &size) != 0) {
    return fail_errno(errno, "bind a socket");
  }
  return socket;
}

Result<Fd> connected_socket(sockaddr_in& place) {
  HOLDFAST_TRY(Fd socket, udp_socket());
  if (::connect(socket.get(), generic(place), sizeof place) != 0)
    return fail_errno(errno, "connect a socket");
  return socket;
}

/// A socket stays in the namespace that it was opened in.
Result<Fd> open_in(const std::filesystem::path& netns, sockaddr_in& place,
                   Result<Fd> (*open)(sockaddr_in& place)) {
  if (netns.empty()) return open(place);
  Fd socket;
  HOLDFAST_CHECK(in_netns(netns, [&]() -> Status {
    HOLDFAST_TRY(socket, open(place));
    return {};
  }));
  return socket;
}

/// Waits for packet `number`; earlier ones, which came too late, are passed over.
bool receive(int socket, std::uint64_t number, sockaddr_in& sender) {
  pollfd waiting{socket, POLLIN, 0};
  while (::poll(&waiting, 1, kPatienceMs) > 0) {
    std::uint64_t got = 0;
    socklen_t size = sizeof sender;
    const ssize_t length = ::recvfrom(socket, &got, sizeof got, 0, generic(sender), &size);
    if (length < 0) return false;
    if (got == number) return true;
  }
  return false;
}

bool exchange(int near, int far, std::uint64_t number) {
  sockaddr_in sender{};
  if (::send(near, &number, sizeof number, 0) < 0 || !receive(far, number, sender)) return false;
  return ::sendto(far, &number, sizeof number, 0, generic(sender), sizeof sender) > 0 &&
         receive(near, number, sender);
}

}  // namespace

Status PodTraffic::add_way(const std::filesystem::path& from, const std::filesystem::path& to,
                           const std::string& address) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  if (::inet_pton(AF_INET, address.c_str(), &place.sin_addr) != 1) {
    return fail(Code::kInvalidArgument, "'" + address + "' is no IPv4 address");
  }
  Way way;
  way.address = address;
  HOLDFAST_TRY(way.far, open_in(to, place, bound_socket));
  HOLDFAST_TRY(way.near, open_in(from, place, connected_socket));
  ways_.push_back(std::move(way));
  return {};
}

void PodTraffic::start() { thread_ = std::thread(&PodTraffic::run, this); }

void PodTraffic::run() {
  for (std::uint64_t number = 1; !stopping_; ++number) {
    for (const Way& way : ways_) {
      if (exchange(way.near.get(), way.far.get(), number)) {
        ++count_.answered;
      } else {
        count_.lost.push_back(way.address);
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

PodTraffic::Count PodTraffic::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return count_;
}

}  // namespace holdfast::test
