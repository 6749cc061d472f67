#pragma once

#include <functional>
#include <string>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::nl {

/// Opens a network namespace (O_RDONLY | O_CLOEXEC, never blocking) and makes sure that it is one: a file of
/// nsfs whose type is CLONE_NEWNET. Errors: errno of open(2), kNotFound when nothing is there;
/// kInvalidArgument "'<path>' is not a network namespace". Source: namespaces(7), ioctl_ns(2).
Result<Fd> open_netns(const std::string& path);

/// Whether `netns_fd` is the namespace of the calling thread.
Result<bool> same_netns(int netns_fd);

/// Runs `body` on a fresh thread that has joined the namespace and waits for it. Errors: those of setns(2),
/// then `body` has not run.
Status run_in_netns(int netns_fd, const std::function<void()>& body);

/// Runs `body` on a fresh thread that has joined the namespace. The thread ends with the call, so no thread
/// of ours is ever left in a pod's namespace, whatever `body` does. `body` returns a Result or Status and
/// must not throw. Errors: those of setns(2), then body's own.
template <class F>
auto in_netns(int netns_fd, F body) -> decltype(body()) {
  decltype(body()) out = fail(Code::kInternal, "the thread in the other network namespace did not run");
  HOLDFAST_CHECK(run_in_netns(netns_fd, [&] { out = body(); }));
  return out;
}

}  // namespace holdfast::nl
