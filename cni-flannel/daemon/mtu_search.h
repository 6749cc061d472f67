#pragma once

#include <cstdint>
#include <optional>

#include "cni-flannel/daemon/echo_prober.h"

namespace holdfast::flannel {

/// What the way to a host takes in one packet.
struct PathMtu {
  enum class Kind : std::uint8_t {
    kEnough,
    kTooSmall,
    kUnknown,  ///< the host answers nothing, of whatever size
  };
  Kind kind = Kind::kUnknown;
  std::uint32_t bytes = 0;  ///< of kTooSmall: what passes, to within kMtuGrain

  bool operator==(const PathMtu&) const = default;
};

inline constexpr std::uint32_t kMtuGrain = 8;

/// Finds out by echo requests whether packets of `needed` bytes pass: by what a router tells, and where large
/// packets vanish without a word, by halving. A request that may have been lost by chance is asked again.
/// Pure.
class MtuSearch {
 public:
  /// `smallest`: what every way takes (576 in IPv4, 1280 in IPv6).
  MtuSearch(std::uint32_t needed, std::uint32_t smallest);

  /// Size of the next request in bytes; nullopt when it is known.
  [[nodiscard]] std::optional<std::uint32_t> next() const;
  /// The answer to it.
  void take(const EchoAnswer& answer);
  [[nodiscard]] const std::optional<PathMtu>& found() const { return found_; }

 private:
  void passed();
  void vanished();
  void narrow();

  std::uint32_t needed_;
  std::uint32_t passes_ = 0;  // known to; 0: nothing yet
  std::uint32_t fails_;       // known not to, or suspected
  std::uint32_t smallest_;
  std::uint32_t asked_;
  std::uint32_t told_ = 0;  // by a router
  unsigned silent_ = 0;     // times in a row, of this size
  std::optional<PathMtu> found_;
};

}  // namespace holdfast::flannel
