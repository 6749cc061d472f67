#pragma once

#include <cstdint>
#include <span>

namespace holdfast::flannel {

/// The checksum of IP, ICMP, UDP and TCP, in network order as the bytes are. Source: RFC 1071.
[[nodiscard]] std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes);

}  // namespace holdfast::flannel
