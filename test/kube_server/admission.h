#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "test/kube_server/answers.h"
#include "test/kube_server/kinds.h"

namespace holdfast::test {

/// A write that could be done. No `before`: an object is created; no `after`: it is deleted.
struct AdmissionRequest {
  const nlohmann::json& user;  ///< a UserInfo of authentication.k8s.io/v1
  const ServedKind& kind;
  const ResourcePath& path;
  std::string name;
  const nlohmann::json& before;
  const nlohmann::json& after;
};

/// What an API server does with objects of the kind ValidatingAdmissionPolicy, as far as our manifests use
/// them: resourceRules, matchConditions, variables and validations, in CEL (test/kube_server/cel.h). A policy
/// counts when a binding of its file denies by it. An expression that has no value refuses the write, as
/// failurePolicy Fail has it; another failurePolicy is not understood, and ends the program.
/// Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
class Admission {
 public:
  /// Ends the program when the file has no policy that holds.
  void add(const std::string& manifest);
  [[nodiscard]] std::optional<Reply> refusal_of(const AdmissionRequest& request) const;

 private:
  std::vector<nlohmann::json> policies_;
};

}  // namespace holdfast::test
