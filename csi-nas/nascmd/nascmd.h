#pragma once

#include <span>
#include <string>

#include "common/base/result.h"

namespace holdfast::nas {

/// One thing that may hang in the kernel, done by a process that may be killed. `root`: kubelet's folder.
/// Words: the verb, and what that needs:
///
///     resolve HOST
///     lock-services
///     mount SOURCE FLAGS DATA TARGET
///     make-folder SOURCE FLAGS DATA AT PATH      in a mount namespace of its own, gone with the process,
///                                                so that it is its last call
///     set-mode PATH MODE
///     bind SOURCE PART TARGET ro|rw parents|none
///     unmount TARGET orderly|lazily remove|keep
///     look PATH                                  a usage, as of child_messages.h
///
/// FLAGS and MODE are decimal. What they mean: NfsCalls (csi-nas/nfs/nfs_calls.h). Errors:
/// kInvalidArgument for words that are none of these; those of NfsCalls.
Result<std::string> nascmd(const std::string& root, std::span<const std::string> words);

}  // namespace holdfast::nas
