#include "test/kube_server/immutable.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kUnprocessable = 422;

// A member that cannot be changed. `standard` is what it has when nothing is said.
struct Fixed {
  const char* kind;
  const char* pointer;
  json standard;
  const char* words;
  bool tells_value;
};

constexpr const char* kImmutable = "field is immutable";

const std::vector<Fixed>& fixed_members() {
  static const std::vector<Fixed> members{
      {"DaemonSet", "/spec/selector", nullptr, kImmutable, true},
      {"Deployment", "/spec/selector", nullptr, kImmutable, true},
      {"StorageClass", "/parameters", json::object(), "updates to parameters are forbidden.", false},
      {"StorageClass", "/provisioner", "", "updates to provisioner are forbidden.", false},
      {"StorageClass", "/reclaimPolicy", "Delete", "updates to reclaimPolicy are forbidden.", false},
      {"StorageClass", "/volumeBindingMode", "Immediate", kImmutable, true},
      {"CSIDriver", "/spec/attachRequired", true, kImmutable, true},
      {"CSIDriver", "/spec/volumeLifecycleModes", json::array({"Persistent"}), kImmutable, true},
      {"RoleBinding", "/roleRef", nullptr, "cannot change roleRef", true},
      {"ClusterRoleBinding", "/roleRef", nullptr, "cannot change roleRef", true},
  };
  return members;
}

// "/spec/selector" as messages name it.
std::string field_of(std::string pointer) {
  pointer.erase(0, 1);
  for (char& each : pointer) {
    if (each == '/') each = '.';
  }
  return pointer;
}

Reply refusal(const ServedKind& kind, const json& object, const std::string& field, const std::string& reason,
              const std::string& words) {
  const std::string name = object["metadata"].value("name", "");
  const std::string named_kind = kind.kind + "." + kind.group;
  json body = failure(kUnprocessable, "Invalid",
                      named_kind + " \"" + name + "\" is invalid: " + field + ": " + words);
  body["details"] = {{"name", name},
                     {"group", kind.group},
                     {"kind", kind.kind},
                     {"causes", json::array({{{"reason", reason}, {"message", words}, {"field", field}}})}};
  return reply_with(kUnprocessable, body);
}

json labels_of_pods(const json& object) {
  return object.value(json::json_pointer("/spec/template/metadata/labels"), json::object());
}

bool selects_its_pods(const json& object) {
  const json labels = labels_of_pods(object);
  const json wanted = object.value(json::json_pointer("/spec/selector/matchLabels"), json::object());
  for (const auto& [name, value] : wanted.items()) {
    if (!labels.contains(name) || labels[name] != value) return false;
  }
  return true;
}

}  // namespace

std::optional<Reply> refused_as_immutable(const ServedKind& kind, const json& before, const json& after) {
  if (kind.custom) return std::nullopt;
  if (kind.group == "apps" && !selects_its_pods(after)) {
    return refusal(
        kind, after, "spec.template.metadata.labels", "FieldValueInvalid",
        "Invalid value: " + labels_of_pods(after).dump() + ": `selector` does not match template `labels`");
  }
  if (before.is_null()) return std::nullopt;
  for (const Fixed& each : fixed_members()) {
    const json::json_pointer pointer(each.pointer);
    if (kind.kind != each.kind || before.value(pointer, each.standard) == after.value(pointer, each.standard))
      continue;
    const std::string found = after.value(pointer, each.standard).dump();
    return each.tells_value ? refusal(kind, after, field_of(each.pointer), "FieldValueInvalid",
                                      "Invalid value: " + found + ": " + each.words)
                            : refusal(kind, after, field_of(each.pointer), "FieldValueForbidden",
                                      std::string("Forbidden: ") + each.words);
  }
  return std::nullopt;
}

}  // namespace holdfast::test
