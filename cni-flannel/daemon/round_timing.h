#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace holdfast::flannel {

/// How a look at everything ended.
struct RoundEnd {
  bool whole = false;  ///< all is as it should be
  /// There is a lease and an interface. Without, nothing helps before something is told.
  bool can_try = false;
  /// Since boot, when a contested MAC may be looked at; nullopt: none is.
  std::optional<std::chrono::nanoseconds> contest_look{};
};

struct RoundWaits {
  std::chrono::nanoseconds retry;    ///< at least, after a failure
  std::chrono::nanoseconds contest;  ///< at least, before a look at a contested MAC
};

/// Whether it is tried again soon.
[[nodiscard]] inline bool is_retried(const RoundEnd& end) { return !end.whole && end.can_try; }

/// In which time the next look at everything is due, if nothing happens: `resync`, or after a failure
/// `backoff` and a bit, or when a contested MAC may be looked at.
[[nodiscard]] inline std::chrono::nanoseconds next_round_in(const RoundEnd& end, std::chrono::nanoseconds now,
                                                            std::chrono::nanoseconds resync,
                                                            std::chrono::nanoseconds backoff,
                                                            const RoundWaits& waits) {
  const std::chrono::nanoseconds wait = is_retried(end) ? waits.retry + backoff : resync;
  return end.contest_look ? std::min(wait, std::max(waits.contest, *end.contest_look - now)) : wait;
}

}  // namespace holdfast::flannel
