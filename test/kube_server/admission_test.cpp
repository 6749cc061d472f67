// The policies of our manifests: what a node may write, and what it is refused.

#include "test/kube_server/admission.h"

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "test/catch.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/manifest_kinds.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

const std::string kBase = HOLDFAST_MANIFESTS "/base/";
const std::string kNetworks = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations";
const std::string kVolumes = "/apis/storage.holdfast.dev/v1alpha1/logicalvolumes";
const std::string kStorages = "/apis/storage.holdfast.dev/v1alpha1/nodestorages";
const std::string kTasks = "/apis/storage.holdfast.dev/v1alpha1/nastasks";
const std::string kEvents = "/api/v1/namespaces/default/events";
constexpr const char* kMerge = "application/merge-patch+json";
constexpr const char* kApply = "application/apply-patch+yaml";
constexpr const char* kFlannel = "kube-flannel:flannel";
constexpr const char* kLvm = "kube-system:csi-lvm-node";
constexpr const char* kNas = "kube-system:csi-nas-node";
constexpr const char* kResources = "kube-system:node-resource-manager";

/// What the API server makes of a pod's token. Of an old one, which names no node, `node` is empty.
json user_on(const std::string& account, const std::string& node) {
  json out{{"username", "system:serviceaccount:" + account}, {"groups", {"system:authenticated"}}};
  if (!node.empty()) out["extra"]["authentication.kubernetes.io/node-name"] = {node};
  return out;
}

json volume(const std::string& node, int bytes = 1) {
  return {{"spec", {{"node", node}, {"volumeName", "v"}, {"requiredBytes", bytes}}}};
}
json task(const std::string& holder) {
  return {{"spec",
           {{"site", "s"},
            {"attributes", json::object()},
            {"order", {{"verb", "make"}, {"directory", "d"}, {"owner", "o"}}}}},
          {"status", {{"holder", holder}, {"epoch", 2}}}};
}
json taken_by(const std::string& node, int epoch) {
  return {{"status", {{"holder", node}, {"epoch", epoch}}}};
}
json event(const std::string& name, const std::string& node) {
  return {{"metadata", {{"name", name}}}, {"involvedObject", {{"kind", "Node"}, {"name", node}}}};
}
json status_of(const char* member, const json& value) { return {{"status", {{member, value}}}}; }
// What flannel-controller tells of a node, and a node that publishes these pod CIDRs.
json allotted(const std::string& cidr) {
  return {{"status", {{"cluster", {{"podCIDRs", json::array({cidr})}}}}}};
}
json claim_of(const std::string& cidr, const std::string& single) {
  return {{"spec", {{"flannel", {{"podCidr", single}, {"podCIDRs", json::array({cidr})}}}}}};
}
json labelled(const std::string& pool) {
  return {{"metadata", {{"labels", {{"apps.openyurt.io/nodepool", pool}}}}},
          {"status", {{"observed", true}}}};
}
json owned_by(const std::string& node) {
  return {{"metadata",
           {{"ownerReferences", {{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node}, {"uid", "u"}}}}}}};
}
json network_of(const std::string& address) { return {{"spec", {{"flannel", {{"publicIP", address}}}}}}; }

struct Scene {
  Scene() {
    for (const char* name : {"flannel/nodenetworkconfigurations", "csi-lvm/logicalvolumes",
                             "csi-lvm/nodestorages", "csi-nas/nastasks"}) {
      define_kind(server, kBase + name + ".yaml");
    }
    for (const char* name : {"flannel", "csi-lvm", "csi-nas", "node-resource-manager"}) {
      server.admit_by(kBase + name + "/admission.yaml");
    }
    for (const std::string node : {"a", "b"}) {
      server.put("/api/v1/nodes/" + node,
                 {{"metadata", {{"labels", {{"apps.openyurt.io/nodepool", "shop"}}}}}});
      server.put(kNetworks + "/" + node, network_of("192.0.2.1"));
      server.put(kNetworks + "/" + node, allotted(node == "a" ? "10.244.0.0/24" : "10.244.1.0/24"));
      server.put(kVolumes + "/of-" + node, volume(node));
      server.put(kStorages + "/" + node, json::object());
      server.put(kTasks + "/of-" + node, task(node));
      server.put(kEvents + "/of-" + node, event("of-" + node, node));
    }
    server.put(kTasks + "/open", task(""));
  }

