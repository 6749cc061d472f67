#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/base/log.h"

namespace holdfast::gateway {

/// One thing about this node that is as it should be, or is not.
struct Concern {
  std::string_view name;  ///< in CamelCase
  bool for_ready = true;  ///< the node is not ready while it is not well
  auto operator<=>(const Concern&) const = default;
};

inline constexpr Concern kPoolKnown{"PoolKnown"};
inline constexpr Concern kRoutesInPlace{"RoutesInPlace"};
inline constexpr Concern kGatewayAlive{"GatewayAlive"};
inline constexpr Concern kGatewaysWatched{"GatewaysWatched"};
inline constexpr Concern kRulesInPlace{"RulesInPlace"};
inline constexpr Concern kSettingsRight{"SettingsRight"};
inline constexpr Concern kServerExempt{"ServerExempt", false};
inline constexpr Concern kRangesClear{"RangesClear", false};
inline constexpr Concern kStateStored{"StateStored", false};
inline constexpr Concern kSourceHeard{"SourceHeard", false};

/// How this node fares. Each change is one line in the log.
class Health {
 public:
  /// What readiness needs begins as not looked at. `log` outlives it.
  explicit Health(Logger& log);

  /// `trouble`: what is wrong, with which object, and the cure; empty: all is well. Of it is shown what is
  /// printable, of a very long one the beginning: names and values in it come from outside.
  void set(const Concern& concern, const std::string& trouble);

  [[nodiscard]] bool is_well(const Concern& concern) const;
  [[nodiscard]] bool ready() const;
  /// What keeps the node from being ready; empty when it is.
  [[nodiscard]] std::string first_trouble() const;
  /// A line each: "[+]RoutesInPlace ok" or "[-]RoutesInPlace failed: WHY".
  [[nodiscard]] std::string report() const;

 private:
  Logger& log_;
  std::map<Concern, std::string> troubles_;  // empty text: well
};

}  // namespace holdfast::gateway
