#include "cni-flannel/daemon/api_lease_source.h"

#include <algorithm>
#include <string>

#include "cni-flannel/daemon/controller_conditions.h"
#include "test/cni-flannel/daemon/api_cluster.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::ApiCluster;

constexpr const char* kMacA = "66:00:00:00:00:0a";
constexpr const char* kMacB = "66:00:00:00:00:0b";
constexpr const char* kMacC = "66:00:00:00:00:0c";

std::string mac_of(const ApiCluster& cluster, const std::string& name) {
  const auto found = cluster.diary.nodes.find(name);
  return found == cluster.diary.nodes.end() || !found->second.network.backend_data
             ? ""
             : found->second.network.backend_data->vtep_mac.to_string();
}

NodeNetworkStatus status_of(const std::string& peers) {
  return {.observed_generation = 1,
          .conditions = {{.type = "PeersProgrammed",
                          .status = peers,
                          .reason = "Told",
                          .message = "",
                          .last_transition_time = "2026-01-01T00:00:00Z"}}};
}

TEST_CASE("nodes are told by their annotations, and ours before it has any", "[flannel]") {
  ApiCluster cluster;
  cluster.options.objects = ApiObjects::kNodes;
  cluster.put_node("a", "10.244.1.0/24");
  cluster.put_node("b", "10.244.2.0/24", ApiCluster::annotations(kMacB, "192.0.2.2"));
  cluster.put_node("c", "10.244.3.0/24");
  cluster.start();
  cluster.turn_until([&] { return cluster.diary.nodes.size() == 2 && !cluster.diary.last_position.empty(); });
  CHECK_FALSE(cluster.diary.cluster_id.empty());
  CHECK(cluster.diary.nodes["a"].network.pod_cidrs.front().to_string() == "10.244.1.0/24");
  CHECK_FALSE(cluster.diary.nodes["a"].network.managed);
  CHECK(mac_of(cluster, "b") == kMacB);
  cluster.turn_until([&] { return cluster.server.watches().count() == 1; });
  cluster.server.watches().send_bookmarks();
  cluster.turn_until([&] { return !cluster.diary.lists.empty(); });
  CHECK(cluster.diary.lists.back() == NodeNames{"a", "b", "c"});
  cluster.put_node("b", "10.244.2.0/24", ApiCluster::annotations(kMacC, "192.0.2.2"));
  cluster.turn_until([&] { return mac_of(cluster, "b") == kMacC; });
  cluster.server.remove("/api/v1/nodes/b");
  cluster.turn_until([&] { return !cluster.diary.gone.empty(); });
  CHECK(cluster.diary.gone == std::vector<std::string>{"b"});
  CHECK(cluster.diary.last_health == SourceHealth{.reachable = true, .detail = ""});
}

