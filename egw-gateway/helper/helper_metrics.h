#pragma once

#include "common/base/metrics.h"

namespace holdfast::gateway {

/// What egw-helper shows of itself.
struct HelperMetrics {
  explicit HelperMetrics(Metrics& metrics);

  Metrics& all;  ///< for those with a gateway's name
  Counter& switches;
  Counter& outages;
  Counter& routes_mended;
  Counter& rules_mended;
  Counter& resyncs;
  Gauge& refused;
  Gauge& passed_over;
  Gauge& bfd_hindered;
  Gauge& ranges;
  Gauge& object_lost;
  Gauge& ready;
};

}  // namespace holdfast::gateway
