#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "test/tools/syscall_registers.h"

namespace holdfast::test {

/// One system call that changes something which outlives the process, or makes a change durable.
struct ChangePoint {
  pid_t thread = 0;
  std::string call;    ///< "renameat2"
  std::string target;  ///< files by name, netlink messages by type: "/a -> /b", "route: RTM_DELLINK"
};

/// The numbers of all system calls that may be change points, that start programs, or by which ChangeSpotter
/// learns what a descriptor is: no other call needs to be looked at.
[[nodiscard]] std::vector<long> calls_to_look_at();

/// The start of another program, as a change point; nullopt for any other call.
[[nodiscard]] std::optional<ChangePoint> exec_point(pid_t thread, const SyscallRegisters& regs);

/// Tells which system calls are change points: creating opens, writes to regular files (and so to /proc/sys)
/// and block devices, renames, links, removals, sizes, modes, syncs, mounts, netlink requests that are not
/// lookups, device ioctls, legacy iptables, and messages over socket pairs, by which a program lets another
/// one change something. Reads the stopped thread's memory and descriptors under /proc.
class ChangeSpotter {
 public:
  /// At the entry stop. nullopt when the call changes nothing.
  /// Errors: kUnimplemented for io_uring, whose operations no tracer sees.
  Result<std::optional<ChangePoint>> at_entry(pid_t thread, const SyscallRegisters& regs);
  /// At the exit stop: learns which descriptors are socket pairs or netlink sockets, and of which family.
  void at_exit(pid_t thread, const SyscallRegisters& entry, std::int64_t result);

 private:
  /// "socket:[INODE]" of route and of all other netlink sockets seen so far.
  std::set<std::string> route_sockets_;
  std::set<std::string> netlink_sockets_;
  std::set<std::string> pair_sockets_;

  /// Of a socket: a change of netlink's, or a message to another process.
  [[nodiscard]] std::optional<std::string> message_change(pid_t thread, const SyscallRegisters& regs) const;
};

}  // namespace holdfast::test
