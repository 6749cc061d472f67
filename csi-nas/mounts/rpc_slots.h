#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/result.h"

namespace holdfast::nas {

/// Alibaba Cloud's advice for its NAS; the kernel's own is 2, from which a connection grows as it is used.
inline constexpr std::uint32_t kRpcSlots = 128;
inline constexpr std::uint32_t kMostRpcSlots = 65536;  ///< the kernel's limit

/// Lets each connection to a server that is made from now on have at least so many calls under way: raises
/// the kernel's tcp_slot_table_entries and tcp_max_slot_table_entries where they are lower, and lowers
/// neither. Errors: kFailedPrecondition when the kernel has no sunrpc; errno.
Status raise_rpc_slots(std::uint32_t slots, const std::filesystem::path& folder = "/proc/sys/sunrpc");

}  // namespace holdfast::nas
