#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/base/cidr.h"
#include "common/base/result.h"
#include "egw-gateway/choice/gateway_choice.h"

namespace holdfast::gateway {

/// A gateway whose life is to be watched.
struct LivenessTarget {
  std::string gateway{};
  IpAddress local{};  ///< from which it is spoken to
  IpAddress peer{};   ///< its pod
  std::chrono::milliseconds interval{};
  int multiplier = 0;

  bool operator==(const LivenessTarget&) const = default;
};

/// Finds out which gateways are alive. On the event loop; nothing blocks.
class GatewayLiveness {
 public:
  /// `why`: for people. Never called from within want().
  using Told = std::function<void(const std::string& gateway, Word word, const std::string& why)>;

  GatewayLiveness() = default;
  GatewayLiveness(const GatewayLiveness&) = delete;
  GatewayLiveness& operator=(const GatewayLiveness&) = delete;
  virtual ~GatewayLiveness() = default;

  virtual void on_change(Told told) = 0;
  /// These and no others from now on. One whose addresses are the same goes on undisturbed. Errors: the
  /// first; what can be watched is.
  virtual Status want(const std::vector<LivenessTarget>& targets) = 0;
};

}  // namespace holdfast::gateway
