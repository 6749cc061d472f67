#include "test/kube_server/renditions.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr const char* kMetaVersion = "meta.k8s.io/v1";

json metadata_of(const json& object) {
  return {{"kind", "PartialObjectMetadata"}, {"apiVersion", kMetaVersion}, {"metadata", object["metadata"]}};
}

// ".spec.flannel.podCIDRs[1]" as a JSON pointer.
json::json_pointer pointer_to(std::string path) {
  std::erase(path, ']');
  std::ranges::replace(path, '.', '/');
  std::ranges::replace(path, '[', '/');
  return json::json_pointer(path);
}

// A cell is what has the column's type; text is made of all that a column of type string finds.
json cell_of(const json& object, const json& column) {
  const auto pointer = pointer_to(column["jsonPath"]);
  if (!object.contains(pointer)) {
    return nullptr;
  }
  const json& value = object[pointer];
  const std::string type = column["type"];
  if (type == "string" || type == "date") {
    return value.is_string() ? value : json(value.dump());
  }
  const bool fits = type == "boolean" ? value.is_boolean() : value.is_number();
  return fits ? value : json();
}

json columns_of(const ServedKind& kind) {
  if (kind.custom && kind.definition.contains("additionalPrinterColumns")) {
    return kind.definition["additionalPrinterColumns"];
  }
  return json::array({{{"name", "Age"}, {"type", "date"}, {"jsonPath", ".metadata.creationTimestamp"}}});
}

json headers_of(const ServedKind& kind) {
  json out = json::array({{{"name", "Name"},
                           {"type", "string"},
                           {"format", "name"},
                           {"description", "Name must be unique within a namespace."},
                           {"priority", 0}}});
  for (const json& column : columns_of(kind)) {
    out.push_back({{"name", column["name"]},
                   {"type", column["type"]},
                   {"format", column.value("format", "")},
                   {"description", column.value("description", "")},
                   {"priority", column.value("priority", 0)}});
  }
  return out;
}

// An element of a list: those of built-in kinds do not repeat what the list says.
json item_of(const ServedKind& kind, const json& object) {
  json out = object;
  if (!kind.custom) {
    out.erase("apiVersion");
    out.erase("kind");
  }
  return out;
}

json row_of(const ServedKind& kind, const json& object, const std::string& include_object) {
  json cells = json::array({object["metadata"].value("name", "")});
  for (const json& column : columns_of(kind)) {
    cells.push_back(cell_of(object, column));
  }
  const bool none = include_object == "None";
  return {{"cells", std::move(cells)},
          {"object", none                         ? json()
                     : include_object == "Object" ? object
                                                  : metadata_of(object)}};
}

json table_of(const ServedKind& kind, const json& metadata, json rows, bool with_headers) {
  return {{"kind", "Table"},
          {"apiVersion", kMetaVersion},
          {"metadata", metadata},
          {"columnDefinitions", with_headers ? headers_of(kind) : json()},
          {"rows", std::move(rows)}};
}

bool all_terms(const std::string& selector, const std::function<bool(const std::string& term)>& holds) {
  std::size_t at = 0;
  while (at < selector.size()) {
    const std::size_t end = std::min(selector.find(',', at), selector.size());
    if (!holds(selector.substr(at, end - at))) {
      return false;
    }
    at = end + 1;
  }
  return true;
}

bool label_holds(const json& labels, const std::string& term) {
  const std::size_t equals = term.find('=');
  if (equals == std::string::npos) {
    return labels.contains(term);
  }
  const std::size_t value = term.find_first_not_of('=', equals);
  return labels.value(term.substr(0, equals), "") == (value == std::string::npos ? "" : term.substr(value));
}

}  // namespace

Rendition Rendition::asked_for(const std::string& accept, const std::string& include_object) {
  Rendition out;
  if (accept.find("as=Table") != std::string::npos) {
    out.form = Form::kTable;
  } else if (accept.find("as=PartialObjectMetadata") != std::string::npos) {
    out.form = Form::kMetadata;
  }
  out.include_object = include_object.empty() ? out.include_object : include_object;
  return out;
}

json Rendition::of_object(const ServedKind& kind, const json& object, bool with_headers) const {
  if (form == Form::kWhole) {
    return object;
  }
  if (form == Form::kMetadata) {
    return metadata_of(object);
  }
  return table_of(kind, {{"resourceVersion", object["metadata"]["resourceVersion"]}},
                  json::array({row_of(kind, object, include_object)}), with_headers);
}

json Rendition::of_list(const ServedKind& kind, const std::vector<StoredObject>& objects,
                        const json& metadata) const {
  json items = json::array();
  for (const StoredObject& object : objects) {
    items.push_back(form == Form::kTable      ? row_of(kind, *object, include_object)
                    : form == Form::kMetadata ? metadata_of(*object)
                                              : item_of(kind, *object));
  }
  if (form == Form::kTable) {
    return table_of(kind, metadata, std::move(items), /*with_headers=*/true);
  }
  const bool whole = form == Form::kWhole;
  return {{"kind", whole ? kind.kind + "List" : "PartialObjectMetadataList"},
          {"apiVersion", whole ? kind.api_version() : kMetaVersion},
          {"metadata", metadata},
          {"items", std::move(items)}};
}

bool is_selected(const json& object, const std::string& label_selector, const std::string& field_selector) {
  const json labels = object["metadata"].value("labels", json::object());
  return all_terms(label_selector, [&](const std::string& term) { return label_holds(labels, term); }) &&
         all_terms(field_selector, [&](const std::string& term) {
           const std::size_t equals = std::min(term.find('='), term.size());
           const auto pointer = pointer_to("." + term.substr(0, equals));
           return object.contains(pointer) &&
                  object[pointer] == term.substr(std::min(equals + 1, term.size()));
         });
}

}  // namespace holdfast::test
