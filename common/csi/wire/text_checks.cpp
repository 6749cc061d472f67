#include "common/csi/wire/text_checks.h"

#include <algorithm>

#include "common/csi/names.h"

namespace holdfast::csi {
namespace {

constexpr std::size_t kShownBytes = 64;

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

bool is_white(unsigned char c) { return c == '\t' || c == '\n' || c == '\r'; }

/// U+0080..U+009F are C2 80..C2 9F in UTF-8, which texts of messages are known to be.
bool has_control_character(std::string_view text, bool white_allowed) {
  unsigned char before = 0;
  for (const char at : text) {
    const auto c = static_cast<unsigned char>(at);
    if (is_control(c) && !(white_allowed && is_white(c))) return true;
    if (before == 0xc2 && c <= 0x9f) return true;
    before = c;
  }
  return false;
}

bool climbs(std::string_view path) {
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (path.substr(begin, end - begin) == "..") return true;
    begin = end + 1;
  }
  return false;
}

Status check_path(std::string_view text, const FieldRule& rule, const std::string& path) {
  if (climbs(text)) return fail(Code::kInvalidArgument, path + ": '" + shown(text) + "' holds '..'");
  if (text.starts_with('/')) return {};
  if (rule.text == Text::kVolumePath) {
    return fail(Code::kNotFound,
                path + ": no volume is at '" + shown(text) + "', which is not an absolute path");
  }
  return fail(Code::kInvalidArgument, path + ": '" + shown(text) + "' is not an absolute path");
}

}  // namespace

Status check_text(std::string_view text, const FieldRule& rule, const std::string& path) {
  if (text.size() > rule.max_bytes) {
    return fail(Code::kInvalidArgument, path + ": has " + std::to_string(text.size()) + " bytes, at most " +
                                            std::to_string(rule.max_bytes) + " may be");
  }
  if (text.empty() || rule.text == Text::kAny) return {};
  if (has_control_character(text, rule.text == Text::kName)) {
    return fail(Code::kInvalidArgument, path + ": '" + shown(text) + "' holds control characters");
  }
  if (rule.text != Text::kPath && rule.text != Text::kVolumePath) return {};
  return check_path(text, rule, path);
}

bool is_topology_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_topology_value(text);
  return is_topology_value(text.substr(0, slash)) && is_topology_value(text.substr(slash + 1));
}

std::string shown(std::string_view text) {
  std::string out(text.substr(0, kShownBytes));
  std::ranges::replace_if(
      out, [](char c) { return is_control(static_cast<unsigned char>(c)); }, '?');
  return text.size() > kShownBytes ? out + "..." : out;
}

}  // namespace holdfast::csi
