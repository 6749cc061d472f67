#pragma once

#include <filesystem>
#include <optional>

#include "cni-flannel/daemon/options.h"

namespace holdfast::flannel {

/// The flanneld of this network namespace.
struct DaemonRun {
  int pid = 0;
  /// What it was told at its start; unset when that cannot be read, or it belongs to another user: anybody
  /// can call a program flanneld.
  std::optional<Options> options = std::nullopt;
  bool same_files = false;  ///< it sees the files that we see: paths mean the same
  /// Where its files begin for us: a container's are below /proc/PID/root. Empty with same_files.
  std::filesystem::path root{};
};

/// nullopt when none runs. By /proc: the command line, and the environment as far as it counts there.
[[nodiscard]] std::optional<DaemonRun> find_daemon_run(const std::filesystem::path& proc = "/proc");

}  // namespace holdfast::flannel
