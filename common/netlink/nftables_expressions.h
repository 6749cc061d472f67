#pragma once

#include <span>

#include "common/netlink/nftables.h"
#include "common/netlink/wire.h"

// For nftables.cpp only.
namespace holdfast::nl::nft {

/// Writes a rule's statements as the kernel's expressions, the way nft(8) does, into the nest that is open.
void put_expressions(Writer& writer, Family family, std::span<const Statement> statements);

}  // namespace holdfast::nl::nft
