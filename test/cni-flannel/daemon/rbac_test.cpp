// What the role in our manifests allows, against what the source asks for.

#include <string>

#include "test/catch.h"
#include "test/cni-flannel/daemon/api_cluster.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::allows;
using test::ApiCluster;
using Texts = std::vector<std::string>;

json flannel_on(const std::string& node) {
  return {{"username", "system:serviceaccount:kube-flannel:flannel"},
          {"extra", {{"authentication.kubernetes.io/node-name", {node}}}}};
}

TEST_CASE("The role of our manifests allows all that the source asks for, and little else", "[flanneld]") {
  ApiCluster cluster;
  cluster.options.status_settles = 20ms;
  cluster.define_node_networks();
  cluster.put_node("a", "10.244.1.0/24");
  cluster.server.admit_by(HOLDFAST_MANIFESTS "/base/flannel/admission.yaml");
  cluster.server.know_user("", flannel_on("a"));
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
  cluster.turn_until([&] {
    const json object = cluster.object("a");
    return object.contains("status") && cluster.node("a")["metadata"].contains("annotations");
  });
  const std::string manifests = HOLDFAST_MANIFESTS "/base/";
  const auto all =
      test::Roles::in(manifests).bound_to(test::account_in(manifests + "flannel/daemonset.yaml"));
  const auto granted = test::without(all, {"ClusterRole/flannel-upstream", "Role/flannel-upstream"});
  CHECK(test::refused(granted, cluster.server.asked()) == Texts{});
  // a Node is read where all have objects; an Event that is repeated is patched
  const Texts other{"get nodes", "patch events in default"};
  CHECK(test::unasked(granted, cluster.server.asked()) == other);
  for (const char* refused :
       {"patch nodes/b", "delete nodes/b", "get namespaces/default", "list secrets",
        "delete nodenetworkconfigurations.net.holdfast.dev/a", "patch namespaces/kube-system",
        "create events in kube-flannel", "get pods/x in kube-flannel"}) {
    INFO(refused);
    CHECK_FALSE(allows(granted, refused));
  }
  // upstream's, by the same account, until it is replaced
  CHECK(allows(all, "get pods/kube-flannel-ds-x in kube-flannel"));
  CHECK(allows(all, "list clustercidrs.networking.k8s.io"));
  CHECK_FALSE(allows(all, "get pods/x in default"));
}

TEST_CASE("The policy of our manifests refuses what another node's token writes in ours", "[flanneld]") {
  ApiCluster cluster;
  cluster.define_node_networks();
  cluster.put_node("a", "10.244.1.0/24");
  const json before = cluster.node("a");
  cluster.server.admit_by(HOLDFAST_MANIFESTS "/base/flannel/admission.yaml");
  cluster.server.know_user("", flannel_on("b"));
  cluster.start();
  cluster.source->publish(ApiCluster::own("66:00:00:00:00:0a", "192.0.2.1"), {});
  // what is refused is tried again, and what would follow it waits
  cluster.turn_until([&] { return cluster.count_requests("patch ") != 0; });
  cluster.turn_for(100ms);
  CHECK(cluster.node("a") == before);
  CHECK(cluster.server.find("/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/a") == nullptr);
}

}  // namespace
}  // namespace holdfast::flannel
