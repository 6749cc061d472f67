#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "test/tools/cni_node.h"
#include "test/tools/syscall_trace.h"

namespace holdfast::test {

/// One call of the plugin: a verb for sandbox number `sandbox` of pod `pod`. The verb "REBOOT" calls nothing:
/// every namespace and everything in /run is gone.
struct Step {
  std::string verb;
  std::string pod;
  int sandbox = 0;
};

/// A node's life up to the call that is cut short.
struct Scenario {
  std::string name;
  std::vector<Step> before;  ///< all succeed
  Step cut;
  std::vector<Step> after = {};  ///< what the runtime cleans up at last
};

/// How a runtime goes on after the cut: both ways end with sandbox 2 of the pod running and sandbox 1
/// deleted.
enum class Recovery : std::uint8_t {
  kDeleteFirst,  ///< DEL of the old sandbox, then ADD of the new one
  kDeleteLate,   ///< ADD of the new sandbox while the old one's remains are there, then its DEL
};

struct Trial {
  PluginSetup setup;
  bool sticky = true;  ///< the plugin promises a known pod its address
  Scenario scenario;
  std::optional<KillAt> kill_at = std::nullopt;  ///< unset: nothing is cut
  Recovery recovery = Recovery::kDeleteFirst;
};

struct TrialEnd {
  std::vector<std::string> points;  ///< of the cut call, up to the kill, "renameat2 /a -> /b"
  bool killed = false;
  std::vector<std::string> wrong;  ///< what was found amiss afterwards; empty when all is well
  /// Names of all files of the plugin's state at the end, addresses and sandboxes made anonymous.
  std::vector<std::string> files;
  std::size_t rule_lines = 0;  ///< of `nft list ruleset`
};

/// Lives through the scenario in a host of its own, which is gone when the call returns; state is kept in
/// memory (a killed process loses nothing that it wrote). Needs root.
Result<TrialEnd> run_trial(const Trial& trial);

}  // namespace holdfast::test
