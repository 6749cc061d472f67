#include "test/kube_server/schema.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace holdfast::test {
namespace {

using nlohmann::json;

std::string type_of(const json& value) {
  if (value.is_number_integer()) {
    return "integer";
  }
  return value.type_name();
}

bool is_of_type(const json& value, const std::string& type) {
  return type.empty() || type_of(value) == type || (type == "number" && value.is_number());
}

std::optional<SchemaViolation> fit(json& value, const json& schema, const std::string& path);

std::optional<SchemaViolation> fit_members(json& value, const json& schema, const std::string& path) {
  const json properties = schema.value("properties", json::object());
  const json others = schema.value("additionalProperties", json());
  const bool keeps_all = schema.value("x-kubernetes-preserve-unknown-fields", false);
  std::vector<std::string> unknown;
  for (auto& [name, member] : value.items()) {
    const bool known = properties.contains(name);
    if (!known && !others.is_object() && !keeps_all) {
      unknown.push_back(name);
      continue;
    }
    const json& its_schema = known ? properties[name] : others;
    if (its_schema.is_object()) {
      if (auto wrong = fit(member, its_schema, path.empty() ? name : path + "." + name)) {
        return wrong;
      }
    }
  }
  for (const std::string& name : unknown) {
    value.erase(name);
  }
  return std::nullopt;
}

std::optional<SchemaViolation> fit(json& value, const json& schema, const std::string& path) {
  const std::string type = schema.value("type", "");
  if (!is_of_type(value, type)) {
    return SchemaViolation{.field = path, .found = type_of(value), .wanted = type};
  }
  if (value.is_object()) {
    return fit_members(value, schema, path);
  }
  if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto wrong = fit(value[i], schema["items"], path + "[" + std::to_string(i) + "]")) {
        return wrong;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<SchemaViolation> fit_to_schema(json& object, const json& schema) {
  json whole = schema;
  whole["properties"]["apiVersion"] = {{"type", "string"}};
  whole["properties"]["kind"] = {{"type", "string"}};
  whole["properties"]["metadata"] = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  return fit(object, whole, "");
}

}  // namespace holdfast::test
