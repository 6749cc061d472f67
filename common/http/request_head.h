#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::http {

/// The part of a request that a server of small pages looks at: its first line. Headers are skipped, and a
/// body is not read: the connection ends with the answer.
struct RequestHead {
  std::string method;  ///< "GET"
  std::string path;    ///< as sent, begins with '/'; without the query
  std::string query;   ///< behind '?', as sent

  bool operator==(const RequestHead&) const = default;
};

/// Longest head, to the empty line at its end.
inline constexpr std::size_t kMaxHeadBytes = 8192;

/// The head at the beginning of `bytes`; nullopt while its end has not come. Errors: kInvalidArgument for
/// what is no HTTP/1.x request, kResourceExhausted for a head that is longer than kMaxHeadBytes.
/// Source: RFC 9112, sections 2 and 3.
[[nodiscard]] Result<std::optional<RequestHead>> parse_request_head(std::string_view bytes);

/// Whether `query` ("a&b=1") has the parameter `name`, with or without a value.
[[nodiscard]] bool has_parameter(std::string_view query, std::string_view name);

}  // namespace holdfast::http
