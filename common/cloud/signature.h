#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace holdfast::cloud {

using Parameters = std::map<std::string, std::string>;

/// Everything but letters, digits, '-', '_', '.' and '~' as %XX. Source: RFC 3986, section 2.1.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// "a=1&b=x%20y", in the order of the names.
[[nodiscard]] std::string canonical_query(const Parameters& parameters);

/// The parts of a request that both clouds sign, in the form in which they do.
struct SignedRequest {
  std::string method = "POST";
  std::string path = "/";
  std::string query = {};  ///< canonical_query()
  std::map<std::string, std::string> headers =
      {};                        ///< all that are signed; names in lower case, values trimmed
  std::string body_sha256 = {};  ///< of the body, in hex
};

/// The names of the signed headers, "host;x-acs-action".
[[nodiscard]] std::string signed_headers(const SignedRequest& request);

/// The value of Authorization by signature version 3 of Alibaba's OpenAPI, ACS3-HMAC-SHA256.
/// Source: https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
[[nodiscard]] std::string acs3_authorization(const SignedRequest& request, std::string_view key_id,
                                             std::string_view secret);

/// The value of Authorization by signature version 3 of Tencent Cloud's API 3.0, TC3-HMAC-SHA256. `service`
/// is the endpoint's first name, "cbs". Source: https://www.tencentcloud.com/document/api/614/42761
[[nodiscard]] std::string tc3_authorization(const SignedRequest& request, std::string_view service,
                                            std::chrono::sys_seconds time, std::string_view key_id,
                                            std::string_view secret);

}  // namespace holdfast::cloud
