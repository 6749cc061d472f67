// Preloaded into User Mode Linux by guest.sh: lets it run on processors whose register state is larger than
// it knows (AMX). UML 6.1 hands the host 2,696 bytes of a thread's extended state; a host with more state
// than that takes all of it or nothing (EFAULT), and the guest's first program dies of "ptrace set fp regs
// failed". What UML leaves out stays here as the thread has it.
#include <dlfcn.h>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using Ptrace = decltype(&::ptrace);

constexpr std::size_t kMostState = std::size_t{64} << 10;

Ptrace real_ptrace() {
  static const auto found = reinterpret_cast<Ptrace>(::dlsym(RTLD_NEXT, "ptrace"));
  return found;
}

// Sets the first bytes of a thread's state, and the others as they are.
long set_beginning(pid_t thread, void* kind, const iovec& beginning) {
  static thread_local std::array<std::byte, kMostState> state;
  iovec whole{.iov_base = state.data(), .iov_len = state.size()};
  const long read = real_ptrace()(PTRACE_GETREGSET, thread, kind, &whole);
  if (read != 0) return read;
  std::memcpy(state.data(), beginning.iov_base, std::min(beginning.iov_len, whole.iov_len));
  return real_ptrace()(PTRACE_SETREGSET, thread, kind, &whole);
}

}  // namespace

extern "C" long ptrace(__ptrace_request request, ...) noexcept {
  va_list words{};
  va_start(words, request);
  const auto thread = va_arg(words, pid_t);
  void* const address = va_arg(words, void*);
  void* const data = va_arg(words, void*);
  va_end(words);
  const long done = real_ptrace()(request, thread, address, data);
  const bool too_short = done == -1 && errno == EFAULT && request == PTRACE_SETREGSET &&
                         reinterpret_cast<std::uintptr_t>(address) == NT_X86_XSTATE;
  return too_short ? set_beginning(thread, address, *static_cast<const iovec*>(data)) : done;
}
