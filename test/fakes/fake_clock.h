#pragma once

#include <chrono>

#include "common/base/clock.h"

namespace holdfast::test {

/// Time that moves only when told to or slept on. Not thread-safe.
class FakeClock final : public Clock {
 public:
  std::chrono::nanoseconds boot_time{std::chrono::hours(1)};
  std::chrono::sys_seconds wall_time{std::chrono::sys_days{std::chrono::year{2024} / 5 / 1}};
  std::chrono::nanoseconds slept{};  ///< total of all sleeps

  std::chrono::nanoseconds since_boot() override { return boot_time; }
  std::chrono::sys_seconds now() override {
    return wall_time + std::chrono::floor<std::chrono::seconds>(moved_);
  }
  void sleep(std::chrono::nanoseconds duration) override {
    slept += duration;
    advance(duration);
  }
  /// Moves both clocks.
  void advance(std::chrono::nanoseconds duration) {
    boot_time += duration;
    moved_ += duration;
  }

 private:
  std::chrono::nanoseconds moved_{};
};

}  // namespace holdfast::test
