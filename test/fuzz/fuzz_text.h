#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace holdfast::fuzz {

/// The fuzzer's bytes as text.
inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {static_cast<const char*>(static_cast<const void*>(data)), size};
}

/// Ends the program, which the fuzzer reports, when a rule does not hold.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace holdfast::fuzz
