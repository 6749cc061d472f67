#pragma once

#include <filesystem>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/result.h"

namespace holdfast::flannel {

/// Held while flanneld runs: the overlay of a network namespace, and a state folder, have one keeper each.
/// Ends with the process, also when it is killed.
struct SoleRun {
  Fd name;  ///< an abstract socket, which a network namespace has once
  Fd lock;  ///< on <state_dir>/flanneld.lock; none where nothing can be written
};

/// Errors: kFailedPrecondition when another flanneld keeps this namespace, ours (told by the socket) or
/// upstream's (a process of that name, as far as /proc shows it), or this state folder.
Result<SoleRun> claim_sole_run(Files& files, const std::filesystem::path& state_dir);

/// What flanneld's process is called, ours and upstream's.
inline constexpr std::string_view kProgramName = "flanneld";

}  // namespace holdfast::flannel
