#include "test/bench/cni/figures.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace holdfast::bench {
namespace {

double rounded(double milliseconds) { return std::round(milliseconds * 1e4) / 1e4; }

}  // namespace

double Figures::percentile_ms(double percent) const {
  if (times_.empty()) return 0;
  std::vector<std::chrono::nanoseconds> sorted = times_;
  std::sort(sorted.begin(), sorted.end());
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return std::chrono::duration<double, std::milli>(sorted[index]).count();
}

nlohmann::json Figures::to_json() const {
  return {
      {"p50", rounded(median_ms())}, {"p99", rounded(percentile_ms(99))}, {"min", rounded(percentile_ms(0))}};
}

}  // namespace holdfast::bench
