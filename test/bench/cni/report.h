#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "test/bench/cni/contest.h"

namespace holdfast::bench {

/// A figure with the most it may be.
struct Bar {
  std::string name;
  double value = 0;
  double limit = 0;
  std::string rule;  ///< how `limit` comes about
  [[nodiscard]] bool pass() const { return value <= limit; }
};

/// The bars of the plugin; a static binary counts as 0 needed libraries against 0.
std::vector<Bar> judge(const Outcome& outcome);

/// One object with everything that was measured.
nlohmann::json to_json(const Options& options, const Outcome& outcome, const std::vector<Bar>& bars);
/// The same for a person.
std::string to_table(const Options& options, const Outcome& outcome, const std::vector<Bar>& bars);

}  // namespace holdfast::bench