TEST_CASE("our annotations are written as upstream reads them, with the condition, and once", "[flannel]") {
  ApiCluster cluster;
  cluster.options.objects = ApiObjects::kNodes;
  cluster.put_node("a", "10.244.1.0/24", {{"other", "kept"}});
  cluster.start();
  cluster.source->publish(ApiCluster::own(kMacA, "192.0.2.1"), {});
  const auto annotations = [&] { return cluster.node("a")["metadata"].value("annotations", json()); };
  cluster.turn_until([&] { return annotations().size() == 5; });
  json wanted = ApiCluster::annotations(kMacA, "192.0.2.1");
  wanted["other"] = "kept";
  CHECK(annotations() == wanted);
  const json condition = cluster.node("a")["status"]["conditions"][0];
  CHECK(condition["type"] == "NetworkUnavailable");
  CHECK(condition["status"] == "False");
  CHECK(condition["reason"] == "FlannelIsUp");
  cluster.turn_for(50ms);
  CHECK(cluster.count_requests("patch") == 1);
  SECTION("again after a restart nothing is written") {
    cluster.source.reset();
    cluster.server.forget_requests();
    cluster.start();
    cluster.source->publish(ApiCluster::own(kMacA, "192.0.2.1"), {});
    cluster.turn_until([&] { return cluster.server.watches().count() == 1; });
    cluster.turn_for(50ms);
    CHECK(cluster.count_requests("patch") == 0);
  }
  SECTION(
      "again after a restart that lists nothing what has changed is written, though nobody tells of our "
      "Node") {
    cluster.source.reset();
    cluster.diary.stored.resource_version = cluster.diary.last_position;
    cluster.diary.stored.cluster_id = cluster.diary.cluster_id;
    cluster.server.forget_requests();
    cluster.start();
    const bool changes = GENERATE(true, false);
    cluster.source->publish(ApiCluster::own(kMacA, changes ? "192.0.2.9" : "192.0.2.1"), {});
    cluster.turn_until([&] { return cluster.count_requests("get nodes/a") == 1; });
    if (changes) {
      wanted["flannel.alpha.coreos.com/public-ip"] = "192.0.2.9";
      cluster.turn_until([&] { return annotations() == wanted; });
    }
    cluster.turn_for(50ms);
    CHECK(annotations() == wanted);
    CHECK(cluster.count_requests("patch") == (changes ? 1 : 0));
    CHECK(cluster.count_requests("get nodes/a") == 1);
    CHECK(cluster.count_requests("list nodes") == 0);
  }
  SECTION("what has changed is written, and nothing else") {
    cluster.source->publish(ApiCluster::own(kMacC, "192.0.2.1"), {});
    cluster.turn_until([&] { return cluster.count_requests("patch") == 2; });
    cluster.turn_for(20ms);
    const json patch = json::parse(cluster.server.last_request().body);
    CHECK(patch["metadata"]["annotations"].size() == 1);
    CHECK_THAT(cluster.server.last_request().headers.at("accept"), Catch::Contains("PartialObjectMetadata"));
    CHECK_FALSE(patch.contains("status"));
  }
  SECTION("what another took away is written again") {
    json gone = wanted;
    gone["flannel.alpha.coreos.com/backend-data"] = nullptr;
    cluster.server.put("/api/v1/nodes/a", {{"metadata", {{"annotations", gone}}}});
    cluster.turn_until([&] { return annotations() == wanted; });
  }
}

struct CrdCluster : ApiCluster {
  CrdCluster() {
    options.objects = ApiObjects::kNodeNetworks;
    define_node_networks();
    put_node("a", "10.244.1.0/24");
  }
  void publish(const std::string& mac) { source->publish(ApiCluster::own(mac, "192.0.2.1"), {}); }
};

