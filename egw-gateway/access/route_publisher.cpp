#include "egw-gateway/access/route_publisher.h"

#include <memory>
#include <utility>

namespace holdfast::gateway {

void RoutePublisher::want(std::vector<PodRange> ranges) {
  wanted_ = std::move(ranges);
  again_ = true;
  publish();
}

void RoutePublisher::publish() {
  if (busy_ || !again_) return;
  busy_ = true;
  again_ = false;
  const auto answer =
      std::make_shared<RouteAnswer<Publication>>();  // shared by the job and what comes after it
  worker_.run([this, ranges = wanted_, answer] { *answer = provider_.publish(ranges, patience_); },
              [this, answer] { published(*answer); });
}

void RoutePublisher::published(const RouteAnswer<Publication>& answer) {
  busy_ = false;
  told_(answer);
  publish();
}

}  // namespace holdfast::gateway
