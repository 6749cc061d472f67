#include "test/kube_server/patches.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr const char* kDirective = "$patch";
constexpr const char* kRetained = "$retainKeys";
constexpr std::string_view kOrder = "$setElementOrder/";
constexpr std::string_view kDeleted = "$deleteFromPrimitiveList/";

// By what the elements of a list are known; empty: the list is one value.
std::string key_of(const std::string& list, const json& elements) {
  static const std::map<std::string, const char*> keys{{"conditions", "type"},
                                                       {"addresses", "type"},
                                                       {"taints", "key"},
                                                       {"containers", "name"},
                                                       {"initContainers", "name"},
                                                       {"volumes", "name"},
                                                       {"env", "name"},
                                                       {"imagePullSecrets", "name"},
                                                       {"volumeMounts", "mountPath"},
                                                       {"volumeDevices", "devicePath"},
                                                       {"ports", "containerPort"},
                                                       {"ownerReferences", "uid"}};
  const auto found = keys.find(list);
  const bool of_objects = std::ranges::all_of(elements, [](const json& each) { return each.is_object(); });
  return found == keys.end() || !of_objects ? "" : found->second;
}

auto element_like(json& list, const json& wanted, const std::string& key) {
  return std::ranges::find_if(list, [&](const json& each) {
    return key.empty() ? each == wanted : each.value(key, json()) == wanted.value(key, json());
  });
}

void merge_element(json& list, const json& patch, const std::string& key) {
  const auto found = element_like(list, patch, key);
  if (patch.value(kDirective, "") == "delete") {
    if (found != list.end()) list.erase(found);
    return;
  }
  json made = found == list.end() ? json::object() : *found;
  strategic_merge(made, patch);
  if (found == list.end()) {
    list.push_back(std::move(made));
  } else {
    *found = std::move(made);
  }
}

void merge_list(json& list, const json& patch, const std::string& key) {
  const bool replaces =
      std::ranges::any_of(patch, [](const json& each) { return each.value(kDirective, "") == "replace"; });
  if (replaces) list = json::array();
  for (const json& each : patch) {
    if (each.value(kDirective, "") != "replace") merge_element(list, each, key);
  }
}

// What `order` names, as it names it, and the others behind.
void set_order(json& list, const json& order, const std::string& key) {
  json out = json::array();
  for (const json& each : order) {
    const auto found = element_like(list, each, key);
    if (found == list.end()) continue;
    out.push_back(*found);
    list.erase(found);
  }
  for (json& each : list) out.push_back(std::move(each));
  list = std::move(out);
}

void merge_values(json& list, const json& values) {
  for (const json& each : values) {
    if (std::ranges::find(list, each) == list.end()) list.push_back(each);
  }
}

void merge_member(json& object, const std::string& name, const json& member) {
  if (member.is_null()) {
    object.erase(name);
  } else if (member.is_object()) {
    json made = object.contains(name) && object[name].is_object() ? object[name] : json::object();
    strategic_merge(made, member);
    object[name] = std::move(made);
  } else if (member.is_array() && name == "finalizers") {
    if (!object.contains(name)) object[name] = json::array();
    merge_values(object[name], member);
  } else if (member.is_array() && !key_of(name, member).empty()) {
    json made = object.contains(name) && object[name].is_array() ? object[name] : json::array();
    merge_list(made, member, key_of(name, member));
    object[name] = std::move(made);
  } else {
    object[name] = member;
  }
}

void keep_only(json& object, const json& names) {
  for (auto at = object.begin(); at != object.end();) {
    at = std::ranges::find(names, json(at.key())) == names.end() ? object.erase(at) : std::next(at);
  }
}

// What is left to do once all members have been merged.
void follow_directive(json& object, const std::string& name, const json& what) {
  const std::string_view text = name;
  if (text.starts_with(kOrder)) {
    const std::string list(text.substr(kOrder.size()));
    if (object.contains(list) && object[list].is_array()) set_order(object[list], what, key_of(list, what));
  } else if (text.starts_with(kDeleted)) {
    const std::string list(text.substr(kDeleted.size()));
    for (const json& each : object.contains(list) ? what : json::array()) {
      const auto found = std::ranges::find(object[list], each);
      if (found != object[list].end()) object[list].erase(found);
    }
  }
}

}  // namespace

void strategic_merge(json& object, const json& patch) {
  if (patch.value(kDirective, "") == "replace") object = json::object();
  if (patch.contains(kRetained)) keep_only(object, patch[kRetained]);
  for (const auto& [name, member] : patch.items()) {
    if (member.is_object() && member.value(kDirective, "") == "delete") {
      object.erase(name);
    } else if (!name.starts_with('$')) {
      merge_member(object, name, member);
    }
  }
  for (const auto& [name, member] : patch.items()) {
    if (name.starts_with('$')) follow_directive(object, name, member);
  }
}

}  // namespace holdfast::test
