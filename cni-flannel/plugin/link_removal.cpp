#include "cni-flannel/plugin/link_removal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "common/base/fd.h"
#include "common/netlink/link.h"
#include "common/netlink/monitor.h"

namespace holdfast::flannel {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{5};

enum class News { kGone, kUnsure, kNone };

/// What the events say of link `index`. kUnsure: events were lost.
News news_of(const std::vector<nl::Event>& events, int index) {
  News news = News::kNone;
  for (const nl::Event& event : events) {
    if (std::holds_alternative<nl::Resync>(event)) news = News::kUnsure;
    const auto* link = std::get_if<nl::LinkEvent>(&event);
    if (link != nullptr && link->gone && link->link.index == index) return News::kGone;
  }
  return news;
}

Result<bool> is_gone(nl::Socket& host, int index) {
  HOLDFAST_TRY(const auto link, nl::find_link(host, index));
  return !link.has_value();
}

/// In the child. It keeps nothing of its parent's but `alive`, whose closing tells of its end: a runtime
/// waits until standard output is closed, and an open descriptor would keep the pod's namespace from being
/// unmounted.
[[noreturn]] void delete_and_exit(int alive, int index) {
  ::setsid();
  if (alive != 0) ::dup2(alive, 0);
  ::closefrom(1);
  auto socket = nl::Socket::open();
  const bool done = socket && socket->run(nl::delete_link(index));
  ::_exit(done ? 0 : 1);
}

/// Waits for news of the link, or the child's end. Returns whether the link is known to be gone.
Result<bool> wait_for_removal(nl::Socket& host, nl::Monitor& monitor, int child_alive, int index) {
  const auto deadline = SteadyClock::now() + kPatience;
  std::array<pollfd, 2> sources{{{monitor.fd(), POLLIN, 0}, {child_alive, POLLIN, 0}}};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) {
      return fail(Code::kDeadlineExceeded, "delete link " + std::to_string(index) + ": still there after " +
                                               std::to_string(kPatience.count()) + " s");
    }
    const int ready = ::poll(sources.data(), sources.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "wait for the end of a link");
    if (ready <= 0) continue;
    HOLDFAST_TRY(const auto events, monitor.read());
    const News news = news_of(events, index);
    if (news == News::kGone) return true;
    if (news == News::kUnsure) {
      HOLDFAST_TRY(const bool gone, is_gone(host, index));
      if (gone) return true;
    }
    if (sources[1].revents != 0) return is_gone(host, index);
  }
}

}  // namespace

Status remove_link(nl::Socket& host, int index) {
  HOLDFAST_TRY(nl::Monitor monitor, nl::Monitor::open({.links = true}));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  const Fd child_alive(ends[0]);
  Fd child_end(ends[1]);

  const pid_t child = ::fork();
  if (child == 0) delete_and_exit(child_end.get(), index);
  if (child < 0) return host.run(nl::delete_link(index));
  child_end.reset();
  HOLDFAST_TRY(const bool gone, wait_for_removal(host, monitor, child_alive.get(), index));
  if (gone) return {};
  // The child has failed and is dead; trying again tells why, in the kernel's words.
  ::waitpid(child, nullptr, 0);
  return host.run(nl::delete_link(index));
}

}  // namespace holdfast::flannel
