#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/worker.h"
#include "egw-gateway/access/routes/route_provider.h"

namespace holdfast::gateway {

/// Publishes ranges on a thread of its own: the latest that were wanted, one publication after the other.
/// What stands there is looked at again by every want().
class RoutePublisher {
 public:
  using Told = std::function<void(const RouteAnswer<Publication>&)>;

  /// `loop` and `provider` outlive it. The thread has the caller's network namespace.
  RoutePublisher(EventLoop& loop, RouteProvider& provider, std::chrono::milliseconds patience, Told told)
      : provider_(provider), patience_(patience), told_(std::move(told)), worker_(loop) {}
  RoutePublisher(const RoutePublisher&) = delete;
  RoutePublisher& operator=(const RoutePublisher&) = delete;
  ~RoutePublisher() = default;

  void want(std::vector<PodRange> ranges);

 private:
  void publish();
  void published(const RouteAnswer<Publication>& answer);

  RouteProvider& provider_;
  const std::chrono::milliseconds patience_;
  Told told_;
  std::vector<PodRange> wanted_;
  bool busy_ = false;
  bool again_ = false;
  Worker worker_;
};

}  // namespace holdfast::gateway
