#include "csi-nas/volumes/handle.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/base/sha.h"
#include "common/base/text.h"
#include "csi-nas/volumes/share_path.h"

namespace holdfast::nas {
namespace {

constexpr std::string_view kPrefix = "nas1#";
constexpr std::string_view kHashedPrefix = "nas1h#";
constexpr std::size_t kHashDigits = 64;

bool stands_for_itself(char c) { return c > ' ' && c < '\x7f' && c != '%' && c != '#'; }

void append_escaped(std::string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    if (stands_for_itself(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
  }
}

std::string whole_text(const NasHandle& handle) {
  std::string out(kPrefix);
  append_escaped(handle.server, out);
  for (const std::string* part : {&handle.share, &handle.directory, &handle.name}) {
    out += '#';
    append_escaped(*part, out);
  }
  return out;
}

// nullopt: not as append_escaped() writes it.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned byte = 0;
    const char* end = digits.data() + digits.size();
    if (digits.size() != 2 || std::from_chars(digits.data(), end, byte, 16).ptr != end) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

tl::unexpected<Error> malformed(std::string_view id) {
  return fail(Code::kInvalidArgument, "'" + printable(id, kMostHandleBytes) +
                                          "' is not a volume handle nas1#server#share#directory#name");
}

bool names_a_place(const NasHandle& handle) {
  const auto share = clean_path(handle.share);
  const auto whole = clean_path("/" + handle.directory + "/" + handle.name);
  const bool one_name = !handle.name.empty() && handle.name.find('/') == std::string::npos;
  return !handle.server.empty() && one_name && share && *share == handle.share && whole &&
         *whole == (handle.directory.empty() ? "" : "/" + handle.directory) + "/" + handle.name;
}

}  // namespace

std::optional<std::string> format_handle(const NasHandle& handle) {
  std::string text = whole_text(handle);
  if (text.size() > kMostHandleBytes) return std::nullopt;
  return text;
}

std::string hashed_handle(const NasHandle& handle) {
  return std::string(kHashedPrefix) + sha512_hex(whole_text(handle)).substr(0, kHashDigits);
}

bool is_hashed_handle(std::string_view id) {
  return id.starts_with(kHashedPrefix) && id.size() == kHashedPrefix.size() + kHashDigits &&
         id.find_first_not_of("0123456789abcdef", kHashedPrefix.size()) == std::string_view::npos;
}

Result<std::optional<NasHandle>> parse_handle(std::string_view id) {
  if (!id.starts_with(kPrefix)) return std::optional<NasHandle>{};
  std::string_view rest = id.substr(kPrefix.size());
  if (std::ranges::count(rest, '#') != 3) return malformed(id);
  std::array<std::string, 4> parts;
  for (std::string& part : parts) {
    auto text = unescaped(take_until(rest, '#'));
    if (!text) return malformed(id);
    part = *std::move(text);
  }
  NasHandle handle{.server = std::move(parts[0]),
                   .share = std::move(parts[1]),
                   .directory = std::move(parts[2]),
                   .name = std::move(parts[3])};
  const bool as_written = id.size() <= kMostHandleBytes && whole_text(handle) == id;
  if (!names_a_place(handle) || !as_written) return malformed(id);
  return std::optional(std::move(handle));
}

}  // namespace holdfast::nas
