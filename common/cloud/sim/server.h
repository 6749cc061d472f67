#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "common/cloud/sim/request.h"

namespace holdfast::cloud::sim {

struct ServerReply {
  int status = 200;
  std::string body = {};
  std::string retry_after = {};          ///< seconds; empty: no such header
  std::chrono::milliseconds delay = {};  ///< before it is sent
  bool drop = false;                     ///< the connection ends in place of an answer
};

/// HTTP/1.1 on 127.0.0.1 with kept connections, on an event loop: one request after the other on each, JSON
/// back. For programs and tests of one machine; it bounds what one connection may send, not how many there
/// are.
class Server {
 public:
  using Handler = std::function<ServerReply(const ServerRequest&)>;

  /// `port` 0 takes a free one. `loop` and `clock` outlive it. Errors: errno, naming the port.
  static Result<std::unique_ptr<Server>> listen(EventLoop& loop, Clock& clock, std::uint16_t port,
                                                Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// "http://127.0.0.1:8080".
  [[nodiscard]] std::string url() const;

 private:
  class Connection;
  Server(EventLoop& loop, Clock& clock, Fd listener, std::uint16_t port, Handler handler);
  void accept();
  void end(std::uint64_t key);

  EventLoop& loop_;
  Clock& clock_;
  Fd listener_;
  std::uint16_t port_;
  Handler handler_;
  EventLoop::Watch watch_;
  std::uint64_t last_key_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
};

}  // namespace holdfast::cloud::sim
