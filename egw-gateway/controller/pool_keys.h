#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "egw-gateway/controller/gateway_keys.h"
#include "egw-gateway/controller/seen_objects.h"

namespace holdfast::gateway {

/// A pool's WireGuard keys, as its Secret holds them. A change of keys loses no packet, because no end uses
/// what the other does not know:
///
///     in use --another word in kRotateAnnotation, or their lifetime--> new ones offered beside them, and
///     their public halves published
///            --all access points take them, or kAcceptedAnnotation is their number--> the gateways take them,
///              one after the other
///            --both have--> the old ones are forgotten
struct PoolKeys {
  std::uint64_t number = 0;  ///< of those in use, from 1
  std::optional<std::uint64_t> offered{};
  bool taken = false;                                 ///< those offered, by all access points
  std::string rotated_for{};                          ///< the word that asked for the newest
  std::optional<std::chrono::sys_seconds> changed{};  ///< when the newest were made; unset: not known
  std::map<std::string, std::string> private_keys{};  ///< by key_name(), base64

  /// Of a gateway, those in use first.
  [[nodiscard]] std::vector<std::string> public_keys(const std::string& gateway) const;
};

/// Errors: kDataLoss, naming what is missing or is no key, with the cure.
[[nodiscard]] Result<PoolKeys> read_keys(const SeenSecret& secret);

/// What the Secret holds of it.
[[nodiscard]] Text annotations_of(const PoolKeys& keys);
[[nodiscard]] Text data_of(const PoolKeys& keys);

/// The first ones of a pool, or those after ones that were lost.
[[nodiscard]] PoolKeys first_keys(std::uint64_t number, const FreshKeys& fresh, std::chrono::sys_seconds now);
/// With others offered.
[[nodiscard]] PoolKeys with_offer(PoolKeys keys, const std::string& word, const FreshKeys& fresh,
                                  std::chrono::sys_seconds now);
/// With those that were offered alone.
[[nodiscard]] PoolKeys with_offer_taken(PoolKeys keys);

}  // namespace holdfast::gateway
