#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

/// Tells the service manager (systemd) how a program fares. Without one it does nothing.
/// Source: sd_notify(3); the datagram's form needs no library.
class ServiceManager {
 public:
  /// `socket`: what NOTIFY_SOCKET holds in the environment; empty or not usable: there is no manager.
  explicit ServiceManager(std::string socket) : socket_(std::move(socket)) {}

  /// READY=1, once in the program's life.
  void ready();
  /// One line for people, when it is another than the last.
  void status(std::string_view text);
  void stopping();

 private:
  void send(const std::string& message) const;

  std::string socket_;
  bool told_ready_ = false;
  std::string status_;
};

}  // namespace holdfast
