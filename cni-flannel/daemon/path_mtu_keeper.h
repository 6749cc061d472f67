#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/echo_prober.h"
#include "cni-flannel/daemon/mtu_search.h"
#include "cni-flannel/daemon/overlay_keeper.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

namespace holdfast::flannel {

/// Asks the peers' hosts by and by whether what the tunnels send gets there in one piece, and tells of those
/// where it does not as condition PathMtuTooSmall. New peers first, kAtOnce at a time and kBurst in a row,
/// then one every kOneEvery in turn: some 300 KB a day, however many peers there are. Changes no MTU: what an
/// operator sets for all nodes is better than each node's own.
class PathMtuKeeper {
 public:
  static constexpr std::size_t kAtOnce = 4;
  static constexpr unsigned kBurst = 32;
  static constexpr std::chrono::minutes kOneEvery{15};
  static constexpr std::chrono::milliseconds kPatience{1000};  ///< with an answer; a satellite takes 700

  struct Tools {
    EventLoop& loop;
    Logger& log;
    Conditions& conditions;
    Gauge& too_small;   ///< peers
    Counter& searches;  ///< that came to an end
  };
  struct Peer {
    std::string node;
    IpAddress address;
  };
  /// The ways of one family.
  struct Ways {
    IpAddress from;
    std::uint32_t needed = 0;  ///< bytes of the largest packet of the tunnel
    std::vector<Peer> peers;
  };

  explicit PathMtuKeeper(const Tools& tools) : tools_(tools) {}
  PathMtuKeeper(const PathMtuKeeper&) = delete;
  PathMtuKeeper& operator=(const PathMtuKeeper&) = delete;
  ~PathMtuKeeper() = default;

  /// From now on. With another address of ours, or another size, all peers are new.
  void follow(Ways ways);

 private:
  struct Known {
    std::string node;
    std::optional<MtuSearch> search;  // running
    PathMtu found;
  };
  struct Family {
    Ways ways;
    std::map<IpAddress, Known> peers;
    std::deque<IpAddress> fresh;  // never asked yet
    std::deque<IpAddress> asked;  // in the order of their turns
    std::unique_ptr<EchoProber> prober;
    bool broken = false;
  };
  void begin(Family& family);
  void begin_fresh(Family& family);
  void begin_search(Family& family, const IpAddress& peer);
  void ask(Family& family, const IpAddress& peer);
  void ended(Family& family, const IpAddress& peer, const PathMtu& found);
  void set_timer();
  void take_turn();
  void tell();

  Tools tools_;
  std::map<IpFamily, Family> families_;
  std::size_t running_ = 0;
  unsigned budget_ = kBurst;
  EventLoop::Timer turn_;
};

/// The ways of one family's tunnels, whose device carries packets of `mtu` bytes. nullopt while there is
/// none.
[[nodiscard]] std::optional<PathMtuKeeper::Ways> tunnel_ways(const OverlayKeeper& overlay, IpFamily family,
                                                             std::uint32_t mtu);

}  // namespace holdfast::flannel
