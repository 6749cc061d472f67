// The real program and an API server.

#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

#include "cni-flannel/daemon/controller_conditions.h"
#include "cni-flannel/daemon/vtep_mac.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/cloud_cluster.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;
using holdfast::test::ApiServer;
using holdfast::test::CloudCluster;
using holdfast::test::Cluster;
using holdfast::test::FaultKind;
using holdfast::test::FlanneldNode;
using holdfast::test::kNetworkPath;
using holdfast::test::print_time;
using holdfast::test::until;
using nlohmann::json;

json annotations_of(CloudCluster& cloud, const std::string& node) {
  return cloud.with_api([&](ApiServer& server) {
    const json metadata = node_object(server, node).value("metadata", json::object());
    return metadata.value("annotations", json::object());
  });
}

TEST_CASE_METHOD(CloudCluster, "Nodes of an API server reach each other, and upstream's peers see them",
                 "[flanneld]") {
  const std::string source = GENERATE("node", "crd");
  if (source == "crd") define_kind();
  start_all(source);
  CHECK(Cluster::pings(one, 2));
  CHECK(Cluster::pings(three, 1));
  // for peers that run upstream, whatever the source
  until([&] { return annotations_of(*this, "node2").size() == 4; });
  json wanted = test::flannel_annotations(two.vtep_mac().substr(11, 17), "192.168.77.2");
  CHECK(annotations_of(*this, "node2") == wanted);
  const json condition =
      with_api([](ApiServer& server) { return node_object(server, "node2")["status"]["conditions"][0]; });
  CHECK(condition["type"] == "NetworkUnavailable");
  CHECK(condition["status"] == "False");
  if (source == "crd") {
    const json object = with_api([](ApiServer& server) { return network_object(server, "node2"); });
    CHECK(object["spec"]["flannel"]["publicIP"] == "192.168.77.2");
  }
}

TEST_CASE_METHOD(CloudCluster,
                 "With the API server out of reach the store brings all up, and nothing changes "
                 "when it comes",
                 "[flanneld]") {
  define_kind();
  start_all("crd");
  until([&] { return std::filesystem::exists(one.path("state/overlay.json")); });
  const std::string mac = one.vtep_mac();
  // the state holds both peers, and has reached the disk
  until([&] {
    return one.run("grep -o 192.168.77.[23] " + one.path("state/overlay.json").native() + " | wc -l") >= "2";
  });
  one.stop(SIGKILL);
  cut(one);
  static_cast<void>(one.run("ip link del flannel.1"));
  std::filesystem::remove_all(one.path("run"));
  start(one, "crd");
  print_time("ready from the store, API server out of reach", until([&] { return one.ready(); }));
  CHECK(Cluster::has_peers(one, 2));
  CHECK(one.vtep_mac() == mac);
  CHECK(Cluster::pings(one, 2));
  CHECK_FALSE(reaches_api(one));
  join(one);
  const std::string before = Cluster::picture(one);
  until([&] { return reaches_api(one); });
  CHECK(Cluster::picture(one) == before);
  // and what changes from now on is followed
  three.stop(SIGTERM);  // or it would make its object again
  with_api([](ApiServer& server) { server.remove(std::string(kNetworkPath) + "node3"); });
  until([&] { return one.metric("flanneld_nodes_leaving") == 1; });
}

/// As flannel-controller tells of node1's VTEP MAC.
void judge_mac(CloudCluster& cloud, const char* status, const char* message) {
  const json condition{{"type", kMacUnique}, {"status", status}, {"message", message}};
  const auto object = [](ApiServer& server) { return network_object(server, "node1"); };
  until([&] { return !cloud.with_api(object).is_null(); });
  cloud.with_api([&](ApiServer& server) {
    server.put(std::string(kNetworkPath) + "node1",
               {{"status", {{"cluster", {{"conditions", json::array({condition})}}}}}});
  });
}

