#include <algorithm>
#include <chrono>

#include "egw-gateway/core/core_agent.h"

namespace holdfast::gateway {
namespace {

/// -1: there was none. A clock that was set back makes none younger than new.
double age_of(const wireguard::PeerState& peer, std::chrono::system_clock::time_point now) {
  if (!peer.last_handshake) return -1;
  return std::max(0.0, std::chrono::duration<double>(now - *peer.last_handshake).count());
}

}  // namespace

CoreMetrics::CoreMetrics(Metrics& metrics)
    : all(metrics),
      switches(metrics.counter("egw_core_switches_total", "Changes from one access point to another.")),
      outages(metrics.counter("egw_core_outages_total", "Times that no access point was left.")),
      rules_mended(metrics.counter("egw_core_rules_mended_total",
                                   "Families whose packet-filter rules others had changed.")),
      tunnels_mended(metrics.counter("egw_core_tunnel_changes_total",
                                     "Looks at which a tunnel was made, changed or removed.")),
      routes_mended(metrics.counter("egw_core_routes_mended_total",
                                    "Looks at which routes were not as they had been put.")),
      nodes(metrics.gauge("egw_core_nodes", "Nodes that have asked whether this gateway lives.")),
      nodes_up(metrics.gauge("egw_core_nodes_up", "Nodes that are told that they may send.")),
      object_lost(
          metrics.gauge("egw_core_object_lost",
                        "Whether the pool's EdgeGateway is gone or was emptied, and counts no more.")),
      ready(metrics.gauge("egw_core_ready", "Whether the gateway is ready.")) {}

void CoreMetrics::show(const PassageCounts& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const Labels labels{{"passage", std::string(to_string(static_cast<Passage>(i)))}};
    all.gauge("egw_core_packets", "Packets that were forwarded or refused since the start, by who sent them.",
              labels)
        .set(static_cast<double>(counts.at(i).packets));
    all.gauge("egw_core_bytes", "The bytes of these packets.", labels)
        .set(static_cast<double>(counts.at(i).bytes));
  }
}

void CoreMetrics::show(const bfd::Keys& keys) {
  all.gauge("egw_core_bfd_key", "The id of the key that liveness is signed with.").set(keys.send.id);
  all.gauge("egw_core_bfd_keys", "How many keys are accepted; two while they are exchanged.")
      .set(1 + static_cast<double>(keys.also_accepted.size()));
}

void CoreMetrics::show_hindered(const std::string& peers, bool hindered) {
  all.gauge("egw_core_bfd_hindered",
            "Whether liveness is kept from working here: another BFD daemon has the port, say.",
            {{"peers", peers}})
      .set(hindered ? 1 : 0);
}

void CoreMetrics::show(const AccessTarget& target, const TunnelView& view, bool up,
                       std::chrono::system_clock::time_point now) {
  const Labels labels{{"access_point", target.name}};
  all.gauge("egw_core_access_point_up", "Whether the access point answers through its tunnel.", labels)
      .set(up ? 1 : 0);
  for (const wireguard::PeerState& peer : view.peers) {
    all.gauge("egw_core_handshake_age_seconds", "Since the tunnel's last handshake; -1: there was none.",
              labels)
        .set(age_of(peer, now));
    all.gauge("egw_core_tunnel_received_bytes", "By the tunnel, since it was made.", labels)
        .set(static_cast<double>(peer.received_bytes));
    all.gauge("egw_core_tunnel_sent_bytes", "By the tunnel, since it was made.", labels)
        .set(static_cast<double>(peer.sent_bytes));
  }
}

}  // namespace holdfast::gateway
