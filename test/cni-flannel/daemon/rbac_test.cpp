// What the role in our manifests allows, against what the source asks for.

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "common/yaml/yaml.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/api_cluster.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::ApiCluster;

/// The rules of all roles in the manifest.
json rules() {
  std::ifstream file(HOLDFAST_MANIFESTS "/base/flannel/rbac.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  json out = json::array();
  const std::vector<json> documents = parse_yaml(text).value();
  for (const json& document : documents) {
    if (!document.contains("rules")) continue;
    out.insert(out.end(), document["rules"].begin(), document["rules"].end());
  }
  return out;
}

bool has(const json& list, const std::string& value) {
  return std::ranges::any_of(list, [&](const json& each) { return each == value; });
}

/// `request` as ApiServer::requests() has it: "patch nodes/a/status".
bool allows(const json& rules, const std::string& request) {
  const std::string verb = request.substr(0, request.find(' '));
  const std::string target = request.substr(verb.size() + 1);
  const std::size_t name_at = std::min(target.find('/'), target.size());
  const std::size_t name_end = std::min(target.find('/', name_at + 1), target.size());
  const std::string name = name_at == target.size() ? "" : target.substr(name_at + 1, name_end - name_at - 1);
  const std::string resource = target.substr(0, name_at) + target.substr(name_end);
  return std::ranges::any_of(rules, [&](const json& rule) {
    return has(rule["verbs"], verb) && has(rule["resources"], resource) &&
           (!rule.contains("resourceNames") || has(rule["resourceNames"], name));
  });
}

TEST_CASE("The role of our manifests allows all that the source asks for, and little else", "[flanneld]") {
  ApiCluster cluster;
  cluster.options.status_settles = 20ms;
  cluster.define_node_networks();
  cluster.put_node("a", "10.244.1.0/24");
  cluster.start();
  const NodeNetworkStatus status{
      .observed_generation = 1,
      .conditions = {{"StateStored", "False", "StoreFailed", "disk is full", "2026-01-01T00:00:00Z"}}};
  cluster.source->publish(ApiCluster::own("66:00:00:00:00:0a", "192.0.2.1"), status);
  cluster.source->tell(status.conditions);
  const auto asked = [&](const std::string& begin) { return cluster.count_requests(begin) != 0; };
  cluster.turn_until([&] {
    return asked("create events") && asked("patch nodenetworkconfigurations/a/status") &&
           asked("patch nodes/a/status") && asked("watch nodes") && asked("watch nodenetworkconfigurations");
  });
  const json granted = rules();
  for (const std::string& request : cluster.server.requests()) {
    INFO(request);
    CHECK((request.find(" /") != std::string::npos || allows(granted, request)));
  }
  for (const char* refused : {"patch nodes/b", "delete nodes/b", "get namespaces/default", "list secrets",
                              "delete nodenetworkconfigurations/a", "patch namespaces/kube-system"}) {
    INFO(refused);
    CHECK_FALSE(allows(granted, refused));
  }
}

}  // namespace
}  // namespace holdfast::flannel
