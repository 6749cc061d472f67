#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::disk {

/// A place is where a disk can be attached: a zone, or in clouds that have none a region. Which node labels
/// tell it is data of the profile.
struct PlaceKeys {
  std::string place = {};              ///< what volumes are told to be accessible by; empty: everywhere
  std::vector<std::string> also = {};  ///< labels of nodes that tell the same
  std::string region = {};             ///< label of the region; empty: none is told
  bool operator==(const PlaceKeys&) const = default;
};

/// Of a profile's topology keys: the first one tells the place; others with the same word behind the last
/// slash tell it too.
[[nodiscard]] PlaceKeys place_keys(const std::vector<std::string>& topology_keys);

/// The labels of one topology.
using Segments = std::map<std::string, std::string>;
/// nullopt when they tell none.
[[nodiscard]] std::optional<std::string> place_in(const Segments& segments, const PlaceKeys& keys);

/// What pods that use the volume can reach, as CSI's accessibility requirements tell it.
struct Accessibility {
  std::vector<Segments> preferred = {};  ///< the best first: with WaitForFirstConsumer the pod's node
  std::vector<Segments> requisite = {};
};

/// The places to try, in this order: what is preferred, then what else is allowed, without those that
/// `allowed`, the class's zones, does not have; where that would leave none, all of them, as a disk is of use
/// where pods are (conflict_of() tells that). When nothing is said of what pods reach: the class's zones
/// from the `turn`-th on (another one for each volume), or `own`, the controller's place ("": the cloud's
/// choice).
[[nodiscard]] std::vector<std::string> places_to_try(const Accessibility& reached, const PlaceKeys& keys,
                                                     const std::vector<std::string>& allowed,
                                                     const std::string& own, std::size_t turn);

/// "the StorageClass has its disks in a, and pods reach b: ..." when no place is both; else empty.
[[nodiscard]] std::string conflict_of(const Accessibility& reached, const PlaceKeys& keys,
                                      const std::vector<std::string>& allowed);

/// Whether a disk in `place` is reached: also when nothing is said of what pods reach.
[[nodiscard]] bool is_reached(const Accessibility& reached, const PlaceKeys& keys, std::string_view place);

}  // namespace holdfast::disk
