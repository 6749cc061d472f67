#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace holdfast::kube {

/// Whether what a list does not hold may be taken for gone, by the lists' versions. A version that is lower
/// than one seen before tells that the cluster's store was restored from a copy, which may lack objects that
/// are alive: then two such lists are needed, kWait apart.
class ListAuthority {
 public:
  static constexpr std::chrono::minutes kWait{10};

  /// `known`: the highest version seen in this cluster, also before the program's start.
  explicit ListAuthority(std::optional<std::uint64_t> known, std::chrono::nanoseconds wait = kWait)
      : wait_(wait), known_(known.value_or(0)) {}

  /// Of an event or a bookmark.
  void saw(std::uint64_t version);
  /// Of a complete list that a watch has confirmed. `now` is since boot.
  [[nodiscard]] bool accepts(std::uint64_t version, std::chrono::nanoseconds now);
  /// A list was refused, and another is needed at this time.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> next_list_at() const;

 private:
  std::chrono::nanoseconds wait_;
  std::uint64_t known_;
  std::optional<std::chrono::nanoseconds> first_low_;  // when the first list of a restored store was seen
};

}  // namespace holdfast::kube
