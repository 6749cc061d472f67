#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "common/base/result.h"

namespace holdfast::csi {

/// What the sidecars that call a controller do about a code.
enum class Reaction : std::uint8_t {
  kAskAgain,    ///< the same call on the same node, until it succeeds: nothing that was made is lost
  kReschedule,  ///< the pod may be given to another node; what was made here is lost
  kGiveUp,      ///< taken as final: the claim may move elsewhere; what was made here is lost
};

/// Source: external-provisioner, pkg/controller/controller.go (checkError), and external-attacher's and
/// -snapshotter's use of it.
inline constexpr std::array kReactions{
    std::pair{Code::kCancelled, Reaction::kAskAgain},
    std::pair{Code::kUnknown, Reaction::kGiveUp},
    std::pair{Code::kInvalidArgument, Reaction::kGiveUp},
    std::pair{Code::kDeadlineExceeded, Reaction::kAskAgain},
    std::pair{Code::kNotFound, Reaction::kGiveUp},
    std::pair{Code::kAlreadyExists, Reaction::kGiveUp},
    std::pair{Code::kPermissionDenied, Reaction::kGiveUp},
    std::pair{Code::kResourceExhausted, Reaction::kReschedule},
    std::pair{Code::kFailedPrecondition, Reaction::kGiveUp},
    std::pair{Code::kAborted, Reaction::kAskAgain},
    std::pair{Code::kOutOfRange, Reaction::kGiveUp},
    std::pair{Code::kUnimplemented, Reaction::kGiveUp},
    std::pair{Code::kInternal, Reaction::kGiveUp},
    std::pair{Code::kUnavailable, Reaction::kAskAgain},
    std::pair{Code::kDataLoss, Reaction::kGiveUp},
};

[[nodiscard]] constexpr Reaction reaction_to(Code code) {
  for (const auto& [known, reaction] : kReactions) {
    if (known == code) return reaction;
  }
  return Reaction::kGiveUp;
}

/// The error to answer with when a volume, snapshot or attachment may have been made all the same: one that
/// makes the caller ask again (ABORTED where it would not have), so that nothing is left behind that nobody
/// knows. Who has taken back what was made answers the error as it is.
[[nodiscard]] inline Error may_be_left(Error error) {
  if (reaction_to(error.code) != Reaction::kAskAgain) error.code = Code::kAborted;
  return error;
}

}  // namespace holdfast::csi
