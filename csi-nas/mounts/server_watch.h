#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "common/base/event_loop.h"
#include "csi-nas/nfs/server_states.h"

namespace holdfast::nas {

struct ServerWatchOptions {
  std::chrono::nanoseconds interval = std::chrono::seconds(3);  ///< from an answer to the next question
  std::chrono::nanoseconds patience = std::chrono::seconds(2);  ///< with an answer
  std::chrono::nanoseconds idle = std::chrono::minutes(1);      ///< a server that nobody uses is forgotten
};

/// Asks each server over a TCP connection of its own, by a call that touches no file (null_call.h): one
/// question at a time, whatever hangs in the kernel. A server that is late once is suspect and asked again,
/// and dead when it is late again: with the defaults 5 to 7 seconds after it was last heard of. One that
/// never answered is dead at once. The next answer makes it alive.
///
/// Made, used through keep(), and destroyed on the loop's thread; the rest from any.
class ServerWatch final : public ServerStates {
 public:
  explicit ServerWatch(EventLoop& loop, ServerWatchOptions options = {});
  ServerWatch(const ServerWatch&) = delete;
  ServerWatch& operator=(const ServerWatch&) = delete;
  ~ServerWatch() override;

  [[nodiscard]] ServerHealth health(const ServerAddress& server) const override;
  [[nodiscard]] ServerHealth settled(const ServerAddress& server, std::chrono::nanoseconds patience) override;
  void suspect(const ServerAddress& server) override;

  /// The servers in use, which are asked; others are no longer, after a while.
  void keep(const std::set<ServerAddress>& in_use);
  /// What is known of all that are asked.
  [[nodiscard]] std::map<ServerAddress, ServerHealth> all() const;

 private:
  class Prober;
  struct Known {
    ServerState state = ServerState::kUnknown;
    std::chrono::nanoseconds heard{};  // of it, since boot; at first, when it was asked for
    int error = 0;                     // as of ServerHealth
  };

  void ask(const ServerAddress& server, bool at_once);
  void heard(const ServerAddress& server, bool answered, int error);
  [[nodiscard]] ServerHealth look(const ServerAddress& server) const;

  EventLoop& loop_;
  ServerWatchOptions options_;
  mutable std::mutex mutex_;  // guards known_
  std::condition_variable news_;
  std::map<ServerAddress, Known> known_;
  // Of the loop's thread:
  std::map<ServerAddress, std::unique_ptr<Prober>> probers_;
  std::map<ServerAddress, std::chrono::nanoseconds> unused_;  // since when
  // What is posted to the loop does nothing once this is gone.
  std::shared_ptr<ServerWatch*> self_;
};

}  // namespace holdfast::nas
