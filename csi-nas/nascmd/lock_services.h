#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

/// What locks of NFS version 3 need beside the kernel: rpc.statd, which hears of servers that were started
/// anew, sm-notify, which tells servers that this machine was, and rpcbind, by which rpc.statd is found.
///
///     /var/lib/nfs/sm, sm.bak, state   who is to be told; of rpc.statd and sm-notify
///     /var/lib/nfs/holdfast-boot       the boot in which they were told
///
/// In a container the folder is the machine's. sm-notify's own mark of a boot is in /run, which is the
/// container's; a second notice within one boot would make servers drop the locks that applications have.
/// Source: statd(8), sm-notify(8), rpcbind(8); RFC 1833, "portmapper".
namespace holdfast::nas {

/// Where rpcbind listens, and the programs that are started when a service is not there: the first of each
/// that exists.
struct LockServices {
  std::uint16_t rpcbind_port = 111;
  std::vector<std::string> rpcbind = {"/usr/sbin/rpcbind", "/sbin/rpcbind", "/usr/bin/rpcbind"};
  std::vector<std::string> statd = {"/usr/sbin/rpc.statd", "/sbin/rpc.statd"};
  std::vector<std::string> notify = {"/usr/sbin/sm-notify", "/sbin/sm-notify"};
  std::filesystem::path state = "/var/lib/nfs";
};

/// What start_lock_services() does before it starts rpc.statd: its folders are made, and servers are told
/// once a boot that this machine was started anew. Errors: likewise.
Status prepare_statd(const LockServices& services);

/// Starts what does not run; what runs is left alone, whoever started it. The services go on when the caller
/// ends. rpc.statd gets the port 662, and the kernel's lockd 4045, where neither is told another.
/// Errors: kFailedPrecondition when a program is not there, or does not start, with the cure; those of the
/// folder.
Status start_lock_services(const LockServices& services = {});

/// The question to rpcbind, which port of TCP rpc.statd has.
[[nodiscard]] std::string statd_port_call(std::uint32_t id);
/// nullopt: the bytes are no whole answer. 0: rpcbind does not know rpc.statd.
[[nodiscard]] std::optional<std::uint16_t> read_statd_port(std::string_view bytes, std::uint32_t id);

}  // namespace holdfast::nas
