#pragma once

#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/flags.h"
#include "common/inspect/inspector.h"

namespace holdfast::flannel {

/// What a run of `holdfast` leaves to be printed.
struct Answer {
  int status = 0;     ///< 0: all is well; 1: something is not, or could not be looked at; 2: wrong arguments
  std::string out;    ///< standard output
  std::string error;  ///< standard error
};

/// The program `holdfast`, for people at a node:
///
///     holdfast status        the node's lease, its peers and pods
///     holdfast doctor        what is looked at, what is wrong, and the cure
///     holdfast explain NODE|NAMESPACE/POD|ADDRESS
///                            what is wanted of a peer or pod, what there is, and why they differ; of an
///                            address behind a gateway the way to it
///
/// Looks at files and the kernel, so it works with flanneld dead and the cloud away. Changes nothing. Where a
/// flanneld runs, what it was told is what holds here unless a flag tells otherwise.
/// `arguments` are those behind the program's name; of the environment NODE_NAME counts. `others` are asked
/// too: what they find and know stands behind what the network says.
[[nodiscard]] Answer answer(Files& files, Clock& clock, std::span<const std::string> arguments,
                            const Flags::Lookup& environment, std::span<Inspector* const> others = {});

[[nodiscard]] std::string holdfast_help(std::span<Inspector* const> others = {});

}  // namespace holdfast::flannel
