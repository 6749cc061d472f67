#pragma once

#include <chrono>
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace holdfast::bench {

/// Measured times of one thing.
class Figures {
 public:
  void add(std::chrono::nanoseconds time) { times_.push_back(time); }
  [[nodiscard]] std::size_t count() const { return times_.size(); }
  /// Nearest rank, in milliseconds; `percent` 0 is the minimum. 0 when nothing was measured.
  [[nodiscard]] double percentile_ms(double percent) const;
  [[nodiscard]] double median_ms() const { return percentile_ms(50); }
  /// {"p50", "p99", "min"}, milliseconds.
  [[nodiscard]] nlohmann::json to_json() const;

 private:
  std::vector<std::chrono::nanoseconds> times_;
};

}  // namespace holdfast::bench
