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

class IptablesFirewall;

/// Where a program's rules go to.
enum class BackEnd : std::uint8_t {
  /// nftables where the kernel has it: there a drop counts whatever others accept. Not where an accept in it
  /// would not count: with sets that accept in kForward it is iptables where that drops by its policy.
  kAuto,
  kIptables,
  kNftables,
};

/// Takes auto, iptables or nftables.
[[nodiscard]] Flags::Set to_back_end(BackEnd& target);

/// A firewall, and its way to the kernel.
struct ChosenFirewall {
  std::unique_ptr<nl::Socket> socket;
  std::unique_ptr<Firewall> firewall;
  std::unique_ptr<Firewall> other;       ///< the back end that was not chosen
  IptablesFirewall* iptables = nullptr;  ///< which of the two it is

  [[nodiscard]] bool is_nftables() const;
};
/// In the calling thread's network namespace, for these sets. `executor` outlives it. Errors: no netfilter
/// socket.
[[nodiscard]] Result<ChosenFirewall> choose_firewall(BackEnd back_end, Executor& executor,
                                                     const std::vector<RuleSet>& sets);
/// Whether what the sets accept in kForward is let through: neither nftables nor one iptables undoes the DROP
/// that is the policy of an iptables' FORWARD, which Docker, ufw and hardened machines set at any time. For
/// sets without such an accept it runs nothing. Errors: kFailedPrecondition, which names the iptables and the
/// cure; those of asking it.
[[nodiscard]] Status check_forwarded(const ChosenFirewall& chosen, const std::vector<RuleSet>& sets);

struct Forwarded {
  Status done;              ///< as check_forwarded()
  bool is_another = false;  ///< `chosen` is another one from now on, with which nothing has been put
};
/// check_forwarded() of what was chosen a while ago, as the policy may be another one since. With
/// BackEnd::kAuto iptables takes the place of nftables where that makes it right. Runs a few programs.
[[nodiscard]] Forwarded see_forwarded(BackEnd back_end, Executor& executor, const std::vector<RuleSet>& sets,
                                      ChosenFirewall& chosen);

/// Removes what an earlier start left of these sets with the other back end, or the other iptables. To be
/// called when they stand with this one: in between nothing would refuse. Errors: what the other back end
/// would not let go.
[[nodiscard]] Status clean_others(const ChosenFirewall& chosen, const std::vector<RuleSet>& sets);

}  // namespace holdfast::firewall
