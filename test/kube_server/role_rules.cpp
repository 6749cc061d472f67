#include "test/kube_server/role_rules.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>

#include "common/yaml/yaml.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr const char* kRbac = "rbac.authorization.k8s.io";

std::string text_in(const std::filesystem::path& file) {
  std::ifstream stream(file);
  stream.exceptions(std::ios::badbit);
  return {std::istreambuf_iterator<char>(stream), {}};
}

bool has(const std::vector<std::string>& list, const std::string& value) {
  return std::ranges::find(list, value) != list.end();
}

std::string text_at(const json& object, const char* pointer) {
  return object.value(json::json_pointer(pointer), std::string());
}

bool is_account(const json& subject, const std::string& account) {
  return text_at(subject, "/kind") == "ServiceAccount" &&
         text_at(subject, "/namespace") + "/" + text_at(subject, "/name") == account;
}

bool binds(const json& document, const std::string& account) {
  if (!document.contains("roleRef")) return false;
  const json subjects = document.value("subjects", json::array());
  return std::ranges::any_of(subjects, [&](const json& each) { return is_account(each, account); });
}

bool is_open_to_all(const AskedCall& call) {
  constexpr std::array<std::string_view, 6> kPages{"/version", "/livez", "/readyz",
                                                   "/healthz", "/api",   "/apis"};
  const bool is_page = std::ranges::any_of(kPages, [&](std::string_view each) { return call.path == each; });
  return call.verb == "get" && (is_page || call.path.starts_with("/api/") || call.path.starts_with("/apis/"));
}

bool allows_call(const BoundRule& rule, const AskedCall& call) {
  return (rule.name_space.empty() || rule.name_space == call.name_space) && has(rule.verbs, call.verb) &&
         has(rule.groups, call.group) && has(rule.resources, call.resource) &&
         (rule.names.empty() || has(rule.names, call.name));
}

// One verb on one resource each.
std::vector<BoundRule> parts_of(const BoundRule& rule) {
  std::vector<BoundRule> out;
  for (const std::string& group : rule.groups) {
    for (const std::string& resource : rule.resources) {
      for (const std::string& verb : rule.verbs) {
        BoundRule part = rule;
        part.groups = {group};
        part.resources = {resource};
        part.verbs = {verb};
        out.push_back(std::move(part));
      }
    }
  }
  return out;
}

std::string text_of_part(const BoundRule& part) {
  return text_of(AskedCall{.verb = part.verbs.front(),
                           .group = part.groups.front(),
                           .name_space = part.name_space,
                           .resource = part.resources.front(),
                           .name = part.names.empty() ? "" : part.names.front()});
}

}  // namespace

Roles::Roles(const std::string& manifest) { add(manifest); }

Roles Roles::in(const std::filesystem::path& folder) {
  Roles out("");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") out.add(text_in(entry.path()));
  }
  return out;
}

void Roles::add(const std::string& manifest) {
  auto read = parse_yaml(manifest);
  if (!read) throw std::runtime_error(read.error().message);
  std::ranges::move(*read, std::back_inserter(documents_));
}

BoundRules Roles::bound_to(const std::string& account) const {
  const bool known = std::ranges::any_of(documents_, [&](const json& each) {
    return each.contains("metadata") && is_account({{"kind", each.value("kind", "")},
                                                    {"namespace", text_at(each, "/metadata/namespace")},
                                                    {"name", text_at(each, "/metadata/name")}},
                                                   account);
  });
  if (!known) throw std::runtime_error("there is no ServiceAccount " + account);
  BoundRules out;
  for (const json& each : documents_) {
    if (binds(each, account)) add_rules(each, out);
  }
  return out;
}

void Roles::add_rules(const json& binding, BoundRules& out) const {
  const std::string kind = text_at(binding, "/roleRef/kind");
  const std::string name = text_at(binding, "/roleRef/name");
  const std::string where = text_at(binding, "/metadata/namespace");
  const bool of_all = binding["kind"] == "ClusterRoleBinding";
  const auto role = std::ranges::find_if(documents_, [&](const json& each) {
    return each.value("kind", "") == kind && text_at(each, "/metadata/name") == name &&
           (kind == "ClusterRole" || text_at(each, "/metadata/namespace") == where);
  });
  if (role == documents_.end() || (of_all && kind != "ClusterRole") ||
      text_at(binding, "/roleRef/apiGroup") != kRbac) {
    throw std::runtime_error("binding " + text_at(binding, "/metadata/name") + ": there is no " + kind + " " +
                             name + (kind == "Role" ? " in " + where : ""));
  }
  for (const json& rule : (*role)["rules"]) {
    out.push_back({.role = kind + "/" + name,
                   .name_space = of_all ? "" : where,
                   .groups = rule.value("apiGroups", std::vector<std::string>()),
                   .resources = rule.value("resources", std::vector<std::string>()),
                   .names = rule.value("resourceNames", std::vector<std::string>()),
                   .verbs = rule.value("verbs", std::vector<std::string>())});
  }
}

std::string account_in(const std::filesystem::path& manifest) {
  const auto documents = parse_yaml(text_in(manifest));
  if (!documents) throw std::runtime_error(documents.error().message);
  for (const json& each : *documents) {
    const std::string account = text_at(each, "/spec/template/spec/serviceAccountName");
    if (!account.empty()) return text_at(each, "/metadata/namespace") + "/" + account;
  }
  throw std::runtime_error("no workload of " + manifest.string() + " has an account");
}

BoundRules without(BoundRules rules, const std::vector<std::string>& roles) {
  std::erase_if(rules, [&](const BoundRule& each) { return has(roles, each.role); });
  return rules;
}

bool allows(const BoundRules& rules, const AskedCall& call) {
  if (call.resource.empty()) return is_open_to_all(call);
  return std::ranges::any_of(rules, [&](const BoundRule& each) { return allows_call(each, call); });
}

bool allows(const BoundRules& rules, std::string_view call) { return allows(rules, asked_call(call)); }

std::vector<std::string> refused(const BoundRules& rules, const std::vector<AskedCall>& calls) {
  std::set<std::string> out;
  for (const AskedCall& each : calls) {
    if (!allows(rules, each)) out.insert(text_of(each));
  }
  return {out.begin(), out.end()};
}

std::vector<std::string> unasked(const BoundRules& rules, const std::vector<AskedCall>& calls) {
  std::set<std::string> out;
  for (const BoundRule& rule : rules) {
    for (const BoundRule& part : parts_of(rule)) {
      const bool asked =
          std::ranges::any_of(calls, [&](const AskedCall& each) { return allows_call(part, each); });
      if (!asked) out.insert(text_of_part(part));
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace holdfast::test
