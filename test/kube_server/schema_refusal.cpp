#include "test/kube_server/schema_refusal.h"

#include <nlohmann/json.hpp>
#include <string>

#include "test/kube_server/schema.h"
#include "test/kube_server/schema_bounds.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kUnprocessable = 422;

struct Cause {
  std::string reason;
  std::string field;
  std::string words;
};

Reply refusal(const ServedKind& kind, const json& object, const Cause& cause) {
  const std::string name = object["metadata"].value("name", "");
  const std::string named_kind = kind.kind + "." + kind.group;
  json body = failure(kUnprocessable, "Invalid",
                      named_kind + " \"" + name + "\" is invalid: " + cause.field + ": " + cause.words);
  body["details"] = {
      {"name", name},
      {"group", kind.group},
      {"kind", kind.kind},
      {"causes",
       json::array({{{"reason", cause.reason}, {"message", cause.words}, {"field", cause.field}}})}};
  return reply_with(kUnprocessable, body);
}

std::optional<Reply> refused_definition(const ServedKind& kind, const json& definition) {
  for (const json& version : definition["spec"].value("versions", json::array())) {
    const json schema = version.value(json::json_pointer("/schema/openAPIV3Schema"), json::object());
    if (const auto word = unheeded_word(schema)) {
      return refusal(kind, definition,
                     {"FieldValueNotSupported", "spec.versions", "not known here: " + *word});
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Reply> refused_by_types(const ServedKind& kind, json& object) {
  if (!kind.custom) {
    return std::nullopt;
  }
  const json schema = kind.definition.value(json::json_pointer("/schema/openAPIV3Schema"), json::object());
  const auto wrong = fit_to_schema(object, schema);
  if (!wrong) {
    return std::nullopt;
  }
  return refusal(kind, object,
                 {"FieldValueTypeInvalid", wrong->field,
                  "Invalid value: \"" + wrong->found + "\": " + wrong->field + " in body must be of type " +
                      wrong->wanted + ": \"" + wrong->found + "\""});
}

std::optional<Reply> refused_by_bounds(const ServedKind& kind, const json& before, json& object) {
  if (kind.kind == "CustomResourceDefinition") {
    return refused_definition(kind, object);
  }
  const json::json_pointer where("/schema/openAPIV3Schema");
  if (!kind.custom || !kind.definition.contains(where)) {
    return std::nullopt;
  }
  const json& schema = kind.definition.at(where);
  set_schema_defaults(object, schema);
  const auto wrong = broken_bound(object, before, schema);
  return wrong ? std::optional(refusal(kind, object, {"FieldValueInvalid", wrong->field, wrong->words}))
               : std::nullopt;
}

}  // namespace holdfast::test
