#pragma once

#include <filesystem>
#include <vector>

#include "cni-flannel/inspect/daemon_report.h"
#include "cni-flannel/inspect/overlay_report.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/inspect/finding.h"

namespace holdfast::flannel {

/// What is to be said of the stored state, and whether it is what flanneld knows now. If not, what is wanted
/// of the kernel is not known from it.
struct StateFindings {
  std::vector<Finding> findings;
  bool current = true;
};

/// Looks at the folder (there, writable, room for one more state beside the old one; damaged files that were
/// set aside), at the file's age and whether it is ahead of the clock, and, where the nodes are told by files
/// that we see too, at whether each of them is in the store as it is told. Writes nothing to find out.
[[nodiscard]] StateFindings state_findings(Files& files, Clock& clock, const std::filesystem::path& state_dir,
                                           const OverlayReport& overlay, const DaemonReport& daemon);

}  // namespace holdfast::flannel