TEST_CASE("our object is applied as ours, and our Node's annotations too", "[flannel]") {
  CrdCluster cluster;
  cluster.start();
  cluster.turn_until([&] { return cluster.diary.nodes.contains("a"); });
  CHECK(cluster.diary.nodes["a"].network.pod_cidrs.front().to_string() == "10.244.1.0/24");
  cluster.publish(kMacA);
  cluster.turn_until([&] { return cluster.node("a")["metadata"].contains("annotations"); });
  const json object = cluster.object("a");
  CHECK(object["spec"]["flannel"]["podCidr"] == "10.244.1.0/24");
  CHECK(object["spec"]["flannel"]["backendData"]["VtepMAC"] == kMacA);
  CHECK(object["metadata"]["managedFields"][0]["manager"] == "flanneld");
  CHECK(object["metadata"]["managedFields"][0]["operation"] == "Apply");
  cluster.turn_for(50ms);
  const std::size_t writes = cluster.count_requests("patch");
  CHECK(writes == 2);
  SECTION("a restart writes nothing, and lists nothing") {
    cluster.source.reset();
    cluster.server.forget_requests();
    cluster.diary.stored.resource_version = cluster.diary.last_position;
    cluster.diary.stored.cluster_id = cluster.diary.cluster_id;
    cluster.diary.nodes.clear();
    cluster.start();
    cluster.publish(kMacA);
    cluster.turn_until(
        [&] { return cluster.server.watches().count() == 1 && cluster.count_requests("get nodes/a") == 1; });
    cluster.turn_for(50ms);
    CHECK(cluster.count_requests("patch") == 0);
    CHECK(cluster.count_requests("list") == 0);
    CHECK(mac_of(cluster, "a") == kMacA);
    CHECK(cluster.count_requests("get nodes/a") == 1);
    CHECK_THAT(cluster.server.last_request().headers.at("accept"), Catch::Contains("PartialObjectMetadata"));
  }
  SECTION("a Node that was made anew while we were away has its own pod CIDR") {
    cluster.source.reset();
    cluster.server.remove("/api/v1/nodes/a");
    cluster.put_node("a", "10.244.7.0/24");
    cluster.server.forget_requests();
    cluster.diary.stored.resource_version = cluster.diary.last_position;
    cluster.diary.stored.cluster_id = cluster.diary.cluster_id;
    cluster.diary.nodes.clear();
    cluster.start();
    cluster.publish(kMacA);
    cluster.turn_until([&] {
      const auto told = cluster.diary.nodes.find("a");
      return told != cluster.diary.nodes.end() &&
             told->second.network.pod_cidrs.front().to_string() == "10.244.7.0/24";
    });
    CHECK(cluster.count_requests("get nodes/a") == 2);
    CHECK(cluster.object("a")["metadata"]["annotations"].size() == 1);
  }
  SECTION("an object that somebody deletes comes back") {
    cluster.server.remove("/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/a");
    cluster.turn_until([&] { return !cluster.object("a").is_null(); });
    CHECK(cluster.diary.gone.empty());
  }
  SECTION("a new MAC is one write of the object") {
    cluster.publish(kMacC);
    cluster.turn_until(
        [&] { return cluster.object("a")["spec"]["flannel"]["backendData"]["VtepMAC"] == kMacC; });
    cluster.turn_until([&] { return mac_of(cluster, "a") == kMacC; });
    cluster.turn_for(30ms);
    CHECK(cluster.count_requests("patch nodenetworkconfigurations") == 2);
  }
  SECTION("the operator's overwrite stays the operator's") {
    cluster.server.put("/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/a",
                       {{"spec", {{"flannel", {{"publicIPOverwrite", "198.51.100.1"}}}}}});
    cluster.turn_until([&] { return cluster.diary.nodes["a"].network.public_ip_overwrite.has_value(); });
    NodeNetwork own = ApiCluster::own(kMacA, "198.51.100.1");
    own.public_ip_overwrite = IpAddress::parse("198.51.100.1").value();
    cluster.source->publish(own, {});
    cluster.turn_until([&] { return cluster.object("a")["spec"]["flannel"]["publicIP"] == "198.51.100.1"; });
    const json managed = cluster.object("a")["metadata"]["managedFields"];
    for (const json& entry : managed) {
      CHECK((entry["manager"] != "flanneld" || entry.dump().find("Overwrite") == std::string::npos));
    }
  }
}

TEST_CASE("a position of another cluster counts for nothing", "[flannel]") {
  CrdCluster cluster;
  cluster.put_object("b", "10.244.2.0/24", kMacB, "192.0.2.2");
  cluster.diary.stored.resource_version = std::to_string(cluster.server.store().version() + 900);
  cluster.diary.stored.cluster_id = "another";
  cluster.start();
  cluster.turn_until([&] { return cluster.diary.nodes.contains("b"); });
  CHECK(cluster.count_requests("list nodenetworkconfigurations") == 1);
  cluster.turn_until([&] { return cluster.server.watches().count() == 1; });
  cluster.server.watches().send_bookmarks();
  cluster.turn_until([&] { return !cluster.diary.lists.empty(); });
}

