#pragma once

#include <sched.h>

#include <stdexcept>
#include <string>

#include "common/base/fd.h"
#include "common/netlink/netns.h"
#include "common/netlink/socket.h"
#include "test/fakes/shell.h"

namespace holdfast::test {

/// A network namespace without a name: it is gone with the last descriptor, also when the test is killed.
inline Fd new_netns() {
  Fd made;
  const Fd here = nl::open_netns("/proc/thread-self/ns/net").value();
  const Status done = nl::run_in_netns(here.get(), [&] {
    if (::unshare(CLONE_NEWNET) == 0) made = nl::open_netns("/proc/thread-self/ns/net").value();
  });
  if (!done || !made.valid()) throw std::runtime_error("cannot make a network namespace; run as root");
  return made;
}

/// Puts the calling thread into a new network namespace until the end of the scope, programs it starts
/// included.
class FreshNetns {
 public:
  FreshNetns() : before_(nl::open_netns("/proc/thread-self/ns/net").value()), netns_(new_netns()) {
    if (::setns(netns_.get(), CLONE_NEWNET) != 0)
      throw std::runtime_error("cannot enter a network namespace");
  }
  FreshNetns(const FreshNetns&) = delete;
  FreshNetns& operator=(const FreshNetns&) = delete;
  ~FreshNetns() { static_cast<void>(::setns(before_.get(), CLONE_NEWNET)); }

  [[nodiscard]] int fd() const { return netns_.get(); }

 private:
  Fd before_;
  Fd netns_;
};

/// What a shell command prints in a namespace. Throws, which fails the case, when the command fails.
inline std::string output_in(int netns, const std::string& command) {
  std::string out;
  static_cast<void>(nl::run_in_netns(netns, [&] { out = output_of(command); }));
  return out;
}

/// The fixture of most cases: a namespace of its own and a socket in it.
struct RouteKernel {
  FreshNetns netns;
  nl::Socket socket = nl::Socket::open().value();
};

}  // namespace holdfast::test
