#include "test/tools/change_points.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "test/tools/change_ioctls.h"
#include "test/tools/traced_process.h"

namespace holdfast::test {
namespace {

/// How the target of a call is named from its arguments.
enum class Shape : std::uint8_t {
  kPath,        ///< args[0] path
  kTwoPaths,    ///< args[0] path, args[1] path
  kAtPath,      ///< args[0] folder, args[1] path
  kTwoAtPaths,  ///< args[0] folder, args[1] path, args[2] folder, args[3] path
  kPathAtPath,  ///< args[0] path, args[1] folder, args[2] path (symlinkat)
  kMadeAtPath,  ///< kAtPath with flags in args[2]; a change when the flags create or truncate
  kFile,        ///< args[0] descriptor of a regular file, a block device or another process's end
  kAnyFile,     ///< args[0] descriptor of a regular file, a block device or a folder
  kMappedFile,  ///< mmap: args[4] descriptor; a change when shared and writable
  kNetlink,     ///< args[0] descriptor of a netlink socket; a change when a message is no lookup
  kIoctl,       ///< args[1] request
  kSockopt,     ///< args[1] level, args[2] option
  kConfig,      ///< fsconfig: a change when args[1] makes or alters a file system's instance
  kAsync,       ///< io_submit: args[1] requests at args[2]; a change when one of them writes
  kAll,         ///< of the whole system
  kUnseen,      ///< can not be followed
};

struct Traced {
  long number;
  const char* name;
  Shape shape;
};

constexpr Traced kTraced[] = {
#ifdef SYS_open
    {SYS_mkdir, "mkdir", Shape::kPath},
    {SYS_rmdir, "rmdir", Shape::kPath},
    {SYS_unlink, "unlink", Shape::kPath},
    {SYS_creat, "creat", Shape::kPath},
    {SYS_mknod, "mknod", Shape::kPath},
    {SYS_chmod, "chmod", Shape::kPath},
    {SYS_chown, "chown", Shape::kPath},
    {SYS_lchown, "lchown", Shape::kPath},
    {SYS_rename, "rename", Shape::kTwoPaths},
    {SYS_link, "link", Shape::kTwoPaths},
    {SYS_symlink, "symlink", Shape::kTwoPaths},
#endif
    {SYS_openat, "openat", Shape::kMadeAtPath},
    {SYS_mkdirat, "mkdirat", Shape::kAtPath},
    {SYS_unlinkat, "unlinkat", Shape::kAtPath},
    {SYS_mknodat, "mknodat", Shape::kAtPath},
    {SYS_fchmodat, "fchmodat", Shape::kAtPath},
    {SYS_fchownat, "fchownat", Shape::kAtPath},
    {SYS_utimensat, "utimensat", Shape::kAtPath},
    {SYS_symlinkat, "symlinkat", Shape::kPathAtPath},
    {SYS_renameat, "renameat", Shape::kTwoAtPaths},
    {SYS_renameat2, "renameat2", Shape::kTwoAtPaths},
    {SYS_linkat, "linkat", Shape::kTwoAtPaths},
    {SYS_truncate, "truncate", Shape::kPath},
    {SYS_setxattr, "setxattr", Shape::kPath},
    {SYS_lsetxattr, "lsetxattr", Shape::kPath},
    {SYS_mount, "mount", Shape::kTwoPaths},
    {SYS_umount2, "umount2", Shape::kPath},
    {SYS_fsconfig, "fsconfig", Shape::kConfig},
    {SYS_move_mount, "move_mount", Shape::kTwoAtPaths},
    {SYS_mount_setattr, "mount_setattr", Shape::kAtPath},
    {SYS_write, "write", Shape::kFile},
    {SYS_pwrite64, "pwrite64", Shape::kFile},
    {SYS_pwritev, "pwritev", Shape::kFile},
    {SYS_pwritev2, "pwritev2", Shape::kFile},
    {SYS_writev, "writev", Shape::kFile},
    {SYS_sendfile, "sendfile", Shape::kFile},
    {SYS_ftruncate, "ftruncate", Shape::kFile},
    {SYS_fallocate, "fallocate", Shape::kFile},
    {SYS_fsync, "fsync", Shape::kAnyFile},
    {SYS_fdatasync, "fdatasync", Shape::kAnyFile},
    {SYS_syncfs, "syncfs", Shape::kAnyFile},
    {SYS_sync_file_range, "sync_file_range", Shape::kAnyFile},
    {SYS_fchmod, "fchmod", Shape::kAnyFile},
    {SYS_fchown, "fchown", Shape::kAnyFile},
    {SYS_fsetxattr, "fsetxattr", Shape::kAnyFile},
    {SYS_mmap, "mmap", Shape::kMappedFile},
    {SYS_sendto, "sendto", Shape::kNetlink},
    {SYS_sendmsg, "sendmsg", Shape::kNetlink},
    {SYS_ioctl, "ioctl", Shape::kIoctl},
    {SYS_setsockopt, "setsockopt", Shape::kSockopt},
    {SYS_sync, "sync", Shape::kAll},
    {SYS_io_submit, "io_submit", Shape::kAsync},
    {SYS_io_uring_enter, "io_uring_enter", Shape::kUnseen},
};

constexpr std::size_t kMaxMessageBytes = 1U << 20;

// ---- netlink ----

/// Everything sendto(2), write(2), writev(2) or sendmsg(2) would send.
std::string outgoing(pid_t thread, const SyscallRegisters& regs) {
  if (regs.number == SYS_sendto || regs.number == SYS_write) {
    return read_memory(thread, regs.args[1], std::min<std::size_t>(regs.args[2], kMaxMessageBytes));
  }
  std::uint64_t array = regs.args[1];
  std::size_t pieces = regs.args[2];
  if (regs.number == SYS_sendmsg) {
    const auto header = read_value<msghdr>(thread, regs.args[1]);
    array = reinterpret_cast<std::uint64_t>(header.msg_iov);  // an address in the other process
    pieces = header.msg_iovlen;
  }
  std::string bytes;
  for (std::size_t i = 0; i < pieces && bytes.size() < kMaxMessageBytes; ++i) {
    const auto piece = read_value<iovec>(thread, array + i * sizeof(iovec));
    bytes += read_memory(thread, reinterpret_cast<std::uint64_t>(piece.iov_base),
                         std::min(piece.iov_len, kMaxMessageBytes));
  }
  return bytes;
}

std::vector<std::uint16_t> message_types(const std::string& bytes) {
  std::vector<std::uint16_t> types;
  for (std::size_t at = 0; at + sizeof(nlmsghdr) <= bytes.size();) {
    nlmsghdr header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    if (header.nlmsg_len < sizeof header) break;
    types.push_back(header.nlmsg_type);
    at += NLMSG_ALIGN(header.nlmsg_len);
  }
  return types;
}

/// RTM_NEW*, RTM_DEL* and RTM_SET* change; RTM_GET* is third of each group of four. Source:
/// linux/rtnetlink.h.
bool is_route_change(std::uint16_t type) { return type >= RTM_BASE && (type - RTM_BASE) % 4 != 2; }

/// Of the other families: batches, and whatever is not a plain lookup, count as changes.
bool is_other_change(std::uint16_t type) {
  constexpr std::uint16_t kNftGets[] = {1,  4,  7,  10,
                                        13, 16, 19, 23};  // NFT_MSG_GET*, linux/netfilter/nf_tables.h
  if (type == GENL_ID_CTRL || (type >= NLMSG_NOOP && type < NLMSG_MIN_TYPE)) return false;
  if ((type >> 8) != NFNL_SUBSYS_NFTABLES) return true;
  return std::find(std::begin(kNftGets), std::end(kNftGets), type & 0xff) == std::end(kNftGets);
}

std::string route_type_name(std::uint16_t type) {
  constexpr struct {
    std::uint16_t type;
    const char* name;
  } kNames[] = {
      {RTM_NEWLINK, "RTM_NEWLINK"},   {RTM_DELLINK, "RTM_DELLINK"},   {RTM_SETLINK, "RTM_SETLINK"},
      {RTM_NEWADDR, "RTM_NEWADDR"},   {RTM_DELADDR, "RTM_DELADDR"},   {RTM_NEWROUTE, "RTM_NEWROUTE"},
      {RTM_DELROUTE, "RTM_DELROUTE"}, {RTM_NEWNEIGH, "RTM_NEWNEIGH"}, {RTM_DELNEIGH, "RTM_DELNEIGH"}};
  for (const auto& entry : kNames) {
    if (entry.type == type) return entry.name;
  }
  return "type " + std::to_string(type);
}

// ---- ioctl and setsockopt ----

bool is_changing_ioctl(pid_t thread, const SyscallRegisters& regs) {
  if (is_changing_request(regs.args[1])) return true;
  if (regs.args[1] != SIOCETHTOOL) return false;
  const auto request = read_value<ifreq>(thread, regs.args[2]);
  const auto command = read_value<std::uint32_t>(thread, reinterpret_cast<std::uint64_t>(request.ifr_data));
  return command == ETHTOOL_STXCSUM || command == ETHTOOL_SRXCSUM || command == ETHTOOL_SFEATURES ||
         command == ETHTOOL_STSO || command == ETHTOOL_SGSO;
}

/// IPT_SO_SET_REPLACE and IPT_SO_SET_ADD_COUNTERS, and their IPv6 twins of equal number.
bool is_changing_sockopt(const SyscallRegisters& regs) {
  constexpr std::uint64_t kIptablesReplace = 64;
  constexpr std::uint64_t kIptablesAddCounters = 65;
  const bool ip = regs.args[1] == SOL_IP || regs.args[1] == SOL_IPV6;
  return ip && (regs.args[2] == kIptablesReplace || regs.args[2] == kIptablesAddCounters);
}

bool creates(std::uint64_t flags) {
  return (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

bool maps_to_change(const SyscallRegisters& regs) {
  return (regs.args[2] & PROT_WRITE) != 0 && (regs.args[3] & MAP_TYPE) == MAP_SHARED;
}

/// A created device or pipe end ("> /dev/null") is no change.
bool is_device(const std::string& path) { return path.rfind("/dev/", 0) == 0; }

std::optional<std::string> file_target(pid_t thread, std::uint64_t fd, bool folder_too) {
  if (!is_lasting_file(thread, fd, folder_too)) return std::nullopt;
  return read_link(fd_path(thread, fd));
}

/// A file system's instance is made, or changed, by these; everything before them only prepares.
bool is_changing_config(std::uint64_t command) {
  return command == FSCONFIG_CMD_CREATE || command == FSCONFIG_CMD_RECONFIGURE;
}

/// What the first of the requests writes to; nullopt when all of them only read.
std::optional<std::string> async_target(pid_t thread, const SyscallRegisters& regs) {
  for (std::uint64_t i = 0; i < regs.args[1]; ++i) {
    const auto address = read_value<std::uint64_t>(thread, regs.args[2] + i * sizeof(std::uint64_t));
    const auto request = read_value<iocb>(thread, address);
    if (request.aio_lio_opcode != IOCB_CMD_PREAD && request.aio_lio_opcode != IOCB_CMD_PREADV) {
      return file_target(thread, request.aio_fildes, /*folder_too=*/false);
    }
  }
  return std::nullopt;
}

/// The target of a call that names it by path or descriptor; nullopt when it changes nothing.
std::optional<std::string> target_of(pid_t thread, const SyscallRegisters& regs, Shape shape) {
  const auto& args = regs.args;
  switch (shape) {
    case Shape::kPath:
      return plain_path(thread, args[0]);
    case Shape::kTwoPaths:
      return plain_path(thread, args[0]) + " -> " + plain_path(thread, args[1]);
    case Shape::kAtPath:
      return path_at(thread, args[0], args[1]);
    case Shape::kTwoAtPaths:
      return path_at(thread, args[0], args[1]) + " -> " + path_at(thread, args[2], args[3]);
    case Shape::kPathAtPath:
      return read_text(thread, args[0]) + " -> " + path_at(thread, args[1], args[2]);
    case Shape::kMadeAtPath: {
      if (!creates(args[2])) return std::nullopt;
      std::string path = path_at(thread, args[0], args[1]);
      return is_device(path) ? std::nullopt : std::optional(std::move(path));
    }
    case Shape::kFile:
      return file_target(thread, args[0], /*folder_too=*/false);
    case Shape::kAnyFile:
      return file_target(thread, args[0], /*folder_too=*/true);
    case Shape::kMappedFile:
      return maps_to_change(regs) ? file_target(thread, args[4], /*folder_too=*/false) : std::nullopt;
    case Shape::kIoctl:
      return is_changing_ioctl(thread, regs) ? std::optional("request " + std::to_string(args[1]))
                                             : std::nullopt;
    case Shape::kSockopt:
      return is_changing_sockopt(regs) ? std::optional<std::string>("iptables") : std::nullopt;
    case Shape::kConfig:
      return is_changing_config(args[1]) ? std::optional(read_link(fd_path(thread, args[0]))) : std::nullopt;
    case Shape::kAsync:
      return async_target(thread, regs);
    case Shape::kAll:
      return "everything";
    case Shape::kNetlink:
    case Shape::kUnseen:
      break;
  }
  return std::nullopt;
}

/// Both ends that socketpair(2) has made.
std::array<std::string, 2> pair_made(pid_t thread, const SyscallRegisters& entry) {
  const auto ends = read_value<std::array<int, 2>>(thread, entry.args[3]);
  return {read_link(fd_path(thread, static_cast<std::uint64_t>(ends[0]))),
          read_link(fd_path(thread, static_cast<std::uint64_t>(ends[1])))};
}

}  // namespace

std::optional<std::string> ChangeSpotter::message_change(pid_t thread, const SyscallRegisters& regs) const {
  const std::string socket = read_link(fd_path(thread, regs.args[0]));
  if (pair_sockets_.contains(socket)) return "message";
  const bool route = route_sockets_.contains(socket);
  if (!route && !netlink_sockets_.contains(socket)) return std::nullopt;
  for (const std::uint16_t type : message_types(outgoing(thread, regs))) {
    if (route && is_route_change(type)) return "route: " + route_type_name(type);
    if (!route && is_other_change(type)) return "netlink: type " + std::to_string(type);
  }
  return std::nullopt;
}

std::vector<long> calls_to_look_at() {
  std::vector<long> numbers{SYS_socket, SYS_socketpair, SYS_execve, SYS_execveat};
  for (const Traced& each : kTraced) numbers.push_back(each.number);
  return numbers;
}

std::optional<ChangePoint> exec_point(pid_t thread, const SyscallRegisters& regs) {
  if (regs.number == SYS_execve) return ChangePoint{thread, "execve", plain_path(thread, regs.args[0])};
  if (regs.number != SYS_execveat) return std::nullopt;
  return ChangePoint{thread, "execveat", path_at(thread, regs.args[0], regs.args[1])};
}

Result<std::optional<ChangePoint>> ChangeSpotter::at_entry(pid_t thread, const SyscallRegisters& regs) {
  const auto* const traced = std::find_if(std::begin(kTraced), std::end(kTraced),
                                          [&](const Traced& one) { return one.number == regs.number; });
  if (traced == std::end(kTraced)) return std::optional<ChangePoint>();
  if (traced->shape == Shape::kUnseen) {
    return fail(Code::kUnimplemented, std::string(traced->name) + ": its operations can not be traced");
  }
  std::optional<std::string> target = target_of(thread, regs, traced->shape);
  const bool may_be_message = traced->shape == Shape::kNetlink || traced->shape == Shape::kFile;
  if (!target && may_be_message) target = message_change(thread, regs);
  if (!target) return std::optional<ChangePoint>();
  return std::optional(ChangePoint{thread, traced->name, std::move(*target)});
}

void ChangeSpotter::at_exit(pid_t thread, const SyscallRegisters& entry, std::int64_t result) {
  if (entry.number == SYS_socketpair && result == 0) {
    for (std::string& end : pair_made(thread, entry)) pair_sockets_.insert(std::move(end));
  }
  if (entry.number != SYS_socket || entry.args[0] != AF_NETLINK || result < 0) return;
  const std::string socket = read_link(fd_path(thread, static_cast<std::uint64_t>(result)));
  (entry.args[2] == NETLINK_ROUTE ? route_sockets_ : netlink_sockets_).insert(socket);
}

}  // namespace holdfast::test
