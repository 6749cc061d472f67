#include "cni-flannel/daemon/internet_checksum.h"

#include <array>
#include <cstring>

namespace holdfast::flannel {

std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    // an odd length has a zero byte behind it
    const std::array<std::uint8_t, 2> pair{bytes[i], i + 1 < bytes.size() ? bytes[i + 1] : std::uint8_t{0}};
    std::uint16_t word = 0;
    std::memcpy(&word, pair.data(), sizeof word);
    sum += word;
  }
  while ((sum >> 16U) != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace holdfast::flannel
