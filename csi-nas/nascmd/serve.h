#pragma once

#include <functional>
#include <span>
#include <string>

#include "common/base/result.h"

namespace holdfast::nas {

/// One call: words, and what came of them.
using ServedCall = std::function<Result<std::string>(std::span<const std::string> words)>;

/// Does the calls that come as messages on `socket` (SOCK_SEQPACKET, csi-nas/nfs/child_messages.h), one after
/// the other, until its other end is closed. When that happens during a call, the process exits at once, or
/// as soon as the kernel lets go of it: who asked for it was killed, and its successor may have begun the
/// same.
void serve(int socket, const ServedCall& call);

}  // namespace holdfast::nas
