#include "test/kube_server/patches.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace holdfast::test {
namespace {

using nlohmann::json;

void merge_conditions(json& conditions, const json& patch) {
  for (const json& changed : patch) {
    const auto found = std::ranges::find_if(
        conditions, [&](const json& condition) { return condition["type"] == changed["type"]; });
    if (found == conditions.end()) {
      conditions.push_back(changed);
    } else {
      found->merge_patch(changed);
    }
  }
}

}  // namespace

void strategic_merge(json& object, const json& patch) {
  for (const auto& [name, member] : patch.items()) {
    if (name == "conditions" && member.is_array() && object.contains(name)) {
      merge_conditions(object[name], member);
    } else if (member.is_object() && object.contains(name) && object[name].is_object()) {
      strategic_merge(object[name], member);
    } else if (member.is_null()) {
      object.erase(name);
    } else {
      object[name] = member;
    }
  }
}

}  // namespace holdfast::test
