#pragma once

#include <chrono>
#include <cstdint>

namespace holdfast {

/// Waits between attempts: exponential with full jitter. The n-th wait (from 0) is evenly spread over
/// 0..min(longest, first * 2^n), so that many who failed together do not come back together.
/// Deterministic for a seed; give every process its own. Not thread-safe.
/// Source: "Exponential Backoff And Jitter",
/// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
class Backoff {
 public:
  /// 0 < first <= longest.
  Backoff(std::chrono::nanoseconds first, std::chrono::nanoseconds longest, std::uint64_t seed);
  /// The wait before the next attempt.
  [[nodiscard]] std::chrono::nanoseconds next();
  /// After a success: the next wait is short again.
  void reset() { bound_ = first_; }

 private:
  std::chrono::nanoseconds first_;
  std::chrono::nanoseconds longest_;
  std::chrono::nanoseconds bound_;
  std::uint64_t state_;
};

}  // namespace holdfast
