#pragma once

#include <array>

#include "egw-gateway/health/health.h"

/// What can ail a gateway.
namespace holdfast::gateway::core_concern {

inline constexpr Concern kPoolKnown{"PoolKnown"};
inline constexpr Concern kKeyUsable{"KeyUsable"};
inline constexpr Concern kRulesInPlace{"RulesInPlace"};
inline constexpr Concern kTunnelsInPlace{"TunnelsInPlace"};
inline constexpr Concern kRoutesInPlace{"RoutesInPlace"};
inline constexpr Concern kSettingsRight{"SettingsRight"};
inline constexpr Concern kCloudReachable{"CloudReachable"};
inline constexpr Concern kNodesHeard{"NodesHeard"};
inline constexpr Concern kAccessPointsWatched{"AccessPointsWatched", false};
inline constexpr Concern kLivenessKeysRead{"LivenessKeysRead", false};
inline constexpr Concern kKeysGuarded{"KeysGuarded", false};
inline constexpr Concern kKeyKnown{"KeyKnown", false};
inline constexpr Concern kPoolClear{"PoolClear", false};
inline constexpr Concern kStateStored{"StateStored", false};
inline constexpr Concern kSourceHeard{"SourceHeard", false};
inline constexpr Concern kObjectStands{"ObjectStands", false};

/// What readiness needs.
inline constexpr std::array kNeeded{kPoolKnown,     kKeyUsable,     kRulesInPlace,   kTunnelsInPlace,
                                    kRoutesInPlace, kSettingsRight, kCloudReachable, kNodesHeard};

}  // namespace holdfast::gateway::core_concern
