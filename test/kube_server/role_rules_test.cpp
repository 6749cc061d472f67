// Roles as the API server goes by them, and what becomes of a call when a manifest of ours has a mistake.

#include "test/kube_server/role_rules.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"

namespace holdfast::test {
namespace {

using Catch::Contains;
using nlohmann::json;
using Texts = std::vector<std::string>;

const std::string kBase = HOLDFAST_MANIFESTS "/base/";

std::string text_in(const std::string& file) {
  std::ifstream stream(kBase + file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Everywhere; it must be there.
std::string with(std::string text, const std::string& old, const std::string& fresh) {
  std::size_t at = text.find(old);
  INFO(old);
  REQUIRE(at != std::string::npos);
  for (; at != std::string::npos; at = text.find(old, at + fresh.size())) {
    text.replace(at, old.size(), fresh);
  }
  return text;
}

struct Mistake {
  const char* what;
  const char* file;
  const char* account;
  const char* call;
  const char* right;
  const char* wrong;
};

TEST_CASE("A call is refused when its role has a mistake", "[kube]") {
  const Mistake mistakes[] = {
      {"capacities of no group", "csi-lvm/rbac.yaml", "kube-system/csi-lvm-controller",
       "list csistoragecapacities.storage.k8s.io in kube-system",
       "[storage.k8s.io]\n    resources: [csistoragecapacities]",
       "[\"\"]\n    resources: [csistoragecapacities]"},
      {"classes of no group", "csi-lvm/rbac.yaml", "kube-system/csi-lvm-controller",
       "watch storageclasses.storage.k8s.io", "[storage.k8s.io]\n    resources: [storageclasses]",
       "[\"\"]\n    resources: [storageclasses]"},
      {"leases of no group", "flannel-controller/rbac.yaml", "kube-flannel/flannel-controller",
       "update leases.coordination.k8s.io/flannel-controller in kube-flannel", "[coordination.k8s.io]",
       "[\"\"]"},
      {"a role elsewhere", "flannel-controller/rbac.yaml", "kube-flannel/flannel-controller",
       "create events in default", "name: flannel-controller-events\n  namespace: default",
       "name: flannel-controller-events\n  namespace: kube-flannel"},
      {"what all of the cluster has, bound in a namespace", "egw-gateway/rbac.yaml",
       "egw-gateway/egw-controller", "list nodes",
       "kind: ClusterRoleBinding\nmetadata:\n  name: egw-controller\n",
       "kind: RoleBinding\nmetadata:\n  name: egw-controller\n  namespace: egw-gateway\n"},
      {"a binding to another role", "csi-lvm/rbac.yaml", "kube-system/csi-lvm-controller",
       "list storageclasses.storage.k8s.io", "kind: ClusterRole\n  name: csi-lvm-controller\n",
       "kind: ClusterRole\n  name: csi-lvm-node\n"},
      {"a binding to somebody else", "csi-nas/rbac.yaml", "kube-system/csi-nas-node", "get nodes/a",
       "- kind: ServiceAccount\n    name: csi-nas-node\n",
       "- kind: ServiceAccount\n    name: csi-nas-controller\n"},
      {"a binding to the same name elsewhere", "csi-nas/rbac.yaml", "kube-system/csi-nas-node", "get nodes/a",
       "name: csi-nas-node\n    namespace: kube-system\n", "name: csi-nas-node\n    namespace: default\n"},
      {"a status without its object", "csi-nas/rbac.yaml", "kube-system/csi-nas-node",
       "patch nastasks.storage.holdfast.dev/a/status", "[nastasks/status]", "[nastasks]"},
      {"one object of another name", "csi-lvm/rbac.yaml", "kube-system/csi-lvm-node",
       "get namespaces/kube-system", "resourceNames: [kube-system]", "resourceNames: [default]"},
      {"a verb that is not the call's", "csi-nas/rbac.yaml", "kube-system/csi-nas-node", "get nodes/a",
       "verbs: [get]", "verbs: [list]"},
      {"a wildcard", "csi-nas/rbac.yaml", "kube-system/csi-nas-node", "get nodes/a", "verbs: [get]",
       "verbs: [\"*\"]"},
  };
  for (const Mistake& each : mistakes) {
    INFO(each.what);
    const std::string text = text_in(each.file);
    const Texts call{each.call};
    CHECK(refused(Roles(text).bound_to(each.account), {asked_call(each.call)}).empty());
    const Roles mistaken(with(text, each.right, each.wrong));
    CHECK(refused(mistaken.bound_to(each.account), {asked_call(each.call)}) == call);
  }
}

TEST_CASE("A binding to a role that is not there is found, and an account that nobody made", "[kube]") {
  const std::string text = text_in("flannel-controller/rbac.yaml");
  const std::string account = "kube-flannel/flannel-controller";
  const auto bound = [&](const std::string& right, const std::string& wrong) {
    return Roles(with(text, right, wrong)).bound_to(account);
  };
  const std::string role = "kind: Role\n  name: flannel-controller-events";
  CHECK_THROWS_WITH(bound(role, role + "s"), Contains("no Role flannel-controller-eventss in default"));
  CHECK_THROWS_WITH(
      bound("kind: Role\n  name: flannel-controller\n", "kind: ClusterRole\n  name: flannel-controllers\n"),
      Contains("no ClusterRole flannel-controllers"));
  const std::string of_all = "kind: ClusterRole\n  name: flannel-controller\n";
  CHECK_THROWS_WITH(bound("roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  " + of_all,
                          "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: x\n"),
                    Contains("no Role x"));
  CHECK_THROWS_WITH(bound("roleRef:\n  apiGroup: rbac.authorization.k8s.io", "roleRef:\n  apiGroup: v1"),
                    Contains("there is no"));
  CHECK_THROWS_WITH(Roles(text).bound_to("kube-system/flannel-controller"), Contains("no ServiceAccount"));
}

TEST_CASE("What nobody asks for is told with its group and namespace", "[kube]") {
  const BoundRules rules =
      Roles(text_in("flannel-controller/rbac.yaml")).bound_to("kube-flannel/flannel-controller");
  const auto left =
      unasked(rules, {asked_call("get leases.coordination.k8s.io/flannel-controller in kube-flannel"),
                      asked_call("update leases.coordination.k8s.io/flannel-controller in default"),
                      asked_call("list nodes"), asked_call("list nodes.apps.openyurt.io")});
  const auto has = [&](const char* text) { return std::ranges::count(left, text) == 1; };
  CHECK_FALSE(has("get leases.coordination.k8s.io/flannel-controller in kube-flannel"));
  CHECK(has("update leases.coordination.k8s.io/flannel-controller in kube-flannel"));
  CHECK_FALSE(has("list nodes"));
  CHECK(has("patch nodenetworkconfigurations.net.holdfast.dev/status"));
  CHECK(has("create events in default"));
}

TEST_CASE("A call is told, and read back", "[kube]") {
  for (const char* text :
       {"get nodes/a", "list nodes", "patch nodes/a/status", "get /version",
        "create leases.coordination.k8s.io in kube-system", "patch edgegateways.net.holdfast.dev/a/status",
        "delete leases.coordination.k8s.io/a in kube-system"}) {
    CHECK(text_of(asked_call(text)) == text);
  }
  const AskedCall call = asked_call("patch things.g.example/a/status in ns");
  CHECK(call.group == "g.example");
  CHECK(call.resource == "things/status");
  CHECK(call.name == "a");
  CHECK(call.name_space == "ns");
}

struct AskedServer {
  FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  ApiServer server{*loop};

  Texts asked_for(const ServerRequest& request) {
    server.forget_requests();
    (void)server.reply_to(request);
    Texts out;
    for (const AskedCall& each : server.asked()) out.push_back(text_of(each));
    return out;
  }
  Texts asked_for(const std::string& method, const std::string& path) {
    return asked_for(ServerRequest{
        .method = method, .path = path, .query = {}, .headers = {}, .body = R"({"metadata":{"name":"a"}})"});
  }
};

TEST_CASE_METHOD(AskedServer, "A request's verb, group, namespace and name are what an authorizer is asked",
                 "[kube]") {
  const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
  CHECK(asked_for("POST", leases) == Texts{"create leases.coordination.k8s.io in kube-system"});
  CHECK(asked_for("PUT", leases + "/a") == Texts{"update leases.coordination.k8s.io/a in kube-system"});
  CHECK(asked_for("DELETE", leases + "/a") == Texts{"delete leases.coordination.k8s.io/a in kube-system"});
  CHECK(asked_for("DELETE", leases) == Texts{"deletecollection leases.coordination.k8s.io in kube-system"});
  CHECK(asked_for("GET", "/api/v1/namespaces/kube-system") == Texts{"get namespaces/kube-system"});
  CHECK(asked_for("GET", "/api/v1/nodes") == Texts{"list nodes"});
  CHECK(asked_for("GET", "/version") == Texts{"get /version"});
  CHECK(asked_for("GET", "/apis/g.example/v1") == Texts{"get /apis/g.example/v1"});
  // a kind that is not served as well
  CHECK(asked_for("GET", "/apis/g.example/v1/things/a") == Texts{"get things.g.example/a"});
  CHECK(asked_for({.method = "GET",
                   .path = "/api/v1/namespaces/kube-system/configmaps",
                   .query = {{"fieldSelector", "metadata.name=x"}, {"watch", "true"}},
                   .headers = {{"user-agent", "program/1.2"}},
                   .body = ""}) == Texts{"watch configmaps/x in kube-system"});
  CHECK(server.asked_by("program").size() == 1);
  CHECK(server.asked_by("pro").empty());
}

TEST_CASE_METHOD(AskedServer, "An apply that makes its object needs the right to make it", "[kube]") {
  ServerRequest apply{.method = "PATCH",
                      .path = "/api/v1/nodes/a",
                      .query = {{"fieldManager", "x"}},
                      .headers = {{"content-type", "application/apply-patch+yaml"}},
                      .body = R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"a"}})"};
  CHECK(asked_for(apply) == Texts{"patch nodes/a", "create nodes/a"});
  CHECK(asked_for(apply) == Texts{"patch nodes/a"});
  apply.headers["content-type"] = "application/merge-patch+json";
  apply.path = "/api/v1/nodes/b";
  CHECK(asked_for(apply) == Texts{"patch nodes/b"});
}

TEST_CASE("Pages that everybody may see need no rule", "[kube]") {
  for (const char* open : {"get /version", "get /readyz", "get /apis/net.holdfast.dev/v1alpha1"}) {
    CHECK(allows(BoundRules{}, open));
  }
  for (const char* closed : {"get /metrics", "get /logs/a", "get nodes/a"}) {
    CHECK_FALSE(allows(BoundRules{}, closed));
  }
}

TEST_CASE("csi-node may do what the nodes' parts of its drivers may, and nothing else", "[kube]") {
  const Roles roles = Roles::in(kBase);
  Texts parts = unasked(roles.bound_to(account_in(kBase + "csi-lvm/node.yaml")), {});
  std::ranges::copy(unasked(roles.bound_to(account_in(kBase + "csi-nas/node.yaml")), {}),
                    std::back_inserter(parts));
  std::ranges::sort(parts);
  CHECK(unasked(roles.bound_to(account_in(kBase + "csi-node/daemonset.yaml")), {}) == parts);
}

TEST_CASE("Who sends a bound token is served what its role allows, and else refused by its name", "[kube]") {
  HttpScene scene;
  ApiServer server{*scene.loop};
  server.put("/api/v1/nodes/a", json::object());
  server.require_token("admin");
  server.know_user("token", {{"username", "system:serviceaccount:kube-flannel:flannel"}});
  server.bind_token("token", Roles::in(kBase + "flannel").bound_to("kube-flannel/flannel"));
  scene.connect({.server = server.url(), .token = {.bytes = "token"}});
  CHECK(scene.ask({.path = "/api/v1/nodes/a"}).status() == 200);
  const HttpScene::Answer answer = scene.ask({.method = "DELETE", .path = "/api/v1/nodes/a"});
  CHECK(answer.status() == 403);
  CHECK_THAT(json::parse(answer.body)["message"].get<std::string>(),
             Contains("User \"system:serviceaccount:kube-flannel:flannel\" cannot delete"));
  CHECK(server.find("/api/v1/nodes/a") != nullptr);
}

}  // namespace
}  // namespace holdfast::test
