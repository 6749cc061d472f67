#include "common/http/request_head.h"

#include <algorithm>

namespace holdfast::http {
namespace {

/// The text up to `separator`, which is taken off `rest` with it.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return taken;
}

bool is_method(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_target(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// Bytes of the head with its empty line, or npos. A bare line feed ends a line too (RFC 9112, 2.2).
std::size_t head_size(std::string_view bytes) {
  std::size_t end = std::string_view::npos;
  for (const std::string_view mark : {"\r\n\r\n", "\n\n"}) {
    const std::size_t at = bytes.find(mark);
    if (at != std::string_view::npos) end = std::min(end, at + mark.size());
  }
  return end;
}

}  // namespace

Result<std::optional<RequestHead>> parse_request_head(std::string_view bytes) {
  const std::size_t size = head_size(bytes.substr(0, kMaxHeadBytes));
  if (size == std::string_view::npos) {
    if (bytes.size() < kMaxHeadBytes) return std::nullopt;
    return fail(Code::kResourceExhausted,
                "the request's head is longer than " + std::to_string(kMaxHeadBytes) + " bytes");
  }
  std::string_view line = bytes.substr(0, bytes.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::string_view method = take_until(line, ' ');
  const std::string_view target = take_until(line, ' ');
  const bool version = line == "HTTP/1.1" || line == "HTTP/1.0";
  if (!is_method(method) || !is_target(target) || !version) {
    return fail(Code::kInvalidArgument, "the request's first line is no METHOD /PATH HTTP/1.1");
  }
  std::string_view query = target;
  const std::string_view path = take_until(query, '?');
  return RequestHead{std::string(method), std::string(path), std::string(query)};
}

bool has_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view pair = take_until(query, '&');
    if (take_until(pair, '=') == name) return true;
  }
  return false;
}

}  // namespace holdfast::http
