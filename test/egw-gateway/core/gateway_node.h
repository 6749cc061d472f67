#pragma once

#include <string>

#include "test/egw-gateway/core/core_scene.h"

namespace holdfast::test {

/// The scene's edge as node box-1, on which egw-helper runs beside the pod of egw-core: its link to the core
/// stands for the CNI plugin's bridge. Both look at all once a second.
class GatewayNode : public CoreScene {
 public:
  GatewayNode();

  void start_helper();
  /// Of a page of egw-helper's metrics; -1: there is none.
  [[nodiscard]] double helper_metric(const std::string& name) const;

  Program helper;
};

}  // namespace holdfast::test
