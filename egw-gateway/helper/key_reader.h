#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "egw-gateway/bfd/authentication.h"

namespace holdfast::gateway {

/// Reads a file of keys now and then, because they are exchanged while programs run
/// (controller/liveness_keys.h). One that cannot be read changes nothing, and is told once. On the event
/// loop.
class KeyReader {
 public:
  using Told = std::function<void(const bfd::Keys& keys)>;

  /// All outlives it. `known`: what was read at the start; `told` is called for what differs from it, and
  /// from what was told last. An empty path: never.
  KeyReader(EventLoop& loop, Files& files, Logger& log, std::filesystem::path path,
            std::chrono::nanoseconds interval, std::optional<bfd::Keys> known, Told told);

 private:
  void read();
  void read_later();

  EventLoop& loop_;
  Files& files_;
  Logger& log_;
  std::filesystem::path path_;
  std::chrono::nanoseconds interval_;
  std::optional<bfd::Keys> known_;
  Told told_;
  std::string trouble_;
  EventLoop::Timer timer_;
};

}  // namespace holdfast::gateway
