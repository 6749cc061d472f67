#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "csi-nas/nascmd/verbs.h"

namespace holdfast::nas {

/// What may hang in the kernel, done by a process that may be killed, one call after the other. Words: the
/// verb, and what that needs:
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
/// FLAGS and MODE are decimal. What they mean: NfsCalls (csi-nas/nfs/nfs_calls.h).
class Nascmd {
 public:
  /// `root`: kubelet's folder, opened by the first call that needs it.
  explicit Nascmd(std::string root) : root_(std::move(root)) {}

  /// Errors: kInvalidArgument for words that are none of these; those of NfsCalls.
  Result<std::string> run(std::span<const std::string> words);

 private:
  std::string root_;
  std::optional<Ground> ground_;  // kept for the next call, which so need not read again what has not changed
};

}  // namespace holdfast::nas
