#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace holdfast::test {

/// A value that a structural schema refuses.
struct SchemaViolation {
  std::string field;  ///< "spec.flannel.podCidr"
  std::string found;  ///< "integer"
  std::string wanted;
};

/// What an API server does to an object of a custom resource before it keeps it: members that the schema does
/// not know are taken out, and a value of another type is refused; schema_bounds.h has the rest. Of OpenAPI's
/// words are understood: type, properties, items, additionalProperties and
/// x-kubernetes-preserve-unknown-fields. apiVersion, kind and metadata are always known.
[[nodiscard]] std::optional<SchemaViolation> fit_to_schema(nlohmann::json& object,
                                                           const nlohmann::json& schema);

}  // namespace holdfast::test
