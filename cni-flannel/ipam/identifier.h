#pragma once

#include <algorithm>
#include <string_view>

namespace holdfast::flannel {

/// ^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$, the CNI specification's rule for container ids and network names.
[[nodiscard]] inline bool is_identifier(std::string_view text) {
  const auto is_letter_or_digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && is_letter_or_digit(text.front()) && std::ranges::all_of(text, [&](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace holdfast::flannel
