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

/// The rules of all roles in the file.
inline nlohmann::json rules_of(const std::string& manifest) {
  std::ifstream file(manifest);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  nlohmann::json out = nlohmann::json::array();
  const std::vector<nlohmann::json> documents = parse_yaml(text).value();
  for (const nlohmann::json& document : documents) {
    if (!document.contains("rules")) continue;
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

}  // namespace holdfast::test
