#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/cloud/call_error.h"

namespace holdfast::cloud {

struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< "https://ecs.cn-beijing.aliyuncs.com/?RegionId=cn-beijing", escaped
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

struct HttpReply {
  int status = 0;
  std::string body = {};
  std::optional<std::chrono::seconds> retry_after = {};  ///< of Retry-After
  std::optional<std::chrono::sys_seconds> date = {};     ///< of Date: the server's clock
};

/// One request, one answer. Thread-safe: as many at a time as there are callers.
class HttpClient {
 public:
  HttpClient() = default;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  virtual ~HttpClient() = default;

  /// Waits for the whole answer, whatever its status, for `deadline` at most. The request goes out once at
  /// most. Errors: kNotSent while nothing of it has left; kUnknownOutcome from then on.
  virtual Answer<HttpReply> exchange(const HttpRequest& request, std::chrono::milliseconds deadline) = 0;
};

/// Over libcurl: HTTP/1.1 with kept connections; one that the server has closed meanwhile is not used.
/// Certificates are checked against the system's authorities. Plain HTTP, which metadata services of a
/// machine speak, goes past any proxy; HTTPS through that of the environment. Redirects are not followed.
class CurlClient final : public HttpClient {
 public:
  static constexpr std::size_t kMostBodyBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMostKept = 64;  ///< handles, each with its connection

  explicit CurlClient(std::string user_agent);
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;
  ~CurlClient() override;

  Answer<HttpReply> exchange(const HttpRequest& request, std::chrono::milliseconds deadline) override;

 private:
  class Handle;
  std::unique_ptr<Handle> take();
  void give_back(std::unique_ptr<Handle> handle);

  const std::string user_agent_;
  std::mutex mutex_;  // guards idle_
  std::vector<std::unique_ptr<Handle>> idle_;
};

}  // namespace holdfast::cloud
