#include "common/base/log.h"

#include <algorithm>

#include "common/base/fd.h"

namespace holdfast {
namespace {

bool is_plain(char c) { return c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\'; }

void append_escaped(std::string& line, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    line += '\\';
    line += c;
  } else if (c == '\n') {
    line += "\\n";
  } else if (c == '\r') {
    line += "\\r";
  } else if (c == '\t') {
    line += "\\t";
  } else if (byte < ' ' || byte > '~') {
    line += "\\x";
    line += kHex[byte >> 4];
    line += kHex[byte & 0xf];
  } else {
    line += c;
  }
}

void append_value(std::string& line, std::string_view value) {
  if (!value.empty() && std::ranges::all_of(value, is_plain)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    append_escaped(line, c);
  }
  line += '"';
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "?";
}

void Logger::log(LogLevel level, std::string_view message, Fields fields) {
  if (wants(level)) {
    write(level, message, std::span(fields.begin(), fields.size()));
  }
}

std::string format_log_line(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  std::string line = "level=";
  line += to_string(level);
  line += " msg=";
  append_value(line, message);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  return line;
}

void FdLogger::write(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  const std::string line =
      "time=" + utc_text(clock_.now()) + " " + format_log_line(level, message, fields) + "\n";
  const std::lock_guard lock(mutex_);
  std::size_t written = 0;
  static_cast<void>(write_all(fd_, line, written));
}

}  // namespace holdfast