TEST_CASE_METHOD(CloudCluster,
                 "What flannel-controller finds of a node is told on that node, until it is well",
                 "[flanneld]") {
  define_kind();
  start_all("crd");
  const auto tells = [&](const std::string& line) {
    return one.get("/readyz?verbose").find(line) != std::string::npos;
  };
  CHECK(tells("[+]ControllerFindsFault none\n"));
  judge_mac(*this, "False", "it is node2's: delete flannel.1");
  one.stop(SIGTERM);
  start(one, "crd");
  until([&] {
    return tells(
        "[-]ControllerFindsFault found: VtepMACUnique: it is node2's: delete flannel.1 (ready all the "
        "same)\n");
  });
  judge_mac(*this, "True", "");
  until([&] { return tells("[+]ControllerFindsFault none\n"); }, 30s);
}

TEST_CASE_METHOD(CloudCluster,
                 "A node whose VTEP MAC is another's takes that of its name, and is reached by it",
                 "[flanneld]") {
  define_kind();
  const std::string others = "02:00:00:00:00:77";
  static_cast<void>(one.run("ip link add flannel.1 address " + others +
                            " type vxlan id 1 dev eth0 local 192.168.77.1 dstport 8472 nolearning"));
  start_all("crd");
  const auto published = [&] {
    return with_api([](ApiServer& server) {
      return network_object(server, "node1")["spec"]["flannel"]["backendData"]["VtepMAC"].get<std::string>();
    });
  };
  CHECK(published() == others);
  judge_mac(*this, "False", "it is node7's");
  const std::string own = derived_vtep_mac("node1", IpFamily::kV4).to_string();
  until([&] { return published() == own; }, 30s);
  CHECK_THAT(one.vtep_mac(), Catch::Contains(own));
  until([&] { return Cluster::pings(two, 1) && Cluster::pings(one, 3); });
  judge_mac(*this, "True", "");
  until(
      [&] { return one.get("/readyz?verbose").find("[+]ControllerFindsFault none\n") != std::string::npos; },
      30s);
  CHECK(published() == own);
}

TEST_CASE_METHOD(CloudCluster, "A node that does not join has told the cluster why when it ends",
                 "[flanneld]") {
  static_cast<void>(
      one.run("ip addr add 10.244.77.1/24 dev eth0 && ip route replace default via 10.244.77.254"));
  start(one, "node");
  CHECK(one.wait() == 3);
  const auto events = with_api([](ApiServer& server) { return server.store().list("/events", ""); });
  REQUIRE(events.size() == 1);
  CHECK((*events.front())["reason"] == "CidrConflict");
  CHECK((*events.front())["involvedObject"]["name"] == "node1");
  CHECK_THAT((*events.front())["message"].get<std::string>(), Catch::Contains("10.244.77.254"));
  CHECK(annotations_of(*this, "node1").empty());
}

TEST_CASE_METHOD(CloudCluster, "A cache that answers 404, or an empty list, takes no peer away",
                 "[flanneld]") {
  define_kind();
  start_all("crd", {"--peer-removal-delay=0"});
  const FaultKind kind = GENERATE(FaultKind::kStaleEmpty, FaultKind::kStaleMissing);
  const std::string before = Cluster::picture(one);
  with_api([&](ApiServer& server) {
    server.fault({.kind = kind, .verb = "list", .times = -1});
    server.forget_requests();
  });
  break_watches();
  until([&] { return count_requests("list nodenetworkconfigurations") >= 3; });
  if (kind == FaultKind::kStaleEmpty) {  // also one that the watch behind it confirms
    until([&] { return with_api([](ApiServer& server) { return server.watches().count() >= 3; }); });
    std::this_thread::sleep_for(150ms);  // some bookmarks
  }
  CHECK(Cluster::picture(one) == before);
  CHECK(one.ready());
  CHECK(one.metric("flanneld_nodes_leaving") == 0);
}

