// Preloaded into User Mode Linux by guest.sh: lets it run on processors whose register state is larger than
// it knows (AMX). UML 6.1 hands the host 2,696 bytes of a thread's extended state; a host with more state
// than that takes all of it or nothing (EFAULT), and the guest's first program dies of "ptrace set fp regs
// failed". It makes these calls from one thread.
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

// How much the host has of any thread; 0: as much as UML hands over, or nobody asked.
std::size_t whole_size = 0;

// Not on the stack: the guest's kernel gives its threads 16 KiB of that.
std::array<std::byte, kMostState> state{};

void ask_size(pid_t thread, void* kind) {
  iovec whole{.iov_base = state.data(), .iov_len = state.size()};
  if (real_ptrace()(PTRACE_GETREGSET, thread, kind, &whole) == 0) whole_size = whole.iov_len;
  state.fill(std::byte{0});
}

// Sets the first bytes of a thread's state, and nothing for the others: registers that no program of a guest
// is let use.
long set_beginning(pid_t thread, void* kind, const iovec& beginning) {
  iovec whole{.iov_base = state.data(), .iov_len = whole_size};
  std::memcpy(state.data(), beginning.iov_base, std::min(beginning.iov_len, whole_size));
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
  const bool sets_state =
      request == PTRACE_SETREGSET && reinterpret_cast<std::uintptr_t>(address) == NT_X86_XSTATE;
  if (sets_state && whole_size > 0) return set_beginning(thread, address, *static_cast<const iovec*>(data));
  const long done = real_ptrace()(request, thread, address, data);
  if (!sets_state || done != -1 || errno != EFAULT) return done;
  ask_size(thread, address);
  return whole_size > 0 ? set_beginning(thread, address, *static_cast<const iovec*>(data)) : -1;
}
