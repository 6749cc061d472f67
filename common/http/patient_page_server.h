#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/http/listen_address.h"
#include "common/http/page_server.h"

namespace holdfast::http {

/// A PageServer that waits for its port: one that somebody else has is no reason for a node without a daemon.
/// It is told, and tried again.
class PatientPageServer {
 public:
  /// `loop` and `log` outlive it. `flags`: those that tell the address, for people.
  PatientPageServer(EventLoop& loop, const ListenAddress& where, PageServer::Handler handler, Logger& log,
                    std::string flags)
      : loop_(loop), where_(where), handler_(std::move(handler)), log_(log), flags_(std::move(flags)) {}
  PatientPageServer(const PatientPageServer&) = delete;
  PatientPageServer& operator=(const PatientPageServer&) = delete;
  ~PatientPageServer() = default;

  /// Does nothing for port 0.
  void start();
  [[nodiscard]] bool serving() const { return server_ != nullptr; }

 private:
  static constexpr std::chrono::seconds kAgain{5};

  EventLoop& loop_;
  ListenAddress where_;
  PageServer::Handler handler_;
  Logger& log_;
  std::string flags_;
  bool told_ = false;
  std::unique_ptr<PageServer> server_;
  EventLoop::Timer next_;
};

}  // namespace holdfast::http
