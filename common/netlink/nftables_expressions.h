#pragma once

#include <net/if.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/netlink/nftables.h"
#include "common/netlink/wire.h"

// For nftables.cpp only.
namespace holdfast::nl::nft {

/// A link's name as the kernel compares it.
[[nodiscard]] std::array<std::uint8_t, IFNAMSIZ> padded_link(std::string_view name);

/// Into the nest of data that is open.
void put_verdict(Writer& writer, const Verdict& verdict);

/// Writes a rule's statements as the kernel's expressions, the way nft(8) does, into the nest that is open.
void put_expressions(Writer& writer, Family family, std::span<const Statement> statements);

}  // namespace holdfast::nl::nft
