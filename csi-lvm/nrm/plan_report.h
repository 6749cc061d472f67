#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/files.h"

namespace holdfast::nrm {

/// Where the manager keeps what outlives a reboot, unless it is told otherwise.
inline constexpr const char* kStateFolder = "/var/lib/holdfast/node-resources";

/// Entry, device, identity, action, reason.
using PlanLine = std::array<std::string, 5>;

/// In columns, a heading above.
[[nodiscard]] std::string table_of(std::vector<PlanLine> lines);

/// What the node-resource-manager of this node found in its last pass, for people.
struct PlanReport {
  std::string text;  ///< its table, what is done, waits or is refused and why; empty where none has run
  bool well = true;  ///< there is nothing that somebody must look at
};

/// From <state_dir>/plan.json (node_resource_manager.h). A file that cannot be read is told in the text.
[[nodiscard]] PlanReport report_plan(Files& files, const std::filesystem::path& state_dir);

}  // namespace holdfast::nrm