TEST_CASE("an object that cannot be used does not hide the others, and is told of", "[flannel]") {
  CrdCluster cluster;
  cluster.put_object("b", "10.244.2.0/24", kMacB, "192.0.2.2");
  cluster.server.put("/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/bad",
                     {{"apiVersion", "net.holdfast.dev/v1alpha1"},
                      {"kind", "NodeNetworkConfiguration"},
                      {"spec", {{"flannel", {{"podCidr", "10.244.3.0/99"}}}}}});
  cluster.start();
  cluster.turn_until(
      [&] { return cluster.diary.nodes.contains("b") && !cluster.diary.last_health.detail.empty(); });
  CHECK(cluster.diary.last_health.reachable);
  CHECK_THAT(cluster.diary.last_health.detail, Catch::Contains("bad: spec.flannel.podCidr: '10.244.3.0/99'"));
}

TEST_CASE("many objects that cannot be used are told of together, when the list is read", "[flannel]") {
  CrdCluster cluster;
  for (int i = 100; i < 400; ++i) {
    cluster.server.put("/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations/bad" + std::to_string(i),
                       {{"apiVersion", "net.holdfast.dev/v1alpha1"},
                        {"kind", "NodeNetworkConfiguration"},
                        {"spec", {{"flannel", {{"podCidr", "10.244.3.0/99"}}}}}});
  }
  cluster.start();
  cluster.turn_until([&] { return cluster.diary.last_health.reachable; });
  CHECK(cluster.diary.healths == 1);
  CHECK_THAT(cluster.diary.last_health.detail,
             Catch::StartsWith("bad100: ") && Catch::EndsWith("; and 297 more"));
}

TEST_CASE("a server that does not answer is told of, and asked until it does", "[flannel]") {
  CrdCluster cluster;
  cluster.put_object("b", "10.244.2.0/24", kMacB, "192.0.2.2");
  cluster.server.fault({.kind = test::FaultKind::kStatus, .verb = "list", .times = 2, .status = 503});
  cluster.start();
  cluster.turn_until(
      [&] { return !cluster.diary.last_health.reachable && !cluster.diary.last_health.detail.empty(); });
  CHECK_THAT(cluster.diary.last_health.detail, Catch::Contains("503"));
  cluster.turn_until([&] { return cluster.diary.nodes.contains("b"); });
  cluster.turn_until([&] { return cluster.diary.last_health.reachable; });
  CHECK(cluster.diary.last_health.detail.empty());
}

TEST_CASE("an answer of somebody else, as of a captive portal, is not asked for again and again",
          "[flannel]") {
  CrdCluster cluster;
  cluster.server.fault(
      {.kind = test::FaultKind::kStatus, .plural = "namespaces", .times = -1, .status = 302});
  cluster.start();
  cluster.turn_until([&] { return !cluster.diary.last_health.detail.empty(); });
  cluster.turn_for(std::chrono::seconds(2));
  CHECK(cluster.count_requests("GET /api/v1/namespaces/kube-system") <= 4);
  CHECK_THAT(cluster.diary.last_health.detail, Catch::Contains("302"));
}

TEST_CASE("a cluster whose role may not read namespaces is served all the same", "[flannel]") {
  CrdCluster cluster;
  cluster.server.fault(
      {.kind = test::FaultKind::kStatus, .plural = "namespaces", .times = -1, .status = 403});
  cluster.put_object("b", "10.244.2.0/24", kMacB, "192.0.2.2");
  cluster.start();
  cluster.turn_until([&] { return cluster.diary.nodes.contains("b"); });
  CHECK(cluster.diary.cluster_id.empty());
}

