#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

namespace holdfast::gateway {

/// From which port each tunnel sends. Whoever translates addresses on the way keeps what he knows of a flow
/// for as long as its packets come, and those of a tunnel always come: where that is wrong by now, as the
/// site's router has gone over to another line, or was not translating when the first packet came, nobody is
/// heard by the tunnel any more. From another port it is another flow.
class SourcePorts {
 public:
  /// For how long nobody is heard by a tunnel until it gets another port; from one time to the next it is
  /// twice as long, up to kLongestWait.
  static constexpr std::chrono::seconds kFirstWait{30};
  static constexpr std::chrono::seconds kLongestWait{600};

  using Random = std::function<std::uint32_t()>;
  explicit SourcePorts(Random random) : random_(std::move(random)) {}

  /// What was found of a tunnel at `now`. `heard`: its access point answers. Returns its port, of those that
  /// are nobody's (RFC 6335 section 6); 0: the one that it has.
  std::uint16_t see(const std::string& link, bool heard, std::chrono::nanoseconds now);
  /// Tunnels that are none any more are not remembered.
  void keep(const std::set<std::string>& links);

 private:
  struct Tunnel {
    std::uint16_t port = 0;
    std::chrono::nanoseconds since{};  // it is not heard, or has this port
    std::chrono::nanoseconds wait = kFirstWait;
  };
  Random random_;
  std::map<std::string, Tunnel> tunnels_;
};

}  // namespace holdfast::gateway
