#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cni-flannel/daemon/node_annotations.h"
#include "cni-flannel/daemon/node_network_object.h"
#include "common/base/json.h"

namespace holdfast::flannel {

/// Our NodeNetworkConfiguration as we apply it; the operator's fields stay the operator's. `node_uid`: the
/// life of our Node that its pod CIDRs are for; empty: not known.
[[nodiscard]] nlohmann::json applied_object(NodeNetwork own, const std::string& node_uid);
/// What an object tells as that; empty: nothing.
[[nodiscard]] std::string leased_uid_of(const JsonObject& object);
/// Whether `object` has all that `wanted` has.
[[nodiscard]] bool holds(const nlohmann::json& object, const nlohmann::json& wanted);
/// Conditions are the same when nothing but times differs.
[[nodiscard]] bool same_conditions(const std::vector<Condition>& a, const std::vector<Condition>& b);

/// Whether a Node's condition NetworkUnavailable is False.
[[nodiscard]] bool network_is_up(const JsonObject& node);
/// The status of a Node that sets it so.
[[nodiscard]] nlohmann::json network_up_status(const std::string& time);

}  // namespace holdfast::flannel
