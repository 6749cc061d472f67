#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log.h"

namespace holdfast::test {

/// A log kept in memory, all levels. May be used from any thread.
class LogLines final : public Logger {
 public:
  LogLines() : Logger(LogLevel::kDebug) {}

  [[nodiscard]] std::vector<std::string> all() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  /// How many lines hold `part`.
  [[nodiscard]] std::ptrdiff_t count(std::string_view part) const {
    return std::ranges::count_if(
        all(), [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }

 protected:
  void write(LogLevel level, std::string_view message, std::span<const LogField> fields) override {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(format_log_line(level, message, fields));
  }

 private:
  mutable std::mutex mutex_;  // guards lines_
  std::vector<std::string> lines_;
};

}  // namespace holdfast::test
