#include "cni-flannel/daemon/daemon_metrics.h"

#include <string>
#include <vector>

namespace holdfast::flannel {
namespace {

DaemonMetrics::Peers peers_of(Metrics& metrics, const std::string& family) {
  const Labels labels{{"family", family}};
  return {metrics.gauge("flanneld_peers_wanted", "Peers that the kernel is to know.", labels),
          metrics.gauge("flanneld_peers_programmed", "Peers that the kernel knows as wanted.", labels),
          metrics.gauge("flanneld_peers_failed", "Peers that the kernel would not take.", labels),
          metrics.gauge("flanneld_peers_rejected", "Nodes that must not be programmed.", labels),
          metrics.gauge("flanneld_shared_public_addresses",
                        "Public addresses that several peers have published.", labels)};
}

DaemonMetrics::Addresses addresses_of(Metrics& metrics, const std::string& family) {
  const Labels labels{{"family", family}};
  DaemonMetrics::Addresses out{
      metrics.gauge("flanneld_pod_addresses_used", "Addresses of this node that pods have; -1: not known.",
                    labels),
      metrics.gauge("flanneld_pod_addresses_free", "Addresses of this node that are nobody's; -1: not known.",
                    labels),
      metrics.gauge("flanneld_pod_addresses_bound",
                    "Addresses of this node that are kept for pods that are away; -1: not known.", labels)};
  out.unknown();
  return out;
}

Histogram& reconcile_histogram(Metrics& metrics, const std::string& what) {
  const std::vector<double> bounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
  return metrics.histogram("flanneld_reconcile_seconds",
                           "Time to make the kernel right: after a look at all of it, or for changed peers.",
                           bounds, {{"what", what}});
}

}  // namespace

void DaemonMetrics::Addresses::unknown() {
  for (Gauge* gauge : {&used, &free, &bound}) gauge->set(-1);
}

DaemonMetrics::DaemonMetrics(Metrics& metrics)
    : v4(peers_of(metrics, "ipv4")),
      v6(peers_of(metrics, "ipv6")),
      addresses4(addresses_of(metrics, "ipv4")),
      addresses6(addresses_of(metrics, "ipv6")),
      pods_outside_lease(metrics.gauge(
          "flanneld_pods_outside_lease",
          "Pods with addresses of an earlier pod CIDR, to which peers send nothing; -1: not known.")),
      peers_known(metrics.gauge("flanneld_nodes_known", "Nodes that are known, ourselves included.")),
      peers_leaving(metrics.gauge("flanneld_nodes_leaving",
                                  "Nodes that are gone and kept until the removal delay is over.")),
      whole_seconds(reconcile_histogram(metrics, "all")),
      change_seconds(reconcile_histogram(metrics, "peers")),
      netlink_errors(metrics.counter("flanneld_netlink_errors_total", "Requests that the kernel refused.")),
      netlink_resyncs(metrics.counter("flanneld_netlink_resyncs_total",
                                      "Times that events of the kernel were lost, and all was read again.")),
      device_made(metrics.counter("flanneld_device_made_total", "Times that a VXLAN device was made.")),
      mac_corrections(metrics.counter("flanneld_vtep_mac_corrections_total",
                                      "Times that a device's MAC was set back to ours.")),
      mac_contested(metrics.gauge("flanneld_vtep_mac_contested",
                                  "1 while somebody else sets a device's MAC again and again.")),
      rules_mended(
          metrics.counter("flanneld_rules_mended_total", "Times that rules were not as we left them.")),
      store_errors(metrics.counter("flanneld_store_errors_total", "Saves of the state that failed.")),
      source_reachable(metrics.gauge("flanneld_source_reachable", "1 while the lease source can be read.")),
      cidr_conflicts(metrics.gauge("flanneld_cidr_conflicts",
                                   "Ranges of the cluster that overlap others of this node or its peers.")),
      checksum_offload_off(metrics.gauge("flanneld_checksum_offload_off",
                                         "1 while the overlay's devices compute checksums themselves.")),
      path_mtu_too_small(metrics.gauge("flanneld_path_mtu_too_small",
                                       "Peers to which packets as large as the tunnel's do not get.")),
      path_mtu_searches(
          metrics.counter("flanneld_path_mtu_searches_total", "Times that the way to a peer was looked at.")),
      list_age(metrics.gauge("flanneld_authoritative_list_age_seconds",
                             "Time since the last authoritative list of nodes; -1 before the first.")),
      ready(metrics.gauge("flanneld_ready", "1 while the node is ready, as /readyz tells.")) {
  pods_outside_lease.set(-1);
  list_age.set(-1);
}

}  // namespace holdfast::flannel
