#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/exec.h"
#include "common/base/flags.h"
#include "common/firewall/firewall.h"
#include "common/netlink/socket.h"

namespace holdfast::firewall {

/// Where a program's rules go to.
enum class BackEnd : std::uint8_t {
  kAuto,  ///< nftables where the kernel has it: there a drop counts whatever others accept
  kIptables,
  kNftables,
};

/// Takes auto, iptables or nftables.
[[nodiscard]] Flags::Set to_back_end(BackEnd& target);

/// A firewall, and its way to the kernel.
struct ChosenFirewall {
  std::unique_ptr<nl::Socket> socket;
  std::unique_ptr<Firewall> firewall;
};
/// In the calling thread's network namespace, for these sets; what an earlier start left of them with the
/// other back end is removed. `executor` outlives it. Errors: no netfilter socket, or what the other back end
/// would not let go.
[[nodiscard]] Result<ChosenFirewall> choose_firewall(BackEnd back_end, Executor& executor,
                                                     const std::vector<RuleSet>& sets);

}  // namespace holdfast::firewall
