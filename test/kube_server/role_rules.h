#pragma once

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/yaml/yaml.h"

/// What the roles of a manifest allow.
namespace holdfast::test {

/// The rules of all roles in the file, or of those with this name.
inline nlohmann::json rules_of(const std::string& manifest, const std::string& name = "") {
  std::ifstream file(manifest);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  nlohmann::json out = nlohmann::json::array();
  const std::vector<nlohmann::json> documents = parse_yaml(text).value();
  for (const nlohmann::json& document : documents) {
    if (!document.contains("rules")) continue;
    if (!name.empty() && document["metadata"]["name"] != name) continue;
    out.insert(out.end(), document["rules"].begin(), document["rules"].end());
  }
  return out;
}

inline bool has_element(const nlohmann::json& list, const std::string& value) {
  return std::ranges::any_of(list, [&](const nlohmann::json& each) { return each == value; });
}

/// `request` as ApiServer::requests() has it: "patch nodes/a/status".
inline bool allows(const nlohmann::json& rules, const std::string& request) {
  const std::string verb = request.substr(0, request.find(' '));
  const std::string target = request.substr(verb.size() + 1);
  const std::size_t name_at = std::min(target.find('/'), target.size());
  const std::size_t name_end = std::min(target.find('/', name_at + 1), target.size());
  const std::string name = name_at == target.size() ? "" : target.substr(name_at + 1, name_end - name_at - 1);
  const std::string resource = target.substr(0, name_at) + target.substr(name_end);
  return std::ranges::any_of(rules, [&](const nlohmann::json& rule) {
    return has_element(rule["verbs"], verb) && has_element(rule["resources"], resource) &&
           (!rule.contains("resourceNames") || has_element(rule["resourceNames"], name));
  });
}

/// What the rules allow and none of `requests` asked for, as "delete nodes" or, of a rule for named objects,
/// "get namespaces/kube-system". A wildcard is never asked for.
inline std::vector<std::string> unasked(const nlohmann::json& rules,
                                        const std::vector<std::string>& requests) {
  std::vector<std::string> out;
  for (const nlohmann::json& rule : rules) {
    for (const nlohmann::json& resource : rule["resources"]) {
      for (const nlohmann::json& verb : rule["verbs"]) {
        nlohmann::json one = rule;
        one["resources"] = {resource};
        one["verbs"] = {verb};
        const bool asked = std::ranges::any_of(requests, [&](const std::string& request) {
          return allows(nlohmann::json::array({one}), request);
        });
        if (asked) continue;
        const std::string name =
            rule.contains("resourceNames") ? "/" + rule["resourceNames"][0].get<std::string>() : "";
        out.push_back(verb.get<std::string>() + " " + resource.get<std::string>() + name);
      }
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace holdfast::test
