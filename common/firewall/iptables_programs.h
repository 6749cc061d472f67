#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/exec.h"
#include "common/base/result.h"
#include "common/firewall/iptables_save.h"

namespace holdfast::firewall {

/// The programs of one iptables, run in the namespace of the calling thread:
///
///     iptables-save           iptables-restore           what this machine calls iptables: one of the two below
///     iptables-nft-save       iptables-nft-restore       keeps its rules in nf_tables
///     iptables-legacy-save    iptables-legacy-restore    in x_tables
///
/// and the same of ip6tables. A packet meets the rules of both, and neither shows the other's.
/// Errors of a run: kNotFound when the program is not installed, kUnavailable when another holds the lock for
/// 5 s, kInternal with the program's words, kDeadlineExceeded after 10 s, kResourceExhausted beyond 64 MiB.
class IptablesPrograms {
 public:
  /// `variant`: "", "-nft" or "-legacy". `executor` outlives it.
  explicit IptablesPrograms(Executor& executor, std::string variant = {})
      : executor_(&executor), variant_(std::move(variant)) {}

  /// What a user of theirs calls: "iptables", "ip6tables-legacy".
  [[nodiscard]] std::string name(IpFamily family) const;
  [[nodiscard]] bool is_installed(IpFamily family) const { return !path_of(family, "-restore").empty(); }
  /// Whether these are the same programs as `other`'s, perhaps by another name. None are nobody's.
  [[nodiscard]] bool are_those_of(const IptablesPrograms& other, IpFamily family) const;

  /// The tables of these names; one that the kernel does not have is absent. Legacy's makes each of them.
  Result<SavedTables> save(IpFamily family, const std::vector<std::string_view>& tables,
                           bool with_counts = false) const;
  /// Those that there are; makes none.
  Result<SavedTables> save_all(IpFamily family) const;
  /// The table of this name; an empty one where it is not there. Makes none.
  Result<SavedTable> look_at(IpFamily family, std::string_view table) const;
  /// Does as `text` says, which iptables-restore(8) understands; what it does not name stays.
  Status restore(IpFamily family, const std::string& text) const;

 private:
  [[nodiscard]] std::string path_of(IpFamily family, std::string_view suffix) const;
  Result<std::string> run(IpFamily family, std::string_view suffix, std::vector<std::string> arguments,
                          std::string input) const;

  Executor* executor_;
  std::string variant_;
};

/// Those among whose rules ours belong: where kubelet's chains are, which kube-proxy goes by too, so that a
/// container's rules land where its node's are, whatever `iptables` is in the image. Where kubelet has none,
/// as in a pod's own namespace: what is called iptables, or the other where the kernel does not take that. A
/// few runs of programs. Errors: a program that does not end. Source: KUBE-IPTABLES-HINT and
/// KUBE-KUBELET-CANARY in mangle, https://github.com/kubernetes-sigs/iptables-wrappers
Result<IptablesPrograms> find_iptables(Executor& executor);

/// Both kinds that are installed, without those that `chosen` is.
[[nodiscard]] std::vector<IptablesPrograms> other_iptables(Executor& executor, const IptablesPrograms& chosen,
                                                           IpFamily family);

}  // namespace holdfast::firewall
