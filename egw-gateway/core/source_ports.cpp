#include "egw-gateway/core/source_ports.h"

#include <algorithm>

namespace holdfast::gateway {
namespace {

constexpr std::uint32_t kFirstPort = 49152;
constexpr std::uint32_t kPorts = 65536 - kFirstPort;

}  // namespace

std::uint16_t SourcePorts::see(const std::string& link, bool heard, std::chrono::nanoseconds now) {
  const auto [entry, first] = tunnels_.try_emplace(link);
  Tunnel& tunnel = entry->second;
  if (first || heard) {
    tunnel.since = now;
    tunnel.wait = kFirstWait;
  } else if (now - tunnel.since >= tunnel.wait) {
    tunnel.port = static_cast<std::uint16_t>(kFirstPort + random_() % kPorts);
    tunnel.since = now;
    tunnel.wait = std::min<std::chrono::nanoseconds>(2 * tunnel.wait, kLongestWait);
  }
  return tunnel.port;
}

void SourcePorts::keep(const std::set<std::string>& links) {
  std::erase_if(tunnels_, [&](const auto& entry) { return !links.contains(entry.first); });
}

}  // namespace holdfast::gateway
