#include "egw-gateway/helper/helper_metrics.h"

namespace holdfast::gateway {

HelperMetrics::HelperMetrics(Metrics& metrics)
    : all(metrics),
      switches(metrics.counter("egw_helper_switches_total", "Changes from one gateway to another.")),
      outages(metrics.counter("egw_helper_outages_total", "Times that no gateway was left.")),
      routes_mended(metrics.counter("egw_helper_routes_mended_total",
                                    "Looks at which routes or rules of ours were not as they had been put.")),
      rules_mended(metrics.counter("egw_helper_rules_mended_total",
                                   "Sets of packet-filter rules that others had changed.")),
      resyncs(
          metrics.counter("egw_helper_netlink_resyncs_total", "Times that events of the kernel were lost.")),
      refused(metrics.gauge(
          "egw_helper_refused_packets",
          "Packets dropped since the rules were put: the first of connections from the cloud to "
          "this node, and those for the cloud that others send by it.")),
      passed_over(metrics.gauge("egw_helper_routes_passed_over",
                                "Routes of others for all or a part of a range, which count for nothing.")),
      bfd_hindered(
          metrics.gauge("egw_helper_bfd_hindered",
                        "Whether liveness is kept from working here: another BFD daemon has the port, say.")),
      ranges(metrics.gauge("egw_helper_ranges", "Blocks of addresses that are routed to a gateway.")),
      object_lost(metrics.gauge("egw_helper_object_lost",
                                "Whether the pool's EdgeGateway is gone or was emptied, or this node is none "
                                "of the pool's any more.")),
      ready(metrics.gauge("egw_helper_ready", "Whether the node is ready.")) {}

}  // namespace holdfast::gateway
