#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace holdfast {

/// "2026-11-21T02:54:07Z". Source: RFC 3339.
[[nodiscard]] std::string utc_text(std::chrono::sys_seconds time);
/// The reverse; nullopt for a text of another form, also another of RFC 3339.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_utc(const std::string& text);

/// Time, so that no test sleeps. The fake is test/fakes/fake_clock.h.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  /// For deadlines and intervals. Does not jump; counts while the machine is suspended (CLOCK_BOOTTIME).
  virtual std::chrono::nanoseconds since_boot() = 0;
  /// Wall clock, seconds since 1970 UTC. May jump and may be wrong by years on a box without a battery: for
  /// people to read and for time-outs of days, never for order.
  virtual std::chrono::sys_seconds now() = 0;
  virtual void sleep(std::chrono::nanoseconds duration) = 0;
};

class SystemClock final : public Clock {
 public:
  std::chrono::nanoseconds since_boot() override;
  std::chrono::sys_seconds now() override;
  void sleep(std::chrono::nanoseconds duration) override;
};

}  // namespace holdfast
