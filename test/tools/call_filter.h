#pragma once

#include <linux/filter.h>

#include <vector>

namespace holdfast::test {

/// A seccomp(2) program by which only these system calls stop a traced program, at PTRACE_EVENT_SECCOMP; all
/// others run as if nobody watched. Of openat only those that create or truncate, of mmap only shared maps.
[[nodiscard]] std::vector<sock_filter> call_filter(const std::vector<long>& calls);

/// Puts it on the calling process and all that it will start. Async-signal-safe. False when the kernel
/// refuses.
bool put_call_filter(std::vector<sock_filter>& filter);

}  // namespace holdfast::test
