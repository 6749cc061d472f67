#pragma once

#include <array>

#include "egw-gateway/health/health.h"

/// What can ail a node of an enhanced pool.
namespace holdfast::gateway {

inline constexpr Concern kPoolKnown{"PoolKnown"};
inline constexpr Concern kRoutesInPlace{"RoutesInPlace"};
inline constexpr Concern kGatewayAlive{"GatewayAlive"};
inline constexpr Concern kGatewaysWatched{"GatewaysWatched"};
inline constexpr Concern kRulesInPlace{"RulesInPlace"};
inline constexpr Concern kSettingsRight{"SettingsRight"};
inline constexpr Concern kForwardingFree{"ForwardingFree", false};
inline constexpr Concern kKeysGuarded{"KeysGuarded", false};
inline constexpr Concern kServerExempt{"ServerExempt", false};
inline constexpr Concern kRangesClear{"RangesClear", false};
inline constexpr Concern kStateStored{"StateStored", false};
inline constexpr Concern kSourceHeard{"SourceHeard", false};
inline constexpr Concern kObjectStands{"ObjectStands", false};

/// What readiness needs.
inline constexpr std::array kNeededByHelper{kPoolKnown,       kRoutesInPlace, kGatewayAlive,
                                            kGatewaysWatched, kRulesInPlace,  kSettingsRight};

}  // namespace holdfast::gateway
