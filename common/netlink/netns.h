#pragma once

#include <functional>
#include <string>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::nl {

/// Opens a network namespace (O_RDONLY | O_CLOEXEC, never blocking) and makes sure that it is one: a file of
/// nsfs whose type is CLONE_NEWNET. Errors: errno of open(2), kNotFound when nothing is there;
/// kInvalidArgument "'<path>' is not a network namespace". Where the kernel cannot be asked (ioctl(2) that an
/// emulator does not hand on) it is joined and left again: then also errno of setns(2). Source:
/// namespaces(7), ioctl_ns(2).
Result<Fd> open_netns(const std::string& path);

/// A new network namespace with nothing but lo, which is down. It ends with the last that refers to it. Needs
/// CAP_SYS_ADMIN. Errors: errno of unshare(2).
Result<Fd> make_netns();

/// Whether `netns_fd` is the namespace of the calling thread.
Result<bool> same_netns(int netns_fd);

/// Runs `body` with the calling thread in the namespace, and brings the thread back. Other threads stay where
/// they are. `body` must not throw. Errors: those of setns(2), then `body` has not run. A thread that cannot
/// be brought back would do everything else in a pod's namespace: then the process is aborted.
Status run_in_netns(int netns_fd, const std::function<void()>& body);

/// The same for a `body` that returns a Result or Status. Errors: those of setns(2), then body's own.
template <class F>
auto in_netns(int netns_fd, F body) -> decltype(body()) {
  decltype(body()) out = fail(Code::kInternal, "nothing ran in the other network namespace");
  HOLDFAST_CHECK(run_in_netns(netns_fd, [&] { out = body(); }));
  return out;
}

}  // namespace holdfast::nl
