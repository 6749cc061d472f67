#pragma once

#include "common/base/result.h"
#include "common/netlink/socket.h"

namespace holdfast::flannel {

/// Deletes link `index` of the calling thread's network namespace, and returns when the kernel has announced
/// it gone: both ends of a veth pair are unlisted then and their names are free. The kernel answers the
/// request itself only after grace periods, 15 to 30 ms later, which guard nothing but its own memory; a
/// child process with no descriptors of ours sleeps through them and outlives the caller. Where no child can
/// do it, the link is deleted here, and waited for.
///
/// `host` is a socket of that namespace. Only for a process of one thread that ends soon: it does not reap
/// the child. A link that is not there is gone. Errors: the kernel's; kDeadlineExceeded when the link is
/// still there after 5 s. Source: net/core/dev.c, netdev_run_todo().
Status remove_link(nl::Socket& host, int index);

}  // namespace holdfast::flannel
