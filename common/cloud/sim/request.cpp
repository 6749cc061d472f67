#include "common/cloud/sim/request.h"

#include <cctype>
#include <charconv>
#include <utility>

#include "common/base/text.h"

namespace holdfast::cloud::sim {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr int kHexBase = 16;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& each : out) each = static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
  return out;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, kHexBase);
    if (error != std::errc{} || digits.size() != 2 || end != digits.data() + 2) {
      return fail(Code::kInvalidArgument, "a '%' without two hex digits");
    }
    out += static_cast<char>(static_cast<unsigned char>(value));
    i += 2;
  }
  return out;
}

Result<ServerRequest> parse_first_line(std::string_view line) {
  ServerRequest request;
  request.method = std::string(take_until(line, ' '));
  std::string_view target = take_until(line, ' ');
  if (request.method.empty() || !target.starts_with('/') || !line.starts_with("HTTP/1.")) {
    return fail(Code::kInvalidArgument, "the first line is none of HTTP/1.x");
  }
  request.path = std::string(take_until(target, '?'));
  HOLDFAST_TRY(request.query, parse_query(target));
  return request;
}

Result<std::size_t> body_size(const ServerRequest& request) {
  if (request.headers.contains("transfer-encoding")) {
    return fail(Code::kInvalidArgument, "Transfer-Encoding is not understood here");
  }
  const auto found = request.headers.find("content-length");
  if (found == request.headers.end()) return std::size_t{0};
  const std::string& text = found->second;
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(Code::kInvalidArgument, "Content-Length is not a number");
  }
  if (size > kMostBodyBytes) return fail(Code::kResourceExhausted, "the body is too long");
  return size;
}

}  // namespace

Result<Parameters> parse_query(std::string_view text) {
  Parameters out;
  while (!text.empty()) {
    std::string_view value = take_until(text, '&');
    const std::string_view name = take_until(value, '=');
    HOLDFAST_TRY(std::string key, unescape(name));
    HOLDFAST_TRY(out[std::move(key)], unescape(value));
  }
  return out;
}

Result<std::optional<ReceivedRequest>> parse_request(std::string_view bytes) {
  const std::size_t head_end = bytes.find(kEndOfHead);
  if (head_end == std::string_view::npos) {
    if (bytes.size() > kMostHeadBytes) return fail(Code::kResourceExhausted, "the head is too long");
    return std::optional<ReceivedRequest>{};
  }
  if (head_end > kMostHeadBytes) return fail(Code::kResourceExhausted, "the head is too long");
  std::string_view head = bytes.substr(0, head_end);
  const auto next_line = [&head] {
    const std::string_view line = take_until(head, '\n');
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  };
  HOLDFAST_TRY(ServerRequest request, parse_first_line(next_line()));
  while (!head.empty()) {
    std::string_view value = next_line();
    const std::string_view name = take_until(value, ':');
    if (name.empty() || trim(name) != name) return fail(Code::kInvalidArgument, "a header has no name");
    request.headers.insert_or_assign(lower(name), std::string(trim(value)));
  }
  HOLDFAST_TRY(const std::size_t size, body_size(request));
  const std::size_t body_at = head_end + kEndOfHead.size();
  if (bytes.size() - body_at < size) return std::optional<ReceivedRequest>{};
  request.body = std::string(bytes.substr(body_at, size));
  return std::optional(ReceivedRequest{.request = std::move(request), .size = body_at + size});
}

}  // namespace holdfast::cloud::sim
