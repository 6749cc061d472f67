#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

/// What locks of NFS version 3 need beside the kernel: rpc.statd, which tells servers that this machine was
/// started anew, and rpcbind, by which it is found. Source: statd(8), rpcbind(8); RFC 1833, "portmapper".
namespace holdfast::nas {

/// Where rpcbind listens, and the programs that are started when a service is not there: the first of each
/// that exists.
struct LockServices {
  std::uint16_t rpcbind_port = 111;
  std::vector<std::string> rpcbind = {"/usr/sbin/rpcbind", "/sbin/rpcbind", "/usr/bin/rpcbind"};
  std::vector<std::string> statd = {"/usr/sbin/rpc.statd", "/sbin/rpc.statd"};
};

/// Starts what does not run; what runs is left alone, whoever started it. The services go on when the caller
/// ends. Errors: kFailedPrecondition when a program is not there, or does not start, with the cure.
Status start_lock_services(const LockServices& services = {});

/// The question to rpcbind, which port of TCP rpc.statd has.
[[nodiscard]] std::string statd_port_call(std::uint32_t id);
/// nullopt: the bytes are no whole answer. 0: rpcbind does not know rpc.statd.
[[nodiscard]] std::optional<std::uint16_t> read_statd_port(std::string_view bytes, std::uint32_t id);

}  // namespace holdfast::nas
