#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cni-flannel/daemon/own_objects.h"

namespace holdfast::flannel {

/// What the cluster has, as far as it was read; nullopt: it has none.
struct OwnObjects::Known {
  bool object_read = false;
  std::optional<NodeNetworkObject> object;
  NodeNetworkStatus status;
  std::optional<nlohmann::json> applied;  // last, by us, in this life
  std::chrono::nanoseconds applied_at{};
  bool judgement_is_due = false;  // flannel-controller's may be another
  std::string leased_uid;         // life of the Node that the object's pod CIDRs are for; empty: not told
  bool node_read = false;
  bool whole_node_needed = false;  // its metadata did not tell what is needed
  std::string node_uid;
  Annotations annotations;
  bool network_up = false;
  std::vector<Cidr> pod_cidrs;  // of the Node
};

/// Of one read or write, attempts included.
inline constexpr std::chrono::milliseconds kOwnObjectCall{60'000};
/// At least, between a failure and the next attempt.
inline constexpr std::chrono::seconds kOwnObjectWait{2};

}  // namespace holdfast::flannel
