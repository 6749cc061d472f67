#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/clock.h"
#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/netlink/link.h"
#include "common/netlink/route.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// What we hold of a pod's network namespace: everything is opened once, on a thread that goes in and ends,
/// and is used from outside afterwards.
struct PodNamespace {
  Fd netns;
  nl::Socket netlink;
  Fd packet_socket;  ///< for announcements
};
/// Errors: kInvalidArgument the path is no network namespace; kFailedPrecondition it is the caller's own and
/// `may_be_own` is off.
Result<PodNamespace> open_pod_namespace(const std::string& path, bool may_be_own = false);

/// What an interface inside a pod is to have.
struct PodInterface {
  std::vector<Cidr> addresses{};
  std::vector<nl::Route> routes{};  ///< ifindex is filled in here
  bool duplicate_detection =
      false;  ///< `enabledad`: IPv6 addresses are probed before use (RFC 4862, section 5.4)
};

/// Gives the link its addresses, brings it up and sets its routes, in one system call. IPv6 addresses are
/// usable at once unless duplicate detection is asked for; the address manager already answers for their
/// being unique.
Status configure_pod_interface(PodNamespace& pod, int ifindex, const std::string& ifname,
                               const PodInterface& wanted);

/// Waits until no IPv6 address of the link is tentative. Errors: kDeadlineExceeded, kAlreadyExists when
/// somebody else answered for one.
Status wait_for_duplicate_detection(PodNamespace& pod, int ifindex, Clock& clock,
                                    std::chrono::milliseconds patience);

}  // namespace holdfast::flannel
