#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/event_loop.h"
#include "common/kube/events.h"

namespace holdfast::flannel {

/// Events on our Node for those who look after the cluster: one for each condition that is not well, once it
/// has been so for a while, and another when its message changes. What comes right again is told by the
/// object's status alone.
///
/// Not told: that the program starts, that the API server is out of reach, which nobody there could read, and
/// what flannel-controller has found, which tells it itself.
class ConditionEvents {
 public:
  /// `loop` and `recorder` outlive it. `settles`: for how long a condition is unwell before it is told.
  ConditionEvents(EventLoop& loop, kube::EventRecorder& recorder, std::string node,
                  std::chrono::milliseconds settles)
      : loop_(loop), recorder_(recorder), node_(std::move(node)), settles_(settles) {}

  /// As they are now.
  void told(std::vector<Condition> conditions);
  /// Without waiting whether it lasts: the program ends by it.
  void record(const Condition& condition);

 private:
  void watch();
  void settled();
  [[nodiscard]] bool is_news(const Condition& condition) const;

  EventLoop& loop_;
  kube::EventRecorder& recorder_;
  std::string node_;
  std::chrono::milliseconds settles_;
  std::vector<Condition> latest_;
  std::set<std::string> suspects_;               // types that were not well when settled_ was set
  std::map<std::string, std::string> recorded_;  // message, by type
  EventLoop::Timer settled_;
};

}  // namespace holdfast::flannel
