#pragma once

#include <functional>
#include <span>
#include <string>

#include "common/base/result.h"

namespace holdfast::nas {

/// One call: words, and what came of them.
using ServedCall = std::function<Result<std::string>(std::span<const std::string> words)>;

/// Does the calls that come as messages on `socket` (SOCK_SEQPACKET, csi-nas/nfs/child_messages.h), one after
/// the other, until its other end is closed. From within a call the process ends then, as soon as the kernel
/// lets go of it: who asked for it was killed, and what comes after may have begun the same anew.
void serve(int socket, const ServedCall& call);

}  // namespace holdfast::nas
