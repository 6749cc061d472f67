#include "common/base/base64.h"

#include <cstddef>
#include <cstdint>

namespace holdfast {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kGroup = 4;  // characters that hold three bytes
constexpr unsigned kBitsACharacter = 6;
constexpr unsigned kBitsAByte = 8;

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / kGroup * 3);
  std::uint32_t bits = 0;
  unsigned held = 0;       // bits not yet given out
  std::size_t length = 0;  // characters without blanks
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      continue;
    }
    ++length;
    const std::size_t value = kAlphabet.find(c);
    if (c == '=' && padding < 2) {
      ++padding;
      continue;
    }
    if (value == std::string_view::npos || padding > 0) {
      return fail(Code::kInvalidArgument, "character " + std::to_string(length) + " is not base64");
    }
    bits = bits << kBitsACharacter | static_cast<std::uint32_t>(value);
    held += kBitsACharacter;
    if (held >= kBitsAByte) {
      held -= kBitsAByte;
      out.push_back(static_cast<char>(bits >> held & 0xffU));
    }
  }
  if (length % kGroup != 0 || padding * 2 != held) {
    return fail(Code::kInvalidArgument, "base64 text is cut short");
  }
  return out;
}

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * kGroup);
  std::uint32_t bits = 0;
  unsigned held = 0;  // bits not given out
  for (const char each : bytes) {
    bits = bits << kBitsAByte | static_cast<std::uint8_t>(each);
    held += kBitsAByte;
    for (; held >= kBitsACharacter; held -= kBitsACharacter) {
      out += kAlphabet[bits >> (held - kBitsACharacter) & 0x3fU];
    }
  }
  if (held > 0) out += kAlphabet[bits << (kBitsACharacter - held) & 0x3fU];
  out.resize((out.size() + kGroup - 1) / kGroup * kGroup, '=');
  return out;
}

}  // namespace holdfast
