#pragma once

#include <vector>

#include "cni-flannel/inspect/daemon_run.h"
#include "cni-flannel/inspect/overlay_report.h"
#include "common/base/exec.h"
#include "common/base/files.h"
#include "common/inspect/finding.h"

namespace holdfast::flannel {

/// What the rules are held against.
struct RulesExpected {
  Options options;               ///< flanneld's: those of the one that runs, or else its defaults
  bool runs = false;             ///< one runs, and these are its options
  bool state_is_current = true;  ///< peers of the report are the peers
};

/// Whether masquerading, forwarding and the peers' guard stand as flanneld puts them, in iptables or nftables
/// as net-conf.json has it; and what others do to packets: a FORWARD policy that nftables cannot undo,
/// chains of nftables that drop what is forwarded, as firewalld's, rules of INPUT that drop the tunnels'
/// packets (iptables only). To know how the rules look when they are put, they are put in a network namespace
/// that is made for that.
[[nodiscard]] std::vector<Finding> rules_findings(Files& files, Executor& executor,
                                                  const OverlayReport& overlay,
                                                  const RulesExpected& expected);

}  // namespace holdfast::flannel
