#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace holdfast::test {

/// What an object may not be by its schema, though its types are right.
struct BrokenBound {
  std::string field;  ///< "spec.gateways[0].name"; empty: the object
  std::string words;  ///< "Too long: may not be more than 63 characters"
};

/// Puts `default`s in the place of members that are not there. `object` has the types of the schema.
void set_schema_defaults(nlohmann::json& object, const nlohmann::json& schema);

/// The first bound that `object` breaks; nothing: none. Of OpenAPI's words those count that our manifests
/// have: enum, format (date-time, int32, int64), maximum, minimum, maxItems, minItems, maxLength, minLength,
/// maxProperties, pattern, required, x-kubernetes-list-type (map) and x-kubernetes-validations; rules that
/// speak of oldSelf only where `before` has a value, and not within lists. `before`: null when the object is
/// new.
/// Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
[[nodiscard]] std::optional<BrokenBound> broken_bound(const nlohmann::json& object,
                                                      const nlohmann::json& before,
                                                      const nlohmann::json& schema);

/// A word of the schema that neither this nor fit_to_schema() heeds; nothing: none.
[[nodiscard]] std::optional<std::string> unheeded_word(const nlohmann::json& schema);

}  // namespace holdfast::test
