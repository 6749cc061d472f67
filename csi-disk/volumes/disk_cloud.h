#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::disk {

inline constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// The sizes in which a cloud sells a type of disks.
struct SizeRange {
  std::string type = {};   ///< empty: any that has no range of its own
  std::string level = {};  ///< of types that have performance levels; empty: when none is told
  std::uint64_t least_gib = 0;
  std::uint64_t most_gib = 0;
  std::uint64_t step_gib = 1;
};

/// What tells one cloud's disks from another's. Data, so that one controller serves them all; which API is
/// called is the backend's matter.
struct DiskCloud {
  std::string name;  ///< as --profile says it: "alibaba"
  /// What its users call parameters of classes, in lower case, beside the driver's own names.
  std::map<std::string, std::string> aliases = {};
  /// What to try when a class does not say which type, or says `available`; "" is the cloud's own choice.
  std::vector<std::string> usual_types = {};
  std::vector<SizeRange> sizes = {};
  /// Types whose operations per second and bursting are bought beside their size; empty: any.
  std::vector<std::string> provisioned_types = {};
  /// Types of which a disk is in all zones of its region.
  std::vector<std::string> regional_types = {};

  /// Whether there are such disks: it has a range of their own, or one for any type.
  [[nodiscard]] bool sells(std::string_view type) const;
  /// Whether disks of that type have performance levels.
  [[nodiscard]] bool has_levels(std::string_view type) const;
  /// Whether operations per second and bursting are bought for disks of that type beside their size.
  [[nodiscard]] bool provisions(std::string_view type) const;
  /// nullopt: there is no such disk.
  [[nodiscard]] std::optional<SizeRange> range_of(std::string_view type, std::string_view level) const;
};

/// alibaba, ens, eck, cbs, sim.
[[nodiscard]] const std::vector<DiskCloud>& known_clouds();
/// Errors: kInvalidArgument, naming those that there are.
[[nodiscard]] Result<DiskCloud> known_cloud(std::string_view name);

/// One of which nothing is known: which types and sizes there are is left to the backend.
[[nodiscard]] DiskCloud any_cloud();

/// What somebody wants of a disk's size, in bytes.
struct SizeWish {
  std::uint64_t required_bytes = 0;  ///< 0: the smallest that there is
  std::uint64_t limit_bytes = 0;     ///< 0: none
  bool round_up_small = false;       ///< less than 20 GiB becomes 20 GiB rather than an error
};

/// The size of a disk that fits, in GiB: never less than required. Errors: kOutOfRange, saying what the type
/// has or that the limit lies below it; kInvalidArgument when there is no such type or level.
[[nodiscard]] Result<std::uint64_t> fitting_gib(const DiskCloud& cloud, std::string_view type,
                                                std::string_view level, const SizeWish& wish);

}  // namespace holdfast::disk
