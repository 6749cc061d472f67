#pragma once

#include <array>

#include "common/base/cidr.h"
#include "common/base/metrics.h"

namespace holdfast::flannel {

/// The metrics that flanneld serves at /metrics.
struct DaemonMetrics {
  /// `metrics` outlives it.
  explicit DaemonMetrics(Metrics& metrics);

  struct Peers {
    Gauge& wanted;
    Gauge& programmed;
    Gauge& failed;
    Gauge& rejected;
    Gauge& shared_addresses;
  };
  [[nodiscard]] Peers& peers(IpFamily family) { return family == IpFamily::kV4 ? v4 : v6; }

  /// Of the node's pod CIDR; -1: not known.
  struct Addresses {
    Gauge& used;
    Gauge& free;   ///< neither used nor bound
    Gauge& bound;  ///< reserved for pods that are away
    void unknown();
  };
  [[nodiscard]] Addresses& addresses(IpFamily family) {
    return family == IpFamily::kV4 ? addresses4 : addresses6;
  }

  Peers v4;
  Peers v6;
  Addresses addresses4;
  Addresses addresses6;
  Gauge& pods_outside_lease;  ///< -1: not known
  Gauge& peers_known;
  Gauge& peers_leaving;  ///< gone, and kept until the removal delay is over
  Histogram& whole_seconds;
  Histogram& change_seconds;
  Counter& netlink_errors;
  Counter& netlink_resyncs;
  Counter& device_made;
  Counter& mac_corrections;
  Gauge& mac_contested;
  Counter& rules_mended;
  Counter& store_errors;
  Gauge& source_reachable;
  Gauge& cidr_conflicts;
  Gauge& checksum_offload_off;
  Gauge& path_mtu_too_small;
  Counter& path_mtu_searches;
  Gauge& list_age;  ///< seconds; -1: there was none yet
  Gauge& ready;
};

}  // namespace holdfast::flannel
