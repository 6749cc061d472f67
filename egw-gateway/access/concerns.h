#pragma once

#include <array>

#include "egw-gateway/health/health.h"

namespace holdfast::gateway {

// What egw-access looks at.
inline constexpr Concern kTunnelsInPlace{"TunnelsInPlace"};
inline constexpr Concern kRulesInPlace{"RulesInPlace"};
inline constexpr Concern kRoutesInPlace{"RoutesInPlace"};
inline constexpr Concern kRangesClosed{"RangesClosed"};
inline constexpr Concern kRangesClear{"RangesClear", false};
inline constexpr Concern kGatewaysWatched{"GatewaysWatched"};
inline constexpr Concern kSettingsRight{"SettingsRight"};
inline constexpr Concern kKeysGuarded{"KeysGuarded", false};
inline constexpr Concern kRoutersTold{"RoutersTold", false};
inline constexpr Concern kPoolsServed{"PoolsServed", false};
inline constexpr Concern kGatewaysAlive{"GatewaysAlive", false};
inline constexpr Concern kVpcRoutes{"VpcRoutesInPlace", false};
inline constexpr Concern kStateStored{"StateStored", false};
inline constexpr Concern kSourceHeard{"SourceHeard", false};
inline constexpr Concern kObjectsStand{"ObjectsStand", false};

inline constexpr std::array kNeededForReady{kTunnelsInPlace, kRulesInPlace,    kRoutesInPlace,
                                            kRangesClosed,   kGatewaysWatched, kSettingsRight};

}  // namespace holdfast::gateway
