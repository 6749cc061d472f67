#include "test/kube_server/discovery.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

namespace holdfast::test {
namespace {

using nlohmann::json;

constexpr std::string_view kOpenApi = "/openapi/v3";

json resources_of(const ServedKind& kind) {
  json out = json::array(
      {{{"name", kind.plural},
        {"singularName", kind.names.value("singular", "")},
        {"namespaced", kind.namespaced},
        {"kind", kind.kind},
        {"verbs", {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"}},
        {"storageVersionHash", "nFW8MwFxI2M="}}});
  if (kind.names.contains("shortNames")) {
    out[0]["shortNames"] = kind.names["shortNames"];
  }
  if (kind.has_status) {
    out.push_back({{"name", kind.plural + "/status"},
                   {"singularName", ""},
                   {"namespaced", kind.namespaced},
                   {"kind", kind.kind},
                   {"verbs", {"get", "patch", "update"}}});
  }
  return out;
}

// Of one version of a group.
json version_document(const std::vector<ServedKind>& kinds) {
  json resources = json::array();
  for (const ServedKind& kind : kinds) {
    for (json& each : resources_of(kind)) resources.push_back(std::move(each));
  }
  return {{"kind", "APIResourceList"},
          {"apiVersion", "v1"},
          {"groupVersion", kinds.front().api_version()},
          {"resources", std::move(resources)}};
}

// The groups but the core one, each with its versions, in the order of the kinds.
json groups_of(const std::vector<ServedKind>& kinds) {
  json groups = json::array();
  for (const ServedKind& kind : kinds) {
    if (kind.group.empty()) continue;
    auto group = std::ranges::find_if(groups, [&](const json& each) { return each["name"] == kind.group; });
    const json version{{"groupVersion", kind.api_version()}, {"version", kind.version}};
    if (group == groups.end()) {
      groups.push_back(
          {{"name", kind.group}, {"versions", json::array({version})}, {"preferredVersion", version}});
    } else if (std::ranges::find((*group)["versions"], version) == (*group)["versions"].end()) {
      (*group)["versions"].push_back(version);
    }
  }
  return groups;
}

std::string root_of(const ServedKind& kind) { return kind.group.empty() ? "api" : "apis"; }

json open_api_index(const std::vector<ServedKind>& kinds) {
  json paths = json::object();
  for (const ServedKind& kind : kinds) {
    const std::string name = root_of(kind) + "/" + kind.api_version();
    paths[name] = {{"serverRelativeURL", std::string(kOpenApi) + "/" + name}};
  }
  return {{"paths", std::move(paths)}};
}

json open_api_of(const std::vector<ServedKind>& kinds) {
  json paths = json::object();
  for (const ServedKind& kind : kinds) {
    const std::string path = "/" + root_of(kind) + "/" + kind.api_version() +
                             (kind.namespaced ? "/namespaces/{namespace}/" : "/") + kind.plural + "/{name}";
    json parameters = json::array();
    for (const char* name : {"dryRun", "fieldManager", "fieldValidation"}) {
      parameters.push_back({{"name", name}, {"in", "query"}, {"schema", {{"type", "string"}}}});
    }
    paths[path]["patch"] = {{"parameters", std::move(parameters)},
                            {"responses", json::object()},
                            {"x-kubernetes-action", "patch"},
                            {"x-kubernetes-group-version-kind",
                             {{"group", kind.group}, {"version", kind.version}, {"kind", kind.kind}}}};
  }
  return {{"openapi", "3.0.0"},
          {"info", {{"title", "Kubernetes"}, {"version", "v1.36.2"}}},
          {"paths", std::move(paths)}};
}

std::vector<ServedKind> kinds_at(const std::string& path, const std::vector<ServedKind>& kinds) {
  std::vector<ServedKind> out;
  std::ranges::copy_if(kinds, std::back_inserter(out), [&](const ServedKind& kind) {
    return path == "/" + root_of(kind) + "/" + kind.api_version();
  });
  return out;
}

std::optional<json> open_api_page(const std::string& path, const std::vector<ServedKind>& kinds) {
  if (path.empty()) return open_api_index(kinds);
  const std::vector<ServedKind> its = kinds_at(path, kinds);
  return its.empty() ? std::nullopt : std::optional(open_api_of(its));
}

}  // namespace

std::optional<json> discovery_page(const std::string& path, const std::vector<ServedKind>& kinds) {
  if (path.starts_with(kOpenApi)) return open_api_page(path.substr(kOpenApi.size()), kinds);
  if (path == "/api") return json{{"kind", "APIVersions"}, {"versions", json::array({"v1"})}};
  if (path == "/apis")
    return json{{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", groups_of(kinds)}};
  for (json& group : groups_of(kinds)) {
    if (path != "/apis/" + group["name"].get<std::string>()) continue;
    group.update({{"kind", "APIGroup"}, {"apiVersion", "v1"}});
    return group;
  }
  const std::vector<ServedKind> its = kinds_at(path, kinds);
  return its.empty() ? std::nullopt : std::optional(version_document(its));
}

}  // namespace holdfast::test
