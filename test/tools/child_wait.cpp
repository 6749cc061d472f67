#include "test/tools/child_wait.h"

#include <sys/wait.h>

#include <cerrno>

namespace holdfast::test {
namespace {

sigset_t only_sigchld() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return set;
}

}  // namespace

SigchldBlock::SigchldBlock() {
  const sigset_t child = only_sigchld();
  ::pthread_sigmask(SIG_BLOCK, &child, &before_);
}

SigchldBlock::~SigchldBlock() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Result<std::optional<ChildChange>> wait_child(int flags, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    ChildChange change;
    change.pid = ::wait4(-1, &change.status, flags | WNOHANG, &change.usage);
    if (change.pid > 0) return std::optional(change);
    if (change.pid < 0 && errno == ECHILD) return std::optional<ChildChange>();
    if (change.pid < 0) return fail_errno(errno, "wait for a child");
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return fail(Code::kDeadlineExceeded, "a child still runs");
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec patience = {seconds.count(), (left - seconds).count()};
    const sigset_t child = only_sigchld();
    ::sigtimedwait(&child, nullptr, &patience);
  }
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace holdfast::test
