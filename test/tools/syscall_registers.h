#pragma once

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "common/base/result.h"

namespace holdfast::test {

/// A system call as a stopped thread's registers show it. `result` means something at the exit stop only;
/// negative is -errno. Only 64-bit programs of the tracer's own architecture. Source: syscall(2),
/// "Architecture calling conventions".
struct SyscallRegisters {
  long number = -1;
  std::array<std::uint64_t, 6> args{};
  std::int64_t result = 0;
};

inline Result<SyscallRegisters> read_syscall_registers(pid_t thread) {
  user_regs_struct regs{};
#if defined(__x86_64__)
  // Not PTRACE_GETREGSET: User Mode Linux has only this one.
  if (::ptrace(PTRACE_GETREGS, thread, nullptr, &regs) != 0) return fail_errno(errno, "read registers");
  return SyscallRegisters{static_cast<long>(regs.orig_rax),
                          {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9},
                          static_cast<std::int64_t>(regs.rax)};
#elif defined(__aarch64__)
  iovec area = {&regs, sizeof regs};
  if (::ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &area) != 0) return fail_errno(errno, "read registers");
  return SyscallRegisters{
      static_cast<long>(regs.regs[8]),
      {regs.regs[0], regs.regs[1], regs.regs[2], regs.regs[3], regs.regs[4], regs.regs[5]},
      static_cast<std::int64_t>(regs.regs[0])};
#else
#error "syscall numbers and arguments are known for x86_64 and arm64 only"
#endif
}

}  // namespace holdfast::test
