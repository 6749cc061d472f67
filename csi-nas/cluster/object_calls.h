#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>

#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/kube/object_client.h"

namespace holdfast::nas {

/// Calls of an ObjectClient for threads that wait for them, which are not the loop's.
class ObjectCalls {
 public:
  /// Begins a call that ends with `done`; called on the loop.
  using Begin = std::function<kube::ObjectClient::CallPtr(kube::ObjectClient::Done done)>;

  /// `loop` outlives it, and it those who wait.
  explicit ObjectCalls(EventLoop& loop) : loop_(loop) {}
  ObjectCalls(const ObjectCalls&) = delete;
  ObjectCalls& operator=(const ObjectCalls&) = delete;
  ~ObjectCalls() = default;

  /// What the call ends with. `patience` is somewhat more than the call's own deadline. Errors: the call's;
  /// kUnavailable when the loop is too busy.
  Result<nlohmann::json> wait_for(std::chrono::milliseconds patience, const Begin& begin);

 private:
  EventLoop& loop_;
  std::uint64_t last_ = 0;                                      // both are the loop's
  std::map<std::uint64_t, kube::ObjectClient::CallPtr> calls_;  // on their way
};

}  // namespace holdfast::nas
