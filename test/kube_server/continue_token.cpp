#include "test/kube_server/continue_token.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/base/base64.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr unsigned kBitsACharacter = 6;
constexpr unsigned kBitsAByte = 8;

std::string to_base64(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : bytes) {
    bits = bits << kBitsAByte | static_cast<unsigned char>(c);
    held += kBitsAByte;
    while (held >= kBitsACharacter) {
      held -= kBitsACharacter;
      out += kAlphabet[bits >> held & 0x3fU];
    }
  }
  if (held > 0) {
    out += kAlphabet[bits << (kBitsACharacter - held) & 0x3fU];
  }
  return out;
}

}  // namespace

std::string continue_token(std::uint64_t version, const std::string& last) {
  std::string start = "/" + last;
  start.push_back('\0');
  return to_base64(nlohmann::ordered_json{{"v", "meta.k8s.io/v1"}, {"rv", version}, {"start", start}}.dump());
}

std::optional<std::uint64_t> version_of_continue_token(const std::string& token) {
  std::string text = token;
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  const auto decoded = decode_base64(text);
  const json parsed = decoded ? json::parse(*decoded, nullptr, /*allow_exceptions=*/false) : json();
  if (!parsed.is_object() || !parsed.contains("rv") || !parsed["rv"].is_number_unsigned()) {
    return std::nullopt;
  }
  return parsed["rv"].get<std::uint64_t>();
}

}  // namespace holdfast::test