  int write(const json& user, const std::string& method, const std::string& path, const json& body,
            const std::string& type) {
    server.know_user("token", user);
    ServerRequest request;
    request.method = method;
    request.path = path;
    request.query = {{"fieldManager", "test"}, {"force", "true"}};
    request.headers = {{"authorization", "Bearer token"}, {"content-type", type}};
    json whole = body;
    if (type == kApply) whole["metadata"]["name"] = path.substr(path.rfind('/') + 1);
    request.body = whole.dump();
    const Reply reply = server.reply_to(request);
    last = reply.body;
    return reply.status;
  }

  SystemClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  ApiServer server{*loop};
  std::string last;
};

struct Write {
  const char* account;
  const char* method;
  std::string path;
  json body;
  bool applies = false;  ///< by server-side apply
};

TEST_CASE("A node writes what is of its own and is refused what is another's", "[kube]") {
  // Of node a.
  const Write allowed[] = {
      {kFlannel, "PATCH", "/api/v1/nodes/a/status", {{"metadata", {{"annotations", {{"k", "v"}}}}}}},
      {kFlannel, "PATCH", "/api/v1/nodes/a/status", labelled("shop")},
      {kFlannel, "PATCH", kNetworks + "/a", network_of("192.0.2.2"), true},
      {kFlannel, "PATCH", kNetworks + "/a", claim_of("10.244.0.0/24", "10.244.0.0/24"), true},
      {kFlannel, "PATCH", kNetworks + "/a/status", status_of("observedGeneration", 2)},
      {kFlannel, "POST", kEvents, event("new", "a")},
      {kFlannel, "PATCH", kEvents + "/of-a", {{"count", 2}}},
      {kResources, "POST", kEvents, event("new", "a")},
      {kResources, "PATCH", kEvents + "/of-a", {{"count", 2}}},
      {kLvm, "PATCH", kVolumes + "/of-a", {{"metadata", {{"finalizers", json::array()}}}}},
      {kLvm, "PATCH", kVolumes + "/of-a/status", status_of("state", "ready")},
      {kLvm, "PATCH", kStorages + "/a", json::object(), true},
      {kLvm, "PATCH", kStorages + "/a/status", status_of("lvmVersion", "2.03")},
      {kNas, "PATCH", kTasks + "/open/status", taken_by("a", 3)},
      {kNas, "PATCH", kTasks + "/of-a/status", status_of("progress", "half")},
      {kNas, "PATCH", kTasks + "/of-a/status", status_of("holder", "")},
      {kNas, "PATCH", kTasks + "/of-a/status", status_of("state", "done")},
      {kNas, "PATCH", kTasks + "/of-b/status", taken_by("a", 3)},  // after a lease that ended
  };
  for (const Write& each : allowed) {
    Scene scene;
    INFO(each.account << " " << each.method << " " << each.path << " " << each.body);
    const int status = scene.write(user_on(each.account, "a"), each.method, each.path, each.body,
                                   each.applies ? kApply : kMerge);
    INFO(scene.last);
    CHECK((status == 200 || status == 201));
    // The same by a token of another node, or of none.
    for (const char* node : {"c", ""}) {
      Scene other;
      INFO("node " << node);
      const auto version = other.server.store().version();
      CHECK(other.write(user_on(each.account, node), each.method, each.path, each.body,
                        each.applies ? kApply : kMerge) == 403);
      CHECK(other.server.store().version() == version);
    }
    // Others are not held by it.
    Scene free;
    CHECK(free.write(user_on("kube-system:controller", ""), each.method, each.path, each.body,
                     each.applies ? kApply : kMerge) < 300);
  }
}

TEST_CASE("The first writing of a node's object is of its own, and claims no whole network", "[kube]") {
  const auto claims = [](const json& cidrs) { return json{{"spec", {{"flannel", {{"podCIDRs", cidrs}}}}}}; };
  const auto single = [](const char* cidr) { return json{{"spec", {{"flannel", {{"podCidr", cidr}}}}}}; };
  const json allowed[] = {claims({"10.244.7.0/24", "fd00:7::/64"}), claims({"10.16.0.0/16"}),
                          single("10.244.7.0/26"), json::object()};
  const json refused[] = {claims({"10.244.7.0/24", "::/0"}), claims({"0.0.0.0/0"}), claims({"10.0.0.0/9"}),
                          claims({"10.244.0.0/15"}),         single("10.0.0.0/8"),  claims({"fd00::/31"})};
  for (const json& each : allowed) {
    Scene scene;
    INFO(each);
    CHECK(scene.write(user_on(kFlannel, "c"), "PATCH", kNetworks + "/c", each, kApply) == 201);
    // of another node's name, or of none
    CHECK(scene.write(user_on(kFlannel, "a"), "PATCH", kNetworks + "/d", each, kApply) == 403);
    json named = each;
    named["metadata"]["name"] = "d";
    CHECK(scene.write(user_on(kFlannel, "a"), "POST", kNetworks, named, "application/json") == 403);
    CHECK(scene.write(user_on(kFlannel, ""), "PATCH", kNetworks + "/d", each, kApply) == 403);
    CHECK(scene.server.find(kNetworks + "/d") == nullptr);
  }
  for (const json& each : refused) {
    Scene scene;
    INFO(each);
    CHECK(scene.write(user_on(kFlannel, "c"), "PATCH", kNetworks + "/c", each, kApply) == 403);
    CHECK_THAT(scene.last, Catch::Contains("a node publishes the pod CIDRs of one node"));
    // nor by the next one, while flannel-controller has not told what it has
    CHECK(scene.write(user_on(kFlannel, "c"), "PATCH", kNetworks + "/c", json::object(), kApply) == 201);
    CHECK(scene.write(user_on(kFlannel, "c"), "PATCH", kNetworks + "/c", each, kMerge) == 403);
  }
}

