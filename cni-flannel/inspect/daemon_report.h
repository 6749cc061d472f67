#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cni-flannel/inspect/daemon_run.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/inspect/condition_page.h"
#include "common/inspect/finding.h"

namespace holdfast::flannel {

/// What the flanneld of this node says of itself.
struct DaemonReport {
  std::optional<DaemonRun> run = std::nullopt;  ///< unset: it does not run, and nothing more is known
  std::string silence = {};                     ///< why it could not be asked; empty: it was
  bool ready = false;
  std::vector<UnmetCondition> unmet = {};  ///< of daemon/conditions.h

  [[nodiscard]] bool told() const { return run && silence.empty(); }
  /// Whether `type` is told to be unmet.
  [[nodiscard]] bool lacks(std::string_view type) const;
};

/// Asks it for /readyz?verbose, where its flags tell that it is served, for a second at most.
[[nodiscard]] DaemonReport inspect_daemon(Clock& clock, std::optional<DaemonRun> run);

/// Whether the lease of this node is another flanneld's, of which only the plugin was exchanged: ours
/// answers, or has stored something here. What cannot be read counts as ours.
[[nodiscard]] bool is_of_another(Files& files, const DaemonReport& daemon,
                                 const std::filesystem::path& state_dir);

/// A finding for the program, and one for each unmet condition.
[[nodiscard]] std::vector<Finding> daemon_findings(const DaemonReport& daemon);

/// Ready, and with nothing that somebody has to mend; or it was not asked.
[[nodiscard]] bool is_well(const DaemonReport& daemon);

/// In one line: "ready", "ready, but StateStored: WHY", "not ready: DeviceRight: WHY", "does not run".
[[nodiscard]] std::string state_of(const DaemonReport& daemon);

}  // namespace holdfast::flannel
