#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// What a backend is tried with. The trial makes some forty small disks and fifteen snapshots, and removes
/// them.
struct TrialPlan {
  std::string run;              ///< begins every name and token: other trials of the account do not meet it
  std::string node;             ///< a machine of `zone` that runs; disks are attached to it, nothing writes
  std::string other_node = {};  ///< another one; empty: what needs two is left out
  std::string zone = {};        ///< empty: the cloud's choice
  Performance performance = {};
  std::uint64_t gib = 20;       ///< of each disk
  std::uint64_t more_gib = 30;  ///< that one is grown to
  Performance modified = {};    ///< that one gets; empty type, level and iops: that is left out
  std::chrono::milliseconds deadline{30'000};   ///< of each call
  std::chrono::milliseconds settling{120'000};  ///< how long a cloud may take to finish what it began
};

struct CaseResult {
  enum class End : std::uint8_t { kKept, kBroken, kLeftOut };
  std::string name;  ///< a promise of DiskBackend, "attach: another node is refused a disk that is attached"
  End end = End::kKept;
  std::string why = {};  ///< what was seen instead, or why it was left out
};

/// Whether `backend` keeps the promises of DiskBackend, one result a promise, told as it comes. What was made
/// is removed at the end; when that fails, that is a broken promise too and names what is left. Takes minutes
/// on a real cloud.
std::vector<CaseResult> try_backend(DiskBackend& backend, Clock& clock, const TrialPlan& plan,
                                    const std::function<void(const CaseResult&)>& tell);

/// "kept", "broken", "left out".
[[nodiscard]] std::string_view to_string(CaseResult::End end);

}  // namespace holdfast::disk
