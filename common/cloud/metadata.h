#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/cloud/http_client.h"

namespace holdfast::cloud {

enum class Vendor : std::uint8_t { kAlibaba, kTencent };

/// Where a machine of the cloud asks what it is and may: "http://100.100.100.200",
/// "http://metadata.tencentyun.com".
[[nodiscard]] std::string_view metadata_url(Vendor vendor);

/// Of each exchange with a metadata service.
inline constexpr std::chrono::milliseconds kMetadataPatience{2000};

/// A machine's metadata service. Alibaba's is asked for a session first, which its machines in the hardened
/// mode demand with each request; one that has no such thing is asked without. Not thread-safe. Source:
/// https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata,
/// https://www.tencentcloud.com/document/product/213/4934
class Metadata {
 public:
  /// `http` outlives it.
  Metadata(HttpClient& http, Vendor vendor, std::string url)
      : http_(http), vendor_(vendor), url_(std::move(url)) {}

  /// What is at `path`, "/latest/meta-data/instance-id". Errors: kNotFound for status 404; kUnavailable for
  /// any other than 200, telling it, and when there is no answer.
  Result<std::string> get(const std::string& path);

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Result<Headers> begin_session();

  HttpClient& http_;
  const Vendor vendor_;
  const std::string url_;
  std::optional<Headers> session_;  // what each request bears, once that is known
};

}  // namespace holdfast::cloud
