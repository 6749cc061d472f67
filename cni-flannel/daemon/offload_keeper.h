#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cni-flannel/daemon/checksum_probe.h"
#include "cni-flannel/daemon/conditions.h"
#include "cni-flannel/daemon/wanted_peers.h"
#include "common/base/backoff.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

namespace holdfast::flannel {

/// What is done about checksums that the overlay's devices leave to the hardware.
enum class ChecksumOffload : std::uint8_t {
  kTest,  ///< turned off where a test shows that they arrive wrong
  kOff,
  kLeave,
};

/// Finds out with the help of a peer whether checksums left to the external interface arrive right, and has
/// the overlay's devices compute them themselves where they do not (tx checksum offload off on flannel.1; the
/// external interface is not touched). It is believed only when kPairs datagrams with a checksum left out are
/// lost, as many with one arrive, and the next without arrives once the offload is off. What was found counts
/// for the interface and the kernel that it was found with, and is remembered for them.
class OffloadKeeper {
 public:
  static constexpr unsigned kPairs = 3;

  struct Tools {
    EventLoop& loop;
    Logger& log;
    Conditions& conditions;
    Gauge& off;
    std::function<void()> remembered;  ///< called when remembers() is another
  };
  OffloadKeeper(Tools tools, ChecksumOffload way, std::uint64_t seed);
  OffloadKeeper(const OffloadKeeper&) = delete;
  OffloadKeeper& operator=(const OffloadKeeper&) = delete;
  ~OffloadKeeper();

  /// What was remembered in an earlier run.
  void recall(std::string broken_with) { broken_with_ = std::move(broken_with); }
  /// The interface and kernel with which checksums arrive wrong; empty: none.
  [[nodiscard]] const std::string& remembers() const { return broken_with_; }

  /// The devices are there, or are new: makes them as it is known. `link`: the external interface's name.
  void apply(const std::string& link, const std::vector<std::string>& devices);
  /// Peers' device addresses are known: tests, if there is something to be found out.
  void look(const IpAddress& from, std::vector<IpAddress> peers);

 private:
  enum class Phase : std::uint8_t { kIdle, kTesting, kConfirming };

  [[nodiscard]] bool wants_off() const;
  void set_devices(bool offload);
  void begin_pairs(Phase phase);
  void send_pair();
  void take(const ChecksumAnswers& answers);
  void settle(bool broken);
  void try_another();
  void tell();

  Tools tools_;
  ChecksumOffload way_;
  std::string broken_with_;
  std::string current_;  // interface and kernel
  std::string link_;
  std::vector<std::string> devices_;
  IpAddress from_;
  std::vector<IpAddress> peers_;
  std::size_t peer_ = 0;  // the one that is asked
  bool known_ = false;    // the test has come to an end with current_
  Phase phase_ = Phase::kIdle;
  unsigned pairs_ = 0;
  std::unique_ptr<ChecksumProbe> probe_;
  Backoff waits_;
  EventLoop::Timer next_;
};

/// The addresses of their devices of the peers that are reached through the tunnel.
[[nodiscard]] std::vector<IpAddress> tunnel_ends(std::span<const WantedPeer> peers);

}  // namespace holdfast::flannel
