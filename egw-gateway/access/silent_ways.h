#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/wireguard/key.h"
#include "common/wireguard/tunnel.h"
#include "egw-gateway/access/access_plan.h"

namespace holdfast::gateway {

/// Finds gateways that WireGuard would never answer again by itself. It takes the first message of a
/// handshake only when its time is later than that of the last one of the same peer, as long as it has the
/// peer: a gateway that boots with its clock behind, as machines without a battery for it do, is not heard
/// until its clock has gone past where it was. To remove its peer and put it again forgets that time. What
/// that leaves to who has recorded an old first message is an answer that he cannot use.
/// Source: https://www.wireguard.com/papers/wireguard.pdf section 5.1
class SilentWays {
 public:
  /// For how long nothing has come by a way, whose gateway does not answer either, until its handshakes are
  /// forgotten; and from one time to the next.
  static constexpr std::chrono::seconds kSilence{30};

  /// What was found of a way at `now`. `up`: its gateway answers. Returns those of `peers` that are to be
  /// forgotten: only after kSilence in which nothing came, and only with a handshake to forget.
  std::vector<wireguard::PublicKey> see(const WayName& way, const std::vector<wireguard::PeerState>& peers,
                                        bool up, std::chrono::nanoseconds now);
  /// Ways that are none any more are not remembered.
  void keep(const std::set<WayName>& ways);

 private:
  struct Silence {
    std::uint64_t received_bytes = 0;
    std::chrono::nanoseconds since{};
  };
  std::map<WayName, Silence> silences_;
};

}  // namespace holdfast::gateway
