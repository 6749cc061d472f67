#include "egw-gateway/access/silent_ways.h"

namespace holdfast::gateway {

std::vector<wireguard::PublicKey> SilentWays::see(const WayName& way,
                                                  const std::vector<wireguard::PeerState>& peers, bool up,
                                                  std::chrono::nanoseconds now) {
  std::uint64_t received = 0;
  for (const wireguard::PeerState& each : peers) received += each.received_bytes;
  const auto [entry, first] = silences_.try_emplace(way, Silence{received, now});
  Silence& silence = entry->second;
  if (first || up || received != silence.received_bytes) {
    silence = {received, now};
    return {};
  }
  if (now - silence.since < kSilence) return {};
  std::vector<wireguard::PublicKey> out;
  for (const wireguard::PeerState& each : peers) {
    if (each.last_handshake) out.push_back(each.peer.key);
  }
  if (!out.empty()) silence.since = now;
  return out;
}

void SilentWays::keep(const std::set<WayName>& ways) {
  std::erase_if(silences_, [&](const auto& entry) { return !ways.contains(entry.first); });
}

}  // namespace holdfast::gateway
