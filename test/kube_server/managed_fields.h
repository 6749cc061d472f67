#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace holdfast::test {

/// Who writes to an object, as its metadata.managedFields tell it.
struct FieldWriter {
  std::string manager;
  std::string operation;  ///< "Apply" or "Update"
  std::string subresource;
  std::string api_version;
  std::string time;
};

/// metadata.managedFields of `after`, which `writer` made of `before` (null: it is new) by a create, an
/// update or a patch: the fields that differ are the writer's now, and nobody else's. `schema`: as
/// apply_fields() has it.
void record_update(const nlohmann::json& before, nlohmann::json& after, const FieldWriter& writer,
                   const nlohmann::json* schema = nullptr);

/// Server-side apply of `applied` to `object`, which is changed: the members of `applied` are the writer's,
/// those it applied before and leaves out now are gone unless another has them too. Lists are applied as one
/// value, but those that `schema`, the object's openAPIV3Schema, gives the type map: their elements are told
/// by their members x-kubernetes-list-map-keys, and each of their members is somebody's. No defaults of keys;
/// two elements of one key in `applied` become one.
///
/// Without `force`, the other manager's name and the field's path when a field has another value and is
/// another's; `object` is of no use then.
/// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
struct ApplyConflict {
  std::string manager;
  std::string field;  ///< ".spec.flannel.publicIP", ".status.accessPoints[name=\"one\"].active"
};
[[nodiscard]] std::optional<ApplyConflict> apply_fields(nlohmann::json& object, const nlohmann::json& applied,
                                                        const FieldWriter& writer, bool force,
                                                        const nlohmann::json* schema = nullptr);

}  // namespace holdfast::test