TEST_CASE_METHOD(CloudCluster, "A node whose object is deleted goes after the delay, and only it",
                 "[flanneld]") {
  define_kind();
  start_all("crd", {"--peer-removal-delay=1"});
  three.stop(SIGTERM);  // or it would make its object again
  with_api([](ApiServer& server) { server.remove(std::string(kNetworkPath) + "node3"); });
  until([&] { return one.metric("flanneld_nodes_leaving") == 1; });
  CHECK(Cluster::has_peers(one, 2));
  until([&] { return Cluster::has_peers(one, 1); });
  CHECK(one.can("ip route show 10.244.2.0/24 | grep -q flannel.1"));
  CHECK(Cluster::pings(one, 2));
}

TEST_CASE_METHOD(CloudCluster, "From an API server that was set back to an older copy nobody is gone",
                 "[flanneld]") {
  define_kind();
  start_all("crd", {"--peer-removal-delay=0"});
  three.stop(SIGTERM);
  with_api([](ApiServer& server) {
    server.watches().end_all(/*connections=*/true);
    server.remove(std::string(kNetworkPath) + "node3");  // the copy is of before it joined
    server.store().compact();
    server.store().set_back_to(50);
    server.forget_requests();
    server.fault({.kind = FaultKind::kStatus, .verb = "watch", .times = 2, .status = 410});
  });
  print_time("followed after the server was set back",
             until([&] { return count_requests("list nodenetworkconfigurations") >= 2; }, 20s));
  // both lists are confirmed by their watches' bookmarks
  until([&] { return with_api([](ApiServer& server) { return server.watches().count() == 2; }); }, 20s);
  std::this_thread::sleep_for(200ms);
  CHECK(Cluster::has_peers(one, 2));
  CHECK(one.metric("flanneld_nodes_leaving") == 0);
}

TEST_CASE_METHOD(CloudCluster, "What is stored of another cluster is forgotten", "[flanneld]") {
  start_and_stop_beside_another_cluster();
  with_api([](ApiServer& server) {
    test::put_node(server, "node1", "10.244.1.0/24");
    test::put_object(server, test::network_of("other", "10.244.9.0/24", "66:00:00:00:00:09", "192.168.77.9"));
  });
  start(one, "crd", {"--peer-removal-delay=600"});
  until([&] { return Cluster::has_peers(one, 1) && one.ready(); });
  CHECK(one.can("ip route show 10.244.9.0/24 | grep -q flannel.1"));
  CHECK_THAT(one.log(), Catch::Contains("this is another cluster"));
}

TEST_CASE_METHOD(CloudCluster, "In another cluster no pod starts in the last one's subnet", "[flanneld]") {
  start_and_stop_beside_another_cluster();
  with_api([](ApiServer& server) {
    server.put("/api/v1/nodes/node1", {{"apiVersion", "v1"}, {"kind", "Node"}});
  });
  const std::string file = one.path("run/subnet.env").native();
  REQUIRE(one.can("grep -q 10.244.1.1/24 " + file));
  start(one, "crd");
  until([&] { return !std::filesystem::exists(file); });
  CHECK_FALSE(one.ready());
  CHECK_THAT(one.get("/readyz?verbose"), Catch::Contains("[-]SubnetFileWritten failed: it told of another"));
  with_api([](ApiServer& server) { test::put_node(server, "node1", "10.244.8.0/24"); });
  until([&] { return one.can("grep -q FLANNEL_SUBNET=10.244.8.1/24 " + file) && one.ready(); });
}

