#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/cidr.h"
#include "egw-gateway/controller/seen_objects.h"

namespace holdfast::gateway {

/// One thing that is wrong with a pool: a condition that is False, and an Event.
struct PoolFinding {
  std::string_view type{};    ///< of the condition: one of those below
  std::string_view reason{};  ///< a constant, too
  std::string message{};      ///< with the cure

  bool operator==(const PoolFinding&) const = default;
};

/// Conditions of an EdgeGateway, all of them; True is good.
inline constexpr const char* kEnhanced = "Enhanced";  ///< a NodePool asks for gateways
inline constexpr const char* kAnnotationsUsable = "AnnotationsUsable";
inline constexpr const char* kConnectionKnown =
    "ConnectionKnown";  ///< the controller's configuration has the pool's CEN and CCN
inline constexpr const char* kRangesDisjoint = "RangesDisjoint";
inline constexpr const char* kServicesReachable =
    "ServicesReachable";  ///< no Service's address is among what is reached in the cloud
inline constexpr const char* kNodesSuffice = "NodesSuffice";
inline constexpr const char* kNodesInPlace = "NodesInPlace";  ///< no node's labels contradict each other
inline constexpr const char* kObjectsOwned =
    "ObjectsOwned";  ///< nobody else's object has the name of one of ours
inline constexpr const char* kObjectUsable =
    "ObjectUsable";  ///< the EdgeGateway can be read by all that need it
inline constexpr const char* kKeysUsable = "KeysUsable";
inline constexpr const char* kKeysCurrent = "KeysCurrent";    ///< no newer keys than those in use wait
inline constexpr const char* kTunnelsGiven = "TunnelsGiven";  ///< the pool's share of the cluster's tunnels
inline constexpr const char* kGatewaysReady = "GatewaysReady";

/// What a NodePool's annotations ask for.
struct PoolRequest {
  bool enhanced = false;  ///< it has at least one of the ids that only enhanced pools have
  bool usable = false;    ///< all is there and understood, and nothing contradicts
  std::uint32_t max_nodes = 0;
  std::vector<Cidr> pod_cidrs{};  ///< without host bits, in order
  std::string cen_id{};
  std::string ccn_id{};
  std::string ccn_region{};
  /// The annotations that count, to be kept with the EdgeGateway.
  Text accepted{};
  std::vector<PoolFinding> findings{};
};

/// `kept`: the annotations with which the pool was taken on (those of its EdgeGateway; others are skipped).
/// They count where the NodePool now says something else or nothing: none of them may change while gateways
/// stand. Whoever means it takes the annotation off the EdgeGateway. Pure.
[[nodiscard]] PoolRequest read_request(const NodePool& pool, const Text& kept);

/// Pairs of ranges that overlap, for people: of the pool's with each other, with those of its connection
/// (`cloud`: the VPC's, cloud pods', and access points' addresses) and with those of `others` (pool and
/// range).
struct OtherRange {
  std::string pool{};
  Cidr range{};
};
[[nodiscard]] std::vector<PoolFinding> find_overlaps(const std::vector<Cidr>& pods, const EdgeGateway& cloud,
                                                     const std::vector<OtherRange>& others);
/// The same of nodes' own addresses with the pool's ranges and the cloud's.
[[nodiscard]] std::vector<PoolFinding> find_misplaced_nodes(const std::vector<Cidr>& pods,
                                                            const EdgeGateway& cloud,
                                                            const std::vector<const PoolNode*>& nodes);

}  // namespace holdfast::gateway
