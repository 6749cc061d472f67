#pragma once

#include <vector>

#include "cni-flannel/inspect/overlay_report.h"
#include "common/base/clock.h"
#include "common/inspect/finding.h"

namespace holdfast::flannel {

/// Whether packets get to peers and back, found out by asking kMostPeersAsked of each family, all at once,
/// with a few packets each and within 3 s:
///
///     an echo through the tunnel       UDP passes both ways, and the peer has our entries
///     an echo beside it                the host is up; again as large as the tunnel's packets
///     a datagram to the tunnel's port  refused where there is no VXLAN device
///     two datagrams through it         whether checksums left to the hardware arrive (checksum_probe.h)
[[nodiscard]] std::vector<Finding> reach_findings(Clock& clock, const OverlayReport& overlay);

inline constexpr std::size_t kMostPeersAsked = 8;

}  // namespace holdfast::flannel
