#include "test/kube_server/admission.h"

#include <algorithm>
#include <exception>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/yaml/yaml.h"
#include "test/kube_server/cel.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr int kUnprocessable = 422;
constexpr int kForbidden = 403;

const char* operation_of(const AdmissionRequest& request) {
  return request.before.is_null() ? "CREATE" : request.after.is_null() ? "DELETE" : "UPDATE";
}

bool has(const json& list, const std::string& value) {
  return std::ranges::any_of(list, [&](const json& each) { return each == value || each == "*"; });
}

bool is_constrained(const json& policy, const AdmissionRequest& request) {
  const std::string& part = request.path.subresource;
  const std::string resource = request.kind.plural + (part.empty() ? "" : "/" + part);
  const json& rules = policy["spec"]["matchConstraints"]["resourceRules"];
  return std::ranges::any_of(rules, [&](const json& rule) {
    return has(rule["apiGroups"], request.kind.group) && has(rule["apiVersions"], request.kind.version) &&
           has(rule["resources"], resource) && has(rule["operations"], operation_of(request));
  });
}

// What an expression may speak of; `request` is an AdmissionRequest of admission.k8s.io/v1.
json names_of(const AdmissionRequest& request) {
  const json resource{
      {"group", request.kind.group}, {"version", request.kind.version}, {"resource", request.kind.plural}};
  return {{"object", request.after},
          {"oldObject", request.before},
          {"request",
           {{"userInfo", request.user},
            {"operation", operation_of(request)},
            {"resource", resource},
            {"subResource", request.path.subresource},
            {"name", request.name},
            {"namespace", request.path.name_space}}}};
}

// A variable that has no value is one that is not there, for those who ask for it.
void add_variables(const json& policy, json& names) {
  names["variables"] = json::object();
  for (const json& each : policy["spec"].value("variables", json::array())) {
    const std::string expression = each["expression"];
    if (const auto value = evaluate_cel(expression, names)) {
      names["variables"][each["name"].get<std::string>()] = *value;
    }
  }
}

// Why `expression` is not true; empty: it is.
std::string objection(const json& check, const json& names, const std::string& otherwise) {
  const std::string expression = check["expression"];
  const auto value = evaluate_cel(expression, names);
  if (!value) return "expression '" + expression + "' resulted in error: " + value.error().message;
  return *value == json(true) ? "" : otherwise;
}

std::string objection_of(const json& policy, json names, bool& forbids) {
  bool matches = true;
  for (const json& each : policy["spec"].value("matchConditions", json::array())) {
    const std::string why = objection(each, names, "no match");
    if (!why.empty() && why != "no match") return why;
    matches = matches && why.empty();
  }
  if (!matches) return "";
  add_variables(policy, names);
  for (const json& each : policy["spec"]["validations"]) {
    const std::string why = objection(each, names, each.value("message", "failed expression"));
    forbids = each.value("reason", "Invalid") == "Forbidden";
    if (!why.empty()) return why;
  }
  return "";
}

bool denies(const json& binding, const json& policy) {
  return binding["kind"] == "ValidatingAdmissionPolicyBinding" &&
         binding["spec"]["policyName"] == policy["metadata"]["name"] &&
         has(binding["spec"]["validationActions"], "Deny");
}

}  // namespace

void Admission::add(const std::string& manifest) {
  std::ifstream file(manifest);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::vector<json> documents = parse_yaml(text).value();
  const std::size_t before = policies_.size();
  for (const json& each : documents) {
    const bool is_bound =
        each["kind"] == "ValidatingAdmissionPolicy" &&
        std::ranges::any_of(documents, [&](const json& other) { return denies(other, each); });
    if (is_bound && each["spec"]["failurePolicy"] == "Fail") policies_.push_back(each);
  }
  if (policies_.size() == before) std::terminate();  // the test is wrong
}

std::optional<Reply> Admission::refusal_of(const AdmissionRequest& request) const {
  for (const json& policy : policies_) {
    bool forbids = false;
    if (!is_constrained(policy, request)) continue;
    const std::string why = objection_of(policy, names_of(request), forbids);
    if (why.empty()) continue;
    const std::string name = policy["metadata"]["name"];
    const std::string message = request.kind.qualified() + " \"" + request.name +
                                "\" is forbidden: ValidatingAdmissionPolicy '" + name + "' with binding '" +
                                name + "' denied request: " + why;
    return fail_about(request.kind, request.name, forbids ? kForbidden : kUnprocessable,
                      forbids ? "Forbidden" : "Invalid", message);
  }
  return std::nullopt;
}

}  // namespace holdfast::test
