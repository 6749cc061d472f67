#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/cidr.h"
#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/http/request_head.h"

namespace holdfast::http {

struct Page {
  int status = 200;  ///< 200, 404, 503, ...
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

/// Serves small pages over HTTP/1.1 on an event loop: what probes and monitoring ask of a daemon. GET and
/// HEAD only; one answer a connection, which is closed behind it.
///
/// Nobody can hold up the loop or fill the memory: at most kMaxConnections at once (of more the oldest is
/// closed), heads of kMaxHeadBytes, and kPatience for a connection from its beginning to its end.
class PageServer {
 public:
  static constexpr std::size_t kMaxConnections = 32;
  static constexpr std::chrono::seconds kPatience{5};

  /// Answers at once. `head.method` is GET.
  using Handler = std::function<Page(const RequestHead& head)>;

  /// Listens on `address` (0.0.0.0: IPv4 only; ::: both families); port 0 takes a free one. `loop` outlives
  /// it. Errors: errno, naming the address and port.
  static Result<std::unique_ptr<PageServer>> listen(EventLoop& loop, const IpAddress& address,
                                                    std::uint16_t port, Handler handler);
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;
  ~PageServer();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  PageServer(EventLoop& loop, Fd listener, std::uint16_t port, Handler handler);
  void accept();
  void end(std::uint64_t key);

  EventLoop& loop_;
  Fd listener_;
  std::uint16_t port_;
  Handler handler_;
  EventLoop::Watch watch_;
  EventLoop::Timer rest_;
  std::uint64_t last_key_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;  // the oldest first
};

}  // namespace holdfast::http
