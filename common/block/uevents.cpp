#include "common/block/uevents.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "common/base/text.h"

namespace holdfast::block {
namespace {

constexpr std::uint32_t kKernelGroup = 1;  // group 2 is udev's
constexpr std::size_t kEventsAtOnce = 1024;
constexpr std::size_t kLongestMessage = 8192;  // the kernel's are at most 2048 and a path

std::uint32_t number_in(std::string_view text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void take_property(std::string_view key, std::string_view value, DeviceEvent& event) {
  if (key == "DEVNAME") event.kernel_name = value;
  if (key == "DEVTYPE") event.partition = value == "partition";
  if (key == "MAJOR") event.major = number_in(value);
  if (key == "MINOR") event.minor = number_in(value);
  if (key == "RESIZE") event.resized = value == "1";
}

}  // namespace

std::optional<DeviceEvent> parse_uevent(std::string_view message) {
  std::string_view head = take_until(message, '\0');
  DeviceEvent event;
  event.action = take_until(head, '@');
  if (event.action.empty() || !head.starts_with('/')) return std::nullopt;
  bool block = false;
  while (!message.empty()) {
    std::string_view value = take_until(message, '\0');
    const std::string_view key = take_until(value, '=');
    block = block || (key == "SUBSYSTEM" && value == "block");
    take_property(key, value, event);
  }
  if (!block || event.kernel_name.empty()) return std::nullopt;
  return event;
}

Result<UeventMonitor> UeventMonitor::open(int queue_bytes) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!fd.valid()) return fail_errno(errno, "open a uevent socket");
  // A refusal leaves the default size: then a flood is told as Rescan earlier.
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &queue_bytes, sizeof(queue_bytes)) != 0) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &queue_bytes, sizeof(queue_bytes));
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail_errno(errno, "listen to uevents");
  }
  return UeventMonitor(std::move(fd));
}

Result<std::vector<Uevent>> UeventMonitor::read() {
  std::vector<Uevent> events;
  std::array<char, kLongestMessage> buffer{};
  while (events.size() < kEventsAtOnce) {
    sockaddr_nl sender{};
    socklen_t size = sizeof(sender);
    const ssize_t n = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&sender), &size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0 && errno != ENOBUFS) return fail_errno(errno, "read uevents");
    if (n < 0) {
      events.emplace_back(Rescan{});
      continue;
    }
    if (sender.nl_pid != 0) continue;
    if (auto event = parse_uevent({buffer.data(), static_cast<std::size_t>(n)}))
      events.emplace_back(*std::move(event));
  }
  return events;
}

}  // namespace holdfast::block
