#include "test/kube_server/kinds.h"

#include <algorithm>
#include <cctype>

namespace holdfast::test {
namespace {

using nlohmann::json;

ServedKind built_in(const char* group, const char* plural, const char* kind, bool namespaced, bool has_status,
                    const char* short_name = "") {
  ServedKind out;
  out.group = group;
  out.version = "v1";
  out.plural = plural;
  out.kind = kind;
  out.namespaced = namespaced;
  out.has_status = has_status;
  std::string singular = kind;
  std::ranges::transform(singular, singular.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  out.names = {{"singular", std::move(singular)}};
  if (*short_name != '\0') out.names["shortNames"] = json::array({short_name});
  return out;
}

std::vector<std::string> steps_of(const std::string& path) {
  std::vector<std::string> steps;
  std::size_t at = 1;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    steps.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return steps;
}

json node_info() {
  json info = json::object();
  for (const char* name :
       {"machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion",
        "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture"}) {
    info[name] = "";
  }
  return info;
}

void set_definition_defaults(json& object) {
  json& names = object["spec"]["names"];
  names["listKind"] = names.value("kind", "") + "List";
  object["spec"]["conversion"] = {{"strategy", "None"}};
  object["status"] = {{"conditions", nullptr},
                      {"acceptedNames", {{"plural", ""}, {"kind", ""}}},
                      {"storedVersions", json::array({object["spec"]["versions"][0]["name"]})}};
}

}  // namespace

std::vector<ServedKind> built_in_kinds() {
  constexpr const char* kAdmission = "admissionregistration.k8s.io";
  constexpr const char* kRoles = "rbac.authorization.k8s.io";
  return {built_in("", "nodes", "Node", false, true, "no"),
          built_in("", "namespaces", "Namespace", false, true, "ns"),
          built_in("", "configmaps", "ConfigMap", true, false, "cm"),
          built_in("", "events", "Event", true, false, "ev"),
          built_in("", "pods", "Pod", true, true, "po"),
          built_in("", "secrets", "Secret", true, false),
          built_in("", "serviceaccounts", "ServiceAccount", true, false, "sa"),
          built_in("apps", "daemonsets", "DaemonSet", true, true, "ds"),
          built_in("apps", "deployments", "Deployment", true, true, "deploy"),
          built_in("policy", "poddisruptionbudgets", "PodDisruptionBudget", true, true, "pdb"),
          built_in("coordination.k8s.io", "leases", "Lease", true, false),
          built_in("storage.k8s.io", "storageclasses", "StorageClass", false, false, "sc"),
          built_in("storage.k8s.io", "csidrivers", "CSIDriver", false, false),
          built_in("storage.k8s.io", "csistoragecapacities", "CSIStorageCapacity", true, false),
          built_in(kRoles, "roles", "Role", true, false),
          built_in(kRoles, "rolebindings", "RoleBinding", true, false),
          built_in(kRoles, "clusterroles", "ClusterRole", false, false),
          built_in(kRoles, "clusterrolebindings", "ClusterRoleBinding", false, false),
          built_in(kAdmission, "validatingadmissionpolicies", "ValidatingAdmissionPolicy", false, true),
          built_in(kAdmission, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", false,
                   false),
          built_in("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", false,
                   true, "crd")};
}

std::vector<ServedKind> kinds_of_definition(const json& definition) {
  std::vector<ServedKind> out;
  const json& spec = definition["spec"];
  for (const json& version : spec["versions"]) {
    if (!version.value("served", false)) {
      continue;
    }
    ServedKind kind;
    kind.group = spec["group"];
    kind.version = version["name"];
    kind.plural = spec["names"]["plural"];
    kind.kind = spec["names"]["kind"];
    kind.namespaced = spec["scope"] == "Namespaced";
    kind.has_status = version.contains("subresources") && version["subresources"].contains("status");
    kind.custom = true;
    kind.definition = version;
    kind.names = spec["names"];
    out.push_back(std::move(kind));
  }
  return out;
}

std::optional<ResourcePath> parse_resource_path(const std::string& path) {
  const std::vector<std::string> steps = steps_of(path);
  const auto step = [&](std::size_t at) { return at < steps.size() ? steps[at] : std::string(); };
  ResourcePath out;
  std::size_t at = 0;
  if (step(0) == "api") {
    out.version = step(1);
    at = 2;
  } else if (step(0) == "apis" && steps.size() >= 3) {
    out.group = step(1);
    out.version = step(2);
    at = 3;
  } else {
    return std::nullopt;
  }
  // "namespaces/x" is an object of its own; "namespaces/x/leases" a collection in it.
  if (step(at) == "namespaces" && steps.size() > at + 2 && step(at + 2) != "status") {
    out.name_space = step(at + 1);
    at += 2;
  }
  out.plural = step(at);
  out.name = step(at + 1);
  out.subresource = step(at + 2);
  return out;
}

void set_defaults(const ServedKind& kind, json& object) {
  if (kind.kind == "Node") {
    object["spec"]["taints"] =
        json::array({{{"key", "node.kubernetes.io/not-ready"}, {"effect", "NoSchedule"}}});
    object["status"] = {{"daemonEndpoints", {{"kubeletEndpoint", {{"Port", 0}}}}}, {"nodeInfo", node_info()}};
  } else if (kind.kind == "Namespace") {
    object["spec"] = {{"finalizers", json::array({"kubernetes"})}};
    object["status"] = {{"phase", "Active"}};
  } else if (kind.kind == "Event") {
    object["eventTime"] = object.value("eventTime", json());
    object["reportingComponent"] = object.value("reportingComponent", "");
    object["reportingInstance"] = object.value("reportingInstance", "");
  } else if (kind.kind == "DaemonSet") {
    json& strategy = object["spec"]["updateStrategy"];
    if (!strategy.contains("type")) strategy["type"] = "RollingUpdate";
  } else if (kind.kind == "CustomResourceDefinition") {
    set_definition_defaults(object);
  }
  if (kind.has_generation() || kind.kind == "CustomResourceDefinition") {
    object["metadata"]["generation"] = 1;
  }
}

}  // namespace holdfast::test