TEST_CASE("the status is written when it has settled, by its subresource", "[flannel]") {
  CrdCluster cluster;
  cluster.options.status_settles = 1s;
  cluster.start();
  cluster.source->publish(ApiCluster::own(kMacA, "192.0.2.1"), status_of("False"));
  cluster.turn_until([&] { return !cluster.object("a").is_null(); });
  cluster.source->publish(ApiCluster::own(kMacA, "192.0.2.1"), status_of("True"));
  cluster.turn_for(100ms);
  CHECK(cluster.count_requests("patch nodenetworkconfigurations/a/status") == 0);
  cluster.turn_until([&] { return cluster.object("a").contains("status"); });
  CHECK(cluster.object("a")["status"]["conditions"][0]["status"] == "True");
  SECTION("the same again is not written, also after a restart, nor what follows within minutes") {
    cluster.source->publish(ApiCluster::own(kMacA, "192.0.2.1"), status_of("False"));
    cluster.turn_for(100ms);
    CHECK(cluster.count_requests("patch nodenetworkconfigurations/a/status") == 1);
  }
}

TEST_CASE("what flannel-controller says of our object is told, whenever it says it", "[flannel]") {
  CrdCluster cluster;
  cluster.options.status_settles = 30ms;
  cluster.start();
  cluster.turn_until([&] { return cluster.diary.nodes.contains("a"); });
  cluster.publish(kMacA);
  cluster.turn_until([&] { return !cluster.object("a").is_null(); });
  const auto says = [&](const char* status, const char* message) {
    const json condition{{"type", kMacUnique},
                         {"status", status},
                         {"reason", "Duplicate"},
                         {"message", message},
                         {"lastTransitionTime", "2026-01-01T00:00:00Z"}};
    cluster.server.put(std::string(test::kNetworkPath) + "a",
                       {{"status", {{"cluster", {{"conditions", json::array({condition})}}}}}});
  };
  const auto told = [&] {
    return cluster.diary.judgement.empty() ? "" : cluster.diary.judgement.front().status;
  };
  says("False", "it is b's");
  cluster.turn_until([&] { return told() == "False"; });
  CHECK(cluster.diary.judgement.front().message == "it is b's");
  says("True", "");
  cluster.turn_until([&] { return told() == "True"; });
  says("False", "again");
  cluster.turn_until([&] { return told() == "False"; });
  // once for all that settles meanwhile, and for nothing where nothing changes
  cluster.turn_for(100ms);
  cluster.server.forget_requests();
  for (const char* message : {"one", "two", "three"}) says("False", message);
  cluster.turn_until([&] { return cluster.diary.judgement.front().message == "three"; });
  cluster.turn_for(100ms);
  CHECK(cluster.count_requests("get nodenetworkconfigurations/a") <= 2);
  SECTION("also after a restart that lists nothing") {
    cluster.source.reset();
    cluster.diary.stored.resource_version = cluster.diary.last_position;
    cluster.diary.stored.cluster_id = cluster.diary.cluster_id;
    cluster.diary.judgement.clear();
    cluster.start();
    cluster.turn_until([&] { return told() == "False"; });
    CHECK(cluster.count_requests("list") == 0);
  }
}

TEST_CASE("with no such kind in the cluster, auto takes Nodes", "[flannel]") {
  ApiCluster cluster;
  cluster.put_node("a", "10.244.1.0/24");
  cluster.put_node("b", "10.244.2.0/24", ApiCluster::annotations(kMacB, "192.0.2.2"));
  cluster.start();
  cluster.turn_until([&] { return mac_of(cluster, "b") == kMacB; });
  cluster.turn_until([&] { return cluster.count_requests("get /apis/net.holdfast.dev/v1alpha1") == 1; });
  cluster.turn_for(30ms);
  CHECK(cluster.count_requests("list nodenetworkconfigurations") == 0);
  CHECK_FALSE(cluster.diary.saw_crd);
}

