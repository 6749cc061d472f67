#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "test/kube_server/kinds.h"
#include "test/kube_server/object_store.h"

namespace holdfast::test {

/// In which form objects are sent: as they are, their metadata only, or as rows of a table.
/// Source:
/// https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
struct Rendition {
  enum class Form { kWhole, kMetadata, kTable };
  Form form = Form::kWhole;
  std::string include_object = "Metadata";  ///< of a row: "None", "Metadata" or "Object"

  /// By the request's Accept and its query parameter includeObject.
  static Rendition asked_for(const std::string& accept, const std::string& include_object);

  [[nodiscard]] nlohmann::json of_object(const ServedKind& kind, const nlohmann::json& object,
                                         bool with_headers) const;
  /// `metadata` is the list's.
  [[nodiscard]] nlohmann::json of_list(const ServedKind& kind, const std::vector<StoredObject>& objects,
                                       const nlohmann::json& metadata) const;
};

/// Whether an object is among those that a labelSelector (equality and existence) and a fieldSelector
/// (equality) name; empty ones name all.
[[nodiscard]] bool is_selected(const nlohmann::json& object, const std::string& label_selector,
                               const std::string& field_selector);

}  // namespace holdfast::test