TEST_CASE("A node is refused what would be its own only afterwards", "[kube]") {
  const Write refused[] = {
      {kFlannel, "PATCH", "/api/v1/nodes/b/status", {{"metadata", {{"annotations", {{"k", "v"}}}}}}},
      {kFlannel, "PATCH", kNetworks + "/b", network_of("192.0.2.2"), true},
      {kFlannel, "PATCH", kNetworks + "/c", network_of("192.0.2.2"), true},  // makes it
      {kFlannel, "PATCH", kNetworks + "/b/status", status_of("observedGeneration", 2)},
      {kFlannel, "PATCH", kNetworks + "/a", claim_of("10.244.1.0/24", "10.244.1.0/24"), true},
      {kFlannel, "PATCH", kNetworks + "/a", claim_of("10.244.0.0/24", "10.244.1.0/24")},
      {kFlannel, "PATCH", kNetworks + "/a", claim_of("10.244.0.0/16", "10.244.0.0/24")},
      {kFlannel, "PATCH", kNetworks + "/a/status", allotted("10.244.1.0/24")},
      {kFlannel, "PATCH", kNetworks + "/a/status", status_of("cluster", nullptr)},
      {kFlannel, "PATCH", "/api/v1/nodes/a/status", labelled("bank")},
      {kFlannel, "PATCH", "/api/v1/nodes/a/status", {{"metadata", {{"labels", nullptr}}}}},
      {kFlannel, "PATCH", "/api/v1/nodes/a/status", {{"metadata", {{"finalizers", {"example.com/stay"}}}}}},
      {kFlannel, "PATCH", "/api/v1/nodes/a/status", owned_by("b")},
      {kFlannel, "POST", kEvents, event("new", "b")},
      {kFlannel, "PATCH", kEvents + "/of-b", event("of-b", "a")},
      {kResources, "PATCH", kEvents + "/of-b", event("of-b", "a")},
      {kLvm, "PATCH", kVolumes + "/of-b", volume("a")},
      {kLvm, "PATCH", kVolumes + "/of-a", volume("a", 2)},
      {kLvm, "POST", kVolumes, {{"metadata", {{"name", "new"}}}, {"spec", volume("a")["spec"]}}},
      {kLvm, "PATCH", kVolumes + "/of-b/status", status_of("state", "ready")},
      {kLvm, "PATCH", kStorages + "/b", json::object(), true},
      {kLvm, "PATCH", kStorages + "/c", json::object(), true},
      {kNas, "PATCH", kTasks + "/open/status", status_of("holder", "b")},
      {kNas, "PATCH", kTasks + "/of-b/status", status_of("state", "done")},
      {kNas, "PATCH", kTasks + "/of-b/status", taken_by("a", 2)},
      {kNas, "PATCH", kTasks + "/of-b/status", status_of("holder", "a")},
      {kNas,
       "PATCH",
       kTasks + "/of-b/status",
       {{"status", {{"holder", "a"}, {"epoch", 3}, {"state", "done"}}}}},
      {kNas, "PATCH", kTasks + "/of-b/status", status_of("holder", "")},
      {kNas, "PATCH", kTasks + "/of-a/status", status_of("holder", "b")},
  };
  for (const Write& each : refused) {
    Scene scene;
    INFO(each.account << " " << each.method << " " << each.path << " " << each.body);
    const auto version = scene.server.store().version();
    CHECK(scene.write(user_on(each.account, "a"), each.method, each.path, each.body,
                      each.applies ? kApply : kMerge) == 403);
    CHECK_THAT(scene.last, Catch::Contains("denied request: a node "));
    CHECK(scene.server.store().version() == version);
  }
}

}  // namespace
}  // namespace holdfast::test