TEST_CASE("auto takes objects where they are, and leaves Nodes when each managed one has its object",
          "[flannel]") {
  ApiCluster cluster;
  cluster.define_node_networks();
  cluster.server.watches().bookmark_period = 20ms;
  cluster.put_node("a", "10.244.1.0/24");
  cluster.put_node("b", "10.244.2.0/24", ApiCluster::annotations(kMacB, "192.0.2.2"));
  cluster.put_node("c", "10.244.3.0/24", ApiCluster::annotations(kMacC, "192.0.2.3"));
  cluster.put_object("b", "10.244.2.0/24", kMacA, "192.0.2.2");  // newer than its annotations
  cluster.start();
  cluster.turn_until([&] { return !cluster.diary.lists.empty() && mac_of(cluster, "b") == kMacA; });
  CHECK(cluster.diary.lists.back() == NodeNames{"a", "b", "c"});
  CHECK(mac_of(cluster, "c") == kMacC);
  CHECK_FALSE(cluster.diary.saw_crd);
  cluster.source->publish(ApiCluster::own("66:00:00:00:00:01", "192.0.2.1"), {});
  cluster.turn_until([&] { return !cluster.object("a").is_null(); });
  cluster.turn_for(50ms);
  CHECK_FALSE(cluster.diary.saw_crd);
  cluster.put_object("c", "10.244.3.0/24", kMacC, "192.0.2.3");
  cluster.turn_until([&] { return cluster.diary.saw_crd; });
  CHECK(cluster.diary.lists.back() == NodeNames{"a", "b", "c"});
  CHECK(cluster.diary.gone.empty());
  cluster.turn_until([&] { return cluster.server.watches().count() == 1; });
  SECTION("and after a restart never looks at Nodes but its own") {
    cluster.source.reset();
    cluster.server.forget_requests();
    cluster.diary.stored.crd_seen = true;
    cluster.diary.stored.resource_version = cluster.diary.last_position;
    cluster.start();
    cluster.turn_until([&] { return cluster.server.watches().count() == 1; });
    cluster.turn_for(50ms);
    CHECK(cluster.count_requests("list") == 0);
    CHECK(cluster.count_requests("watch nodenetworkconfigurations") == 1);
    CHECK(cluster.count_requests("watch nodes") == 0);
  }
}

TEST_CASE("no node is gone because a list was empty, stale or missing", "[flannel]") {
  CrdCluster cluster;
  cluster.put_object("b", "10.244.2.0/24", kMacB, "192.0.2.2");
  cluster.server.fault({.kind = GENERATE(test::FaultKind::kStaleEmpty, test::FaultKind::kStaleMissing,
                                         test::FaultKind::kTruncated, test::FaultKind::kDropHalfway),
                        .verb = "list",
                        .plural = "nodenetworkconfigurations",
                        .stale_version = 7});
  cluster.start();
  cluster.turn_until([&] { return cluster.diary.nodes.contains("b"); });
  CHECK(cluster.diary.gone.empty());
  CHECK(std::ranges::all_of(cluster.diary.lists, [](const NodeNames& names) { return names.contains("b"); }));
}

TEST_CASE("that a node does not join is an Event before the program ends", "[flannel]") {
  ApiCluster cluster;
  cluster.source =
      std::make_unique<ApiLeaseSource>(*cluster.loop, *cluster.http, *cluster.client, cluster.options);
  bool told = false;
  cluster.source->refuse({"CidrConflict", "True", "RangesOverlap", "10.244.0.0/16 is on eth0", ""},
                         [&] { told = true; });
  CHECK_FALSE(told);
  cluster.turn_until([&] { return told; });
  const auto events = cluster.server.store().list("/events", "");
  REQUIRE(events.size() == 1);
  CHECK((*events.front())["reason"] == "CidrConflict");
  CHECK((*events.front())["message"] == "CidrConflict: 10.244.0.0/16 is on eth0");
  CHECK(cluster.count_requests("create events") == 1);
  CHECK(cluster.count_requests("get") == 0);
}

}  // namespace
}  // namespace holdfast::flannel
