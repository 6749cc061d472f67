#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/clock.h"
#include "common/cloud/call_error.h"
#include "common/cloud/credentials.h"
#include "common/cloud/http_client.h"
#include "common/cloud/signature.h"

namespace holdfast::cloud {

/// Where one product of a cloud is called.
struct Endpoint {
  std::string url;           ///< "https://ecs.cn-beijing.aliyuncs.com", without a slash at its end
  std::string version;       ///< of the API, "2014-05-26"
  std::string region = {};   ///< "cn-beijing"; Tencent wants it in each request's head
  std::string service = {};  ///< Tencent: what signatures are for, "cbs"; empty: the first name of the host
};

/// One API of Alibaba Cloud in its RPC style, signed by ACS3-HMAC-SHA256: parameters in the query, one level
/// deep
/// ("Tag.1.Key"), answers in JSON. Thread-safe.
///
/// Errors of call(): as CallEnd says. An answer that is none of the cloud's (a proxy's page, half of one, a
/// status of 5xx) is kUnknownOutcome, and so is a nonce that the cloud has seen before: it has had the
/// request. A clock that is off is kRefused, and told with both times.
class AlibabaApi {
 public:
  struct Call {
    std::string action;  ///< "CreateDisk"
    Parameters parameters = {};
    std::string token = {};  ///< ClientToken: of calls with the same one only the first has an effect
    std::chrono::milliseconds deadline{};
  };

  /// All outlive it.
  AlibabaApi(HttpClient& http, CredentialSource& credentials, Clock& clock, Endpoint endpoint);
  Answer<nlohmann::json> call(const Call& call);

 private:
  [[nodiscard]] HttpRequest sign(const Call& call, const Credentials& credentials) const;

  HttpClient& http_;
  CredentialSource& credentials_;
  Clock& clock_;
  const Endpoint endpoint_;
  const std::string host_;
};

/// One API of Tencent Cloud, version 3.0, signed by TC3-HMAC-SHA256: JSON both ways. Thread-safe. Errors of
/// call(): as AlibabaApi's.
class TencentApi {
 public:
  struct Call {
    std::string action;       ///< "CreateDisks"
    std::string body = "{}";  ///< JSON, with ClientToken in it where the action takes one
    std::chrono::milliseconds deadline{};
  };

  /// All outlive it.
  TencentApi(HttpClient& http, CredentialSource& credentials, Clock& clock, Endpoint endpoint);
  /// What is under "Response".
  Answer<nlohmann::json> call(const Call& call);

 private:
  [[nodiscard]] HttpRequest sign(const Call& call, const Credentials& credentials) const;

  HttpClient& http_;
  CredentialSource& credentials_;
  Clock& clock_;
  const Endpoint endpoint_;
  const std::string host_;
};

/// What a reply says, for a caller whose clock is at `now`. Errors: as the API's call(). For tests alone.
[[nodiscard]] Answer<nlohmann::json> read_alibaba_reply(const HttpReply& reply, std::chrono::sys_seconds now);
[[nodiscard]] Answer<nlohmann::json> read_tencent_reply(const HttpReply& reply, std::chrono::sys_seconds now);

/// "ecs.cn-beijing.aliyuncs.com" or "127.0.0.1:8080" of an endpoint's URL, as the head names it.
[[nodiscard]] std::string host_of(const std::string& url);

}  // namespace holdfast::cloud
