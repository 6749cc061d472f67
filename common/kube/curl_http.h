#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/metrics.h"
#include "common/base/result.h"
#include "common/kube/config.h"
#include "common/kube/http.h"

namespace holdfast::kube {

class CurlEngine;

/// Http over libcurl's multi interface on an event loop. HTTP/1.1 with kept connections, so that a watch and
/// a write do not share the fate of one; gzip is asked for. Connections are kept alive by TCP: a peer that
/// vanished without a word is noticed within kPeerLost also when nothing is to be sent. Credentials are read
/// again when they change, and after a 401 and a server that could not be verified.
///
/// Metric: holdfast_api_bytes_total{resource, direction="sent|received"}, heads and bodies as they are on the
/// wire within TLS, counted as they come.
///
/// Source: https://curl.se/libcurl/c/libcurl-multi.html (multi_socket)
class CurlHttp final : public Http {
 public:
  static constexpr std::chrono::seconds kPeerLost{105};

  /// `loop`, `files` and `metrics` outlive it. `user_agent` is fixed for a program ("flanneld"): local caches
  /// key on it. Errors: kInternal when libcurl cannot be set up.
  [[nodiscard]] static Result<std::unique_ptr<CurlHttp>> create(EventLoop& loop, const Config& config,
                                                                Files& files, Metrics& metrics,
                                                                std::string user_agent);
  CurlHttp(const CurlHttp&) = delete;
  CurlHttp& operator=(const CurlHttp&) = delete;
  ~CurlHttp() override;

  [[nodiscard]] std::unique_ptr<HttpExchange> start(HttpRequest request, HttpCallbacks callbacks) override;

 private:
  explicit CurlHttp(std::unique_ptr<CurlEngine> engine);

  std::unique_ptr<CurlEngine> engine_;
};

}  // namespace holdfast::kube
