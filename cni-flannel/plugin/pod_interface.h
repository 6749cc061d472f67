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

/// What we hold of a pod's network namespace: opened in one visit, used from outside afterwards.
struct PodNamespace {
  Fd netns;
  nl::Socket netlink;
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

/// Tells the neighbours of `link`, a configured interface whose way to them is open by now, where its
/// addresses are: gratuitous ARP (RFC 5227, section 3) and unsolicited neighbour advertisements (RFC 4861,
/// section 7.2.6). The kernel sends them; a packet(7) socket of our own would cost 10 ms and more, because
/// closing one waits for a grace period.
Status announce(PodNamespace& pod, const nl::Link& link);

/// Waits until no IPv6 address of the link is tentative. Errors: kDeadlineExceeded, kAlreadyExists when
/// somebody else answered for one.
Status wait_for_duplicate_detection(PodNamespace& pod, int ifindex, Clock& clock,
                                    std::chrono::milliseconds patience);

}  // namespace holdfast::flannel
