#pragma once

#include <string_view>

#include "common/base/result.h"

namespace holdfast::nl {

/// Whether the link leaves checksums of what it sends to the hardware below (`ethtool -k`, tx-checksumming).
/// Links are those of the calling thread's network namespace.
/// Errors: errno, kNotFound for no such link, kUnimplemented for one that has no such thing.
/// Source: netdevice(7), linux/ethtool.h ETHTOOL_GTXCSUM and ETHTOOL_STXCSUM.
Result<bool> tx_checksum_offload(std::string_view link);
Status set_tx_checksum_offload(std::string_view link, bool on);

}  // namespace holdfast::nl
