#include "test/tools/call_filter.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>

namespace holdfast::test {
namespace {

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kIfAnyBit = BPF_JMP | BPF_JSET | BPF_K;
constexpr sock_filter kTrace = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
constexpr sock_filter kAllow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

// The lower half: arguments stand there least significant byte first.
constexpr std::uint32_t offset_of_argument(std::size_t number) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + number * sizeof(std::uint64_t));
}

// The call stops when its argument has one of these bits, and else does not.
void add_by_bits(std::vector<sock_filter>& filter, long call, std::size_t argument, std::uint32_t bits) {
  const sock_filter rest[] = {
      BPF_JUMP(kIfEqual, static_cast<std::uint32_t>(call), 0, 4),
      BPF_STMT(kLoad, offset_of_argument(argument)),
      BPF_JUMP(kIfAnyBit, bits, 0, 1),
      kTrace,
      kAllow,
  };
  filter.insert(filter.end(), std::begin(rest), std::end(rest));
}

}  // namespace

std::vector<sock_filter> call_filter(const std::vector<long>& calls) {
  std::vector<sock_filter> filter{BPF_STMT(kLoad, offsetof(seccomp_data, nr))};
  for (const long call : calls) {
    if (call == SYS_openat) {
      add_by_bits(filter, call, 2, O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY));
    } else if (call == SYS_mmap) {
      add_by_bits(filter, call, 3, MAP_SHARED);
    } else {
      filter.push_back(BPF_JUMP(kIfEqual, static_cast<std::uint32_t>(call), 0, 1));
      filter.push_back(kTrace);
    }
  }
  filter.push_back(kAllow);
  return filter;
}

bool put_call_filter(std::vector<sock_filter>& filter) {
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return true;
  // Without privileges only for one that can not get any.
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace holdfast::test
