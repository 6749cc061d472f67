#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "egw-gateway/core/reachability.h"

namespace holdfast::test {

/// A network namespace with links and addresses.
class Place {
 public:
  Place();
  /// What a shell command prints in it; one that fails fails the case.
  [[nodiscard]] std::string run(const std::string& command) const;
  [[nodiscard]] int netns() const { return netns_.get(); }

 private:
  Fd netns_;
};

/// An edge, a cloud and two gateways between them, which forward as soon as somebody lets them: veths without
/// neighbours stand for tunnels.
///
///     edge (pods and nodes)   eth0 --- bridge --- eth0   gateway a   wg0 --- wg0   cloud (VPC and pods)
///                                          \----- eth0   gateway b   wg0 --- wg1
///
/// The edge sends by gateway a, the cloud answers by a; send_by() changes one or the other.
///
///     edge    pods      10.244.1.20, 10.244.2.20; fd00:244:0:1::20, fd00:244:0:2::20
///             a node's  10.244.2.0, 10.244.2.1, 192.168.77.2; fd00:244:0:2::1, fd00:77::2
///             else      192.168.77.9; fd00:77::9
///     cloud   VPC 172.16.0.5, pod 10.200.0.5, else 203.0.113.5; fd00:172::5, fd00:200::5, fd00:203::5
class GatewayWorld {
 public:
  GatewayWorld();

  /// The rules for this world.
  [[nodiscard]] static gateway::Reachability wanted();
  void send_by(const Place& sender, const Place& gateway) const;

  Place edge;
  Place a;
  Place b;
  Place cloud;

 private:
  Place lan_;
};

/// A datagram on its way from `from` at `sender` to `to` at `receiver`.
class Datagram {
 public:
  Datagram(const Place& sender, const IpAddress& from, const Place& receiver, const IpAddress& to);

  struct Fate {
    std::optional<IpAddress> seen_as;  ///< where it came from as the receiver sees it; unset: it is not there
    bool refused = false;              ///< the sender was told that it is prohibited
  };
  /// As soon as it is one of the two, or after `patience`.
  [[nodiscard]] Fate fate(std::chrono::milliseconds patience);

 private:
  Fd receiver_;
  Fd sender_;
};

/// A connection in which 64 KiB go there and come back. Whether all did, each within `patience`.
bool talk(const Place& client, const IpAddress& from, const Place& server, const IpAddress& to,
          std::chrono::milliseconds patience);

/// The MSS that each side is told by the other's SYN, as it arrives.
struct ToldMss {
  int server = 0;
  int client = 0;
};
ToldMss told_mss(const Place& client, const IpAddress& from, const Place& server, const IpAddress& to);

}  // namespace holdfast::test
