#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::test {

/// One kind of object that a server serves.
struct ServedKind {
  std::string group{};    ///< empty: the core group
  std::string version{};  ///< "v1"
  std::string plural{};
  std::string kind{};
  bool namespaced = false;
  bool has_status = false;
  bool custom = false;          ///< defined by a CustomResourceDefinition
  nlohmann::json definition{};  ///< of a custom one: its entry of spec.versions; else null
  nlohmann::json names{};       ///< as spec.names of a definition has them

  /// Whether metadata.generation counts changes of the spec; of nodes and other kinds it is not looked at.
  [[nodiscard]] bool has_generation() const { return custom || group == "apps" || group == "policy"; }
  [[nodiscard]] std::string collection() const { return group + "/" + plural; }
  /// "net.holdfast.dev/v1alpha1", or "v1".
  [[nodiscard]] std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  /// "nodenetworkconfigurations.net.holdfast.dev", as messages name the resource.
  [[nodiscard]] std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
};

/// What is there without any definition: what programs of ours ask for, and what our manifests have.
[[nodiscard]] std::vector<ServedKind> built_in_kinds();
/// The kinds of a CustomResourceDefinition, one a served version.
[[nodiscard]] std::vector<ServedKind> kinds_of_definition(const nlohmann::json& definition);

/// Which object, or which collection, a path means.
struct ResourcePath {
  std::string group;
  std::string version;
  std::string name_space;
  std::string plural;  ///< empty: the group's discovery document
  std::string name;    ///< empty: the collection
  std::string subresource;
};
[[nodiscard]] std::optional<ResourcePath> parse_resource_path(const std::string& path);

/// What a new object of this kind has beside what was sent, as the recordings of a real server show it.
void set_defaults(const ServedKind& kind, nlohmann::json& object);

}  // namespace holdfast::test
