#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/inspect/inspector.h"

namespace holdfast::gateway {

/// What `holdfast` says of the gateways of this node's pool: in `doctor`, and in `explain` of an address that
/// is no pod's and no node's.
class GatewayInspector final : public Inspector {
 public:
  /// Both outlive it.
  GatewayInspector(Files& files, Clock& clock) : files_(files), clock_(clock) {}

  void add_flags(Flags& flags) override;
  [[nodiscard]] std::vector<Finding> examine() override;
  [[nodiscard]] Explanation explain(const std::string& subject) override;

 private:
  Files& files_;
  Clock& clock_;
  std::filesystem::path state_dir_;  // empty: the running egw-helper's, or the usual one
};

}  // namespace holdfast::gateway
