#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "common/base/log.h"

namespace holdfast::gateway {

/// One thing about a program's work that is as it should be, or is not.
struct Concern {
  std::string_view name;  ///< in CamelCase
  bool for_ready = true;  ///< nothing is ready while it is not well
  auto operator<=>(const Concern&) const = default;
};

/// How a program fares. Each change is one line in the log.
class Health {
 public:
  /// `needed` begin as not looked at. `log` outlives it.
  Health(Logger& log, std::span<const Concern> needed);

  /// `trouble`: what is wrong, with which object, and the cure; empty: all is well. Of it is shown what is
  /// printable, of a very long one the beginning: names and values in it come from outside.
  void set(const Concern& concern, const std::string& trouble);

  [[nodiscard]] bool is_well(const Concern& concern) const;
  [[nodiscard]] bool ready() const;
  /// What keeps it from being ready; empty when it is.
  [[nodiscard]] std::string first_trouble() const;
  /// A line each: "[+]RoutesInPlace ok" or "[-]RoutesInPlace failed: WHY".
  [[nodiscard]] std::string report() const;

 private:
  Logger& log_;
  std::map<Concern, std::string> troubles_;  // empty text: well
};

}  // namespace holdfast::gateway
