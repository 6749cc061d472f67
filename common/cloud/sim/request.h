#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/cloud/signature.h"

namespace holdfast::cloud::sim {

/// What a simulated cloud is sent.
struct ServerRequest {
  std::string method;
  std::string path;                                 ///< without the query
  Parameters query = {};                            ///< unescaped; of one that is given twice the last
  std::map<std::string, std::string> headers = {};  ///< names in lower case, values trimmed
  std::string body = {};
};

/// One request, and how many bytes it took.
struct ReceivedRequest {
  ServerRequest request;
  std::size_t size = 0;
};

inline constexpr std::size_t kMostHeadBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMostBodyBytes = std::size_t{1} << 20;

/// The request at the beginning of `bytes`; nullopt while its end has not come. Bodies have a Content-Length.
/// Errors: kInvalidArgument for what is no HTTP/1.x request, kResourceExhausted for one beyond the limits.
[[nodiscard]] Result<std::optional<ReceivedRequest>> parse_request(std::string_view bytes);

/// "a=1&b=x%20y"; '+' is a blank. Errors: kInvalidArgument for a '%' without two hex digits.
[[nodiscard]] Result<Parameters> parse_query(std::string_view text);

}  // namespace holdfast::cloud::sim
