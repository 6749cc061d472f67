#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace holdfast {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// "debug", "info", "warning", "error".
[[nodiscard]] std::string_view to_string(LogLevel level);

/// One thing a line is about.
struct LogField {
  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(text) {}
  LogField(std::string_view name, bool truth) : key(name), value(truth ? "true" : "false") {}
  template <std::integral Number>
  LogField(std::string_view name, Number number) : key(name), value(std::to_string(number)) {}

  std::string_view key;  ///< a constant of ours: letters, digits, '_'
  std::string value;
};

/// Where a program's lines go. Passed in, never global. Implementations may be used from any thread.
/// Libraries do not log an error that they also return.
class Logger {
 public:
  explicit Logger(LogLevel least) : least_(least) {}
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;
  virtual ~Logger() = default;

  using Fields = std::initializer_list<LogField>;
  void debug(std::string_view message, Fields fields = {}) { log(LogLevel::kDebug, message, fields); }
  void info(std::string_view message, Fields fields = {}) { log(LogLevel::kInfo, message, fields); }
  void warning(std::string_view message, Fields fields = {}) { log(LogLevel::kWarning, message, fields); }
  void error(std::string_view message, Fields fields = {}) { log(LogLevel::kError, message, fields); }
  void log(LogLevel level, std::string_view message, Fields fields = {});
  /// Whether lines of this level are written, for a caller that would have to compute much for one.
  [[nodiscard]] bool wants(LogLevel level) const { return level >= least_; }

 protected:
  /// Gets wanted lines only.
  virtual void write(LogLevel level, std::string_view message, std::span<const LogField> fields) = 0;

 private:
  LogLevel least_;
};

/// One line without its end: `level=info msg="lease taken" subnet=10.244.3.0/24`. A value that is empty or
/// holds a blank, '"', '=', '\' or a byte outside printable ASCII stands in quotes, with \", \\, \n, \r, \t
/// and \xNN; so a value can neither end a line nor look like another field.
[[nodiscard]] std::string format_log_line(LogLevel level, std::string_view message,
                                          std::span<const LogField> fields);

/// Lines with the time (RFC 3339, UTC, seconds) in front, one write(2) each. What cannot be written is lost.
class FdLogger final : public Logger {
 public:
  /// `fd` stays the caller's; 2 is standard error. `clock` outlives the logger.
  FdLogger(LogLevel least, Clock& clock, int fd = 2) : Logger(least), clock_(clock), fd_(fd) {}

 protected:
  void write(LogLevel level, std::string_view message, std::span<const LogField> fields) override;

 private:
  Clock& clock_;
  int fd_;
  std::mutex mutex_;  // keeps lines whole that a pipe would take in parts
};

}  // namespace holdfast
