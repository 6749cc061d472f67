#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/fd.h"
#include "egw-gateway/bfd/engine.h"
#include "egw-gateway/bfd/udp_transport.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::bfd::test {

inline IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

/// Two namespaces with a link `eth0` between them, 10.0.0.1 and .2, fd00::1 and ::2, fe80::1 and ::2; behind
/// the second a third with 10.0.1.3 and fd01::3 by `eth1`, so that the second is a router too.
class World {
 public:
  World();
  [[nodiscard]] int left() const { return left_.get(); }
  [[nodiscard]] int right() const { return right_.get(); }
  [[nodiscard]] int far() const { return far_.get(); }
  /// Loses BFD packets that arrive there, without a word.
  static void lose_all_to(int netns);
  static void let_all_to(int netns);

 private:
  Fd left_ = holdfast::test::new_netns();
  Fd right_ = holdfast::test::new_netns();
  Fd far_ = holdfast::test::new_netns();
};

/// An engine with its sockets in a namespace.
class Node {
 public:
  Node(EventLoop& loop, int netns);
  /// Adds in the namespace.
  SessionId add(const SessionConfig& config);
  [[nodiscard]] Result<SessionId> try_add(const SessionConfig& config);
  [[nodiscard]] SessionState state(SessionId id) const { return engine_->find(id).value().state; }
  [[nodiscard]] bool is(SessionId id, State state) const { return this->state(id).state == state; }
  Engine& engine() { return *engine_; }
  [[nodiscard]] std::uint64_t refused(Refusal refusal) const {
    return engine_->counters().refused.at(static_cast<std::size_t>(refusal));
  }
  /// Forgets its engine as a kill does, and has a new one.
  void restart();

  std::vector<StateChange> changes;

 private:
  EventLoop& loop_;
  int netns_;
  std::unique_ptr<UdpTransport> transport_;
  std::unique_ptr<Engine> engine_;
};

/// A world, and an event loop for the engines in it.
struct LiveWorld : World {
  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();

  /// Turns until `holds`; fails the case after 30 s.
  void until(const std::function<bool()>& holds);
  /// Turns for that long.
  void turn_for(std::chrono::milliseconds time);
};

/// A session of 100 ms x 3.
[[nodiscard]] SessionConfig config(Hops hops, const std::string& local, const std::string& peer,
                                   int interface = 0);

}  // namespace holdfast::bfd::test