TEST_CASE_METHOD(CloudCluster,
                 "A public address that the operator changes is told to peers at once, and holds after a "
                 "restart",
                 "[flanneld]") {
  start_all("node");
  const std::string mac = one.vtep_mac().substr(11, 17);
  const auto overwrite = [&](const std::string& address) {
    with_api([&](ApiServer& server) {
      server.put(
          "/api/v1/nodes/node1",
          {{"metadata", {{"annotations", {{"flannel.alpha.coreos.com/public-ip-overwrite", address}}}}}});
    });
    until([&] {
      return annotations_of(*this, "node1")["flannel.alpha.coreos.com/public-ip"] == address &&
             two.can("bridge fdb show dev flannel.1 | grep -q '^" + mac + " dst " + address + " '");
    });
  };
  overwrite("203.0.113.1");
  overwrite("203.0.113.2");
  // no interface here has it: the tunnel sends from the one that there is
  CHECK(one.can("ip -d link show flannel.1 | grep -q 'local 192.168.77.1 '"));
  CHECK(one.ready());
  one.stop(SIGKILL);
  static_cast<void>(one.run("ip link del flannel.1"));
  start(one, "node");
  until([&] { return one.ready() && reaches_api(one); });
  CHECK(one.can("ip -d link show flannel.1 | grep -q 'local 192.168.77.1 '"));
  CHECK(annotations_of(*this, "node1")["flannel.alpha.coreos.com/public-ip"] == "203.0.113.2");
}

TEST_CASE_METHOD(CloudCluster, "Going over from Nodes to objects in a live cluster loses no packet",
                 "[flanneld]") {
  start_all("auto");
  static_cast<void>(one.run("sh -c 'ping -i 0.005 -q -I 10.244.1.1 10.244.2.1 >" + one.path("ping").native() +
                            " 2>&1 & echo $!' >" + one.path("ping.pid").native()));
  define_kind();
  for (const FlanneldNode* node : nodes) ::kill(node->pid(), SIGHUP);
  const auto took = until([&] {
    return with_api([](ApiServer& server) {
             return server.watches().count() == 3 && !network_object(server, "node3").is_null();
           }) &&
           count_requests("watch nodenetworkconfigurations") >= 3;
  });
  print_time("three nodes went over from Nodes to objects", took);
  // from now on the objects count
  two.stop(SIGTERM);
  with_api([](ApiServer& server) {
    server.put(std::string(kNetworkPath) + "node3",
               {{"spec", {{"flannel", {{"backendData", {{"VtepMAC", "66:00:00:00:00:33"}}}}}}}});
  });
  until([&] { return one.can("bridge fdb show dev flannel.1 | grep -q 66:00:00:00:00:33"); });
  std::this_thread::sleep_for(200ms);  // what is lost by it is lost now
  static_cast<void>(one.run("kill -INT $(cat " + one.path("ping.pid").native() + "); sleep 0.1"));
  const std::string told = one.run("cat " + one.path("ping").native());
  INFO(told);
  std::smatch counts;
  REQUIRE(std::regex_search(told, counts, std::regex("([0-9]+) packets transmitted, ([0-9]+) received")));
  CHECK(counts[1] == counts[2]);
  CHECK(std::stoi(counts[1]) > 20);
}

TEST_CASE("A token that is replaced on disk is used when the old one is refused", "[flanneld]") {
  CloudCluster cloud;
  const auto socket = cloud.home.path() / "api.sock";
  test::ApiServerThread api({.unix_socket = socket});
  api.with([](ApiServer& server) {
    test::put_node(server, "node1", "10.244.1.0/24");
    server.require_token("first");
  });
  std::ofstream(cloud.home.path() / "token") << "first\n";
  std::ofstream(cloud.home.path() / "kubeconfig")
      << json{{"current-context", "here"},
              {"contexts", {{{"name", "here"}, {"context", {{"cluster", "here"}, {"user", "me"}}}}}},
              {"clusters", {{{"name", "here"}, {"cluster", {{"server", "unix://" + socket.native()}}}}}},
              {"users", {{{"name", "me"}, {"user", {{"tokenFile", "token"}}}}}}};
  cloud.start(cloud.one, "node");
  until([&] { return cloud.one.ready() && CloudCluster::reaches_api(cloud.one); });
  api.with([](ApiServer& server) {
    server.require_token("second");
    server.watches().end_all(/*connections=*/true);
  });
  until([&] { return !CloudCluster::reaches_api(cloud.one); });
  CHECK(cloud.one.ready());
  std::ofstream(cloud.home.path() / "token") << "second\n";
  until([&] { return CloudCluster::reaches_api(cloud.one); });
}

}  // namespace
}  // namespace holdfast::flannel
