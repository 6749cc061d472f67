#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "egw-gateway/controller/seen_objects.h"

namespace holdfast::gateway {

/// What all pools' objects have alike.
struct ObjectOptions {
  std::string name_space{};
  std::string image{};  ///< that has the programs in its PATH
  /// As Kubernetes has it. A site that is cut off has no registry.
  std::string image_pull_policy = "IfNotPresent";
};

/// Objects as they are applied: labels that make them ours, and their own checksum as kWantedAnnotation.

/// `spec`: whole but for its pool's name.
[[nodiscard]] nlohmann::json edge_gateway_object(const std::string& pool, const EdgeGateway& spec,
                                                 const Text& annotations);
/// `data` in base64.
[[nodiscard]] nlohmann::json secret_object(const ObjectOptions& options, const std::string& pool,
                                           const std::string& name, const Text& annotations,
                                           const Text& data);
[[nodiscard]] nlohmann::json budget_object(const ObjectOptions& options, const std::string& pool);
/// egw-core with the key of this number, also on nodes with `taints`, which are keys.
[[nodiscard]] nlohmann::json core_object(const ObjectOptions& options, const std::string& pool,
                                         const std::string& gateway, std::uint64_t key_number,
                                         const std::set<std::string>& taints);
[[nodiscard]] nlohmann::json helper_object(const ObjectOptions& options, const std::string& pool);

/// The checksum in an object of these.
[[nodiscard]] std::string wanted_of(const nlohmann::json& object);
/// "a-1": of the Secret with keys.
[[nodiscard]] std::string key_name(const std::string& gateway, std::uint64_t number);

}  // namespace holdfast::gateway
