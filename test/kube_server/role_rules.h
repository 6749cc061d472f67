#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/kube_server/asked_call.h"

namespace holdfast::test {

/// A rule of a role as a binding gives it to somebody. Wildcards are names that nobody has.
struct BoundRule {
  std::string role{};        ///< "ClusterRole/flannel"
  std::string name_space{};  ///< where it holds; empty: in all of the cluster
  std::vector<std::string> groups{};
  std::vector<std::string> resources{};
  std::vector<std::string> names{};  ///< empty: objects of any name
  std::vector<std::string> verbs{};
};
using BoundRules = std::vector<BoundRule>;

/// Service accounts, roles and their bindings, as the API server's RBAC authorizer goes by them. Source:
/// kubernetes.io/docs/reference/access-authn-authz/rbac.
class Roles {
 public:
  /// Of a YAML text with one document or more; other kinds are passed over.
  explicit Roles(const std::string& manifest);
  /// Of all files *.yaml in a folder and the folders in it.
  [[nodiscard]] static Roles in(const std::filesystem::path& folder);

  /// What is bound to the account "kube-flannel/flannel". Throws std::runtime_error when there is no such
  /// account, or when a binding of it names a role that is not there.
  [[nodiscard]] BoundRules bound_to(const std::string& account) const;

 private:
  void add(const std::string& manifest);
  void add_rules(const nlohmann::json& binding, BoundRules& out) const;

  std::vector<nlohmann::json> documents_;
};

/// The account, "kube-flannel/flannel", that the workload of a manifest runs under; its first workload.
/// Throws std::runtime_error when there is none.
[[nodiscard]] std::string account_in(const std::filesystem::path& manifest);

/// Without those of some roles, such as "ClusterRole/csi-lvm-sidecars".
[[nodiscard]] BoundRules without(BoundRules rules, const std::vector<std::string>& roles);

/// What every account may ask for (system:discovery, system:public-info-viewer) is allowed by no rule at all.
[[nodiscard]] bool allows(const BoundRules& rules, const AskedCall& call);
/// `call` as text_of() has it.
[[nodiscard]] bool allows(const BoundRules& rules, std::string_view call);

/// Those of `calls` that are not allowed, each once, sorted, as text_of() has them.
[[nodiscard]] std::vector<std::string> refused(const BoundRules& rules, const std::vector<AskedCall>& calls);
/// What the rules allow and none of `calls` asked for; likewise.
[[nodiscard]] std::vector<std::string> unasked(const BoundRules& rules, const std::vector<AskedCall>& calls);

}  // namespace holdfast::test
