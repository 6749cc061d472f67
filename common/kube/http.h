#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::kube {

/// How long each part of an exchange may take; zero: for ever. What is over its time ends with
/// kDeadlineExceeded.
struct HttpDeadlines {
  std::chrono::milliseconds connect{10'000};  ///< name, TCP, proxy and TLS
  std::chrono::milliseconds response{
      30'000};  ///< from the start to the end of the answer's head, however it trickles
  std::chrono::milliseconds silence{30'000};  ///< between two pieces of the body
  std::chrono::milliseconds whole{300'000};   ///< from the start to the end
};

struct HttpRequest {
  std::string method = "GET";
  std::string path{};  ///< with its query, escaped: "/api/v1/nodes?limit=500"
  std::string accept = "application/json";
  std::string content_type{};
  std::string body{};
  std::string resource{};  ///< "nodes": whose bytes these are, in the metrics
  std::string audit_id{};  ///< letters, digits and hyphens; empty: none is sent
  HttpDeadlines deadlines{};
};

/// The head of an answer.
struct HttpHead {
  int status = 0;
  std::string content_type{};
  std::optional<std::chrono::seconds> retry_after{};  ///< of Retry-After, seconds or date; an hour at most
  std::uint64_t connection = 0;                       ///< the same number: the same connection
  std::string audit_id{};                             ///< an API server (1.22) sends back the request's
};

/// What comes back. Calls come from the event loop, never from within start(): `head` at most once, then
/// `body` for each piece as it comes (decompressed), and `end` once. All may be empty, may start other
/// exchanges, and may end any, also this one; after that none comes.
struct HttpCallbacks {
  std::function<void(const HttpHead&)> head{};
  /// An error ends the exchange with it.
  std::function<Status(std::string_view)> body{};
  /// No error: the answer came whole, whatever its status. Errors: kUnavailable, also for an answer cut
  /// short; kDeadlineExceeded; kPermissionDenied when the server is not who it should be; that of `body`.
  std::function<void(Status)> end{};
};

/// One exchange; destroying it ends it, and no call comes any more.
class HttpExchange {
 public:
  HttpExchange() = default;
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;
  virtual ~HttpExchange() = default;
};

/// The way to one API server. Nothing blocks; redirects are not followed. It outlives its exchanges.
class Http {
 public:
  Http() = default;
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;
  virtual ~Http() = default;

  [[nodiscard]] virtual std::unique_ptr<HttpExchange> start(HttpRequest request, HttpCallbacks callbacks) = 0;
};

}  // namespace holdfast::kube
