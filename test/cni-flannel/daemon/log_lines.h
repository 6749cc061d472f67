#pragma once

#include <string>
#include <vector>

#include "common/base/log.h"

namespace holdfast::flannel::test {

/// Keeps what is logged.
struct LogLines final : Logger {
  LogLines() : Logger(LogLevel::kDebug) {}
  std::vector<std::string> seen;

 protected:
  void write(LogLevel level, std::string_view message, std::span<const LogField> fields) override {
    seen.push_back(format_log_line(level, message, fields));
  }
};

}  // namespace holdfast::flannel::test
