#include "common/base/text.h"

#include <cstddef>

namespace holdfast {
namespace {

/// Bytes of the character that `text` begins with; 0 for what is none, or controls the terminal.
/// Source: RFC 3629, section 4; overlong forms and surrogates are none.
std::size_t printable_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const auto within = [&](std::size_t i, unsigned least, unsigned most) {
    return byte(i) >= least && byte(i) <= most;
  };
  const auto rest = [&](std::size_t i) { return within(i, 0x80, 0xbf); };
  if (within(0, 0x20, 0x7e)) return 1;
  if (within(0, 0xc2, 0xdf) && rest(1)) return byte(0) == 0xc2 && byte(1) < 0xa0 ? 0 : 2;
  if (within(0, 0xe0, 0xef) && rest(1) && rest(2)) {
    const bool overlong = byte(0) == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = byte(0) == 0xed && byte(1) > 0x9f;
    // U+2028..U+202E end lines or turn the direction of writing
    const bool controls = byte(0) == 0xe2 && byte(1) == 0x80 && within(2, 0xa8, 0xae);
    return overlong || surrogate || controls ? 0 : 3;
  }
  if (within(0, 0xf0, 0xf4) && rest(1) && rest(2) && rest(3)) {
    return (byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) > 0x8f) ? 0 : 4;
  }
  return 0;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = printable_bytes(text);
    std::string shown(text.substr(0, bytes));
    if (bytes == 0) {
      const auto byte = static_cast<unsigned char>(text.front());
      shown = {'\\', 'x', kHex[byte >> 4], kHex[byte & 0xf]};
    }
    if (out.size() + shown.size() > most) return out + "...";
    out += shown;
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return taken;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& each : out) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each - 'A' + 'a');
  }
  return out;
}

bool is_true(std::string_view text) {
  const std::string word = lower_case(text);
  return word == "yes" || word == "true" || word == "1";
}

}  // namespace holdfast
