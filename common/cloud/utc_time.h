#pragma once

#include <time.h>

#include <chrono>
#include <optional>
#include <string>

namespace holdfast::cloud {

/// A time as clouds write it, "2026-11-22T08:00:00Z"; nullopt for other texts.
[[nodiscard]] inline std::optional<std::chrono::sys_seconds> parse_utc(const std::string& text) {
  std::tm parts{};
  const char* const end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end != text.c_str() + text.size()) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace holdfast::cloud
