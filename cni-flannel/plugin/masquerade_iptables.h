#pragma once

#include <span>
#include <string>

#include "cni-flannel/plugin/rule_owner.h"
#include "common/base/cidr.h"
#include "common/base/exec.h"
#include "common/base/result.h"

/// The same as masquerade.h by iptables(8) and ip6tables(8), for `ipMasqBackend: iptables` and for what
/// upstream's plugins made, whose default it is. Works on the calling thread's namespace, table nat:
///
///     CNI-<24 hexadecimal digits>             SHA-512(network + container id)
///       -d SUBNET -j ACCEPT
///       ! -d 224.0.0.0/4 -j MASQUERADE        ff00::/8 in IPv6
///     POSTROUTING
///       -s ADDRESS -j CNI-..
///
/// Every rule carries the comment  name: "<network>" id: "<container id>".  The interface's name does not
/// count: two interfaces of one container on one network share the chain.
///
/// Each call runs several programs of about 3 ms. Errors: kNotFound when iptables is not installed; the
/// program's own words, kUnavailable when its lock is held for 5 s; kDeadlineExceeded.
namespace holdfast::flannel {

Status put_masquerade_iptables(Executor& executor, const RuleOwner& owner, std::span<const Cidr> addresses);
/// Needs no addresses: the jumps tell them. Nothing there, and no iptables on the machine, succeed.
Status drop_masquerade_iptables(Executor& executor, const RuleOwner& owner);
/// Whether the jump of every address and what it leads to are there.
Result<bool> has_masquerade_iptables(Executor& executor, const RuleOwner& owner,
                                     std::span<const Cidr> addresses);

/// The name of an owner's chain.
[[nodiscard]] std::string masquerade_chain(const RuleOwner& owner);

}  // namespace holdfast::flannel
