// From a real flannel to ours and back, by what upstream left in files, annotations and the kernel.

#include <algorithm>
#include <array>

#include "test/catch.h"
#include "test/cni-flannel/daemon/golden_flannel.h"
#include "test/cni-flannel/daemon/upstream_node.h"
#include "test/fakes/temporary_folder.h"
#include "test/kube_server/api_server_thread.h"
#include "test/tools/pod_traffic.h"

namespace holdfast::flannel {
namespace {

using holdfast::test::ApiServer;
using holdfast::test::ApiServerThread;
using holdfast::test::golden_path;
using holdfast::test::Lan;
using holdfast::test::PodTraffic;
using holdfast::test::TemporaryFolder;
using holdfast::test::until;
using holdfast::test::UpstreamNode;
using nlohmann::json;

/// Two nodes that a real flannel ran, and the API server that still has what it wrote.
struct Migration {
  explicit Migration(const std::string& mode)
      : a(lan, home.path(), mode, "nodea"), b(lan, home.path(), mode, "nodeb") {
    for (const UpstreamNode* node : nodes) {
      json object = node->object();
      object["metadata"].erase("resourceVersion");  // this server has versions of its own
      api.with([&](ApiServer& server) { server.put(path_of(object), object); });
    }
  }
  static std::string path_of(const json& object) {
    return "/api/v1/nodes/" + object["metadata"]["name"].get<std::string>();
  }
  /// Datagrams between the pods in both directions, from now on.
  void start_traffic() {
    REQUIRE(traffic.add_way(a.pod(), b.pod(), b.pod_address()));
    REQUIRE(traffic.add_way(b.pod(), a.pod(), a.pod_address()));
    traffic.start();
  }
  void start(UpstreamNode& node, const std::vector<std::string>& more = {}) {
    node.start(api.url(), more);
    until([&] { return node.node.ready(); });
  }
  /// The annotations and conditions that the API server has of a node.
  std::string published(const UpstreamNode& node) {
    const json object = *api.with([&](ApiServer& server) { return server.find(path_of(node.object())); });
    return object["metadata"]["annotations"].dump() + object["status"]["conditions"].dump();
  }
  static std::string published_by_upstream(const UpstreamNode& node) {
    return node.object()["metadata"]["annotations"].dump() + node.object()["status"]["conditions"].dump();
  }
  /// Sends what a server sends each minute, and what makes a list authoritative.
  void send_bookmarks() {
    api.with([](ApiServer& server) { server.watches().send_bookmarks(); });
  }
  std::size_t writes() {
    return api.with([](ApiServer& server) {
      return static_cast<std::size_t>(std::ranges::count_if(
          server.requests(), [](const std::string& each) { return each.starts_with("patch"); }));
    });
  }

  TemporaryFolder home;
  Lan lan;
  ApiServerThread api{test::ListenAt{.unix_socket = home.path() / "api.sock"}};
  UpstreamNode a;
  UpstreamNode b;
  std::array<UpstreamNode*, 2> nodes{&a, &b};
  PodTraffic traffic;
};

bool is_guarded(const UpstreamNode& node) {
  return node.node.get("/readyz?verbose").find("[+]PeersGuarded ok") != std::string::npos;
}

/// What upstream runs for a peer at each of its starts; the three `replace` leave one of each.
void program_as_upstream(const UpstreamNode& node, const UpstreamNode& peer) {
  const std::string range = peer.object()["spec"]["podCIDR"];
  const std::string base = range.substr(0, range.find('/'));
  const std::string mac = json::parse(peer.left("link-flannel.1.json"))[0]["address"];
  static_cast<void>(node.node.run(
      "ip neigh replace " + base + " lladdr " + mac + " nud permanent dev flannel.1 && bridge fdb replace " +
      mac + " dev flannel.1 dst " +
      peer.object()["metadata"]["annotations"]["flannel.alpha.coreos.com/public-ip"].get<std::string>() +
      " self permanent && ip route replace " + range + " via " + base + " dev flannel.1 onlink"));
}

TEST_CASE("Nodes that a real flannel ran are taken over and given back, and no packet is lost",
          "[flanneld]") {
  const std::string mode = GENERATE("nft", "ipt");
  INFO(mode);
  Migration scene(mode);
  // of a node that was deleted while upstream's flanneld did not run
  static_cast<void>(
      scene.a.node.run("ip neigh add 10.244.9.0 lladdr 02:00:00:00:00:09 dev flannel.1 nud permanent && "
                       "bridge fdb add 02:00:00:00:00:09 dev flannel.1 dst 192.168.77.9 self permanent && "
                       "ip route add 10.244.9.0/24 via 10.244.9.0 dev flannel.1 onlink"));
  // upstream's image took the other iptables than ours
  static_cast<void>(
      scene.a.node.run("iptables-legacy-restore < " + golden_path("ipt/nodea.iptables-save.txt")));
  scene.start_traffic();
  const std::string index = scene.a.node.run("ip -o link show flannel.1 | cut -d: -f1");

  for (UpstreamNode* node : scene.nodes) scene.start(*node);
  // before a list is known to be whole nobody's entries go, and it is not known who is a stranger
  CHECK(scene.a.node.can("ip route show 10.244.9.0/24 | grep -q flannel.1"));
  CHECK_FALSE(is_guarded(scene.a));
  until([&] {
    scene.send_bookmarks();
    return scene.a.differences().empty() && is_guarded(scene.a) && is_guarded(scene.b);
  });
  for (const UpstreamNode* node : scene.nodes) {
    CHECK(node->differences() == "");
    CHECK(node->rules() == node->upstream_rules());
    CHECK(scene.published(*node) == Migration::published_by_upstream(*node));
    CHECK(node->node.log().find("device made") == std::string::npos);
  }
  CHECK(scene.a.node.run("iptables-legacy-save").find("FLANNEL") == std::string::npos);
  CHECK(scene.a.node.run("ip -o link show flannel.1 | cut -d: -f1") == index);
  CHECK(scene.writes() == 0);

  for (UpstreamNode* node : scene.nodes) {
    CHECK(node->node.stop(SIGTERM) == 0);
    CHECK(node->differences() == "");
    CHECK(node->rules() == node->upstream_rules());
    // what docs/flanneld.md says of the way back
    static_cast<void>(node->node.run("nft delete table inet flanneld-peers"));
  }
  program_as_upstream(scene.a, scene.b);
  program_as_upstream(scene.b, scene.a);
  CHECK(scene.a.differences() == "");
  CHECK(scene.b.differences() == "");
  const PodTraffic::Count count = scene.traffic.stop();
  CHECK(count.lost.empty());
  CHECK(count.answered > 100);
}

TEST_CASE("What ours makes anew after a reboot is what a real flannel leaves", "[flanneld]") {
  const std::string mode = GENERATE("nft", "ipt");
  INFO(mode);
  Migration scene(mode);
  for (UpstreamNode* node : scene.nodes) {
    scene.start(*node);
    until([&] { return std::filesystem::exists(node->node.path("state/overlay.json")); });
    node->node.stop(SIGKILL);
    node->lose_kernel_state();
  }
  for (UpstreamNode* node : scene.nodes) scene.start(*node);
  scene.start_traffic();
  for (UpstreamNode* node : scene.nodes) {
    until([&] { return node->differences().empty(); });
    CHECK(node->rules() == node->upstream_rules());
    CHECK(scene.published(*node) == Migration::published_by_upstream(*node));
    CHECK(node->node.stop(SIGTERM) == 0);
  }
  program_as_upstream(scene.a, scene.b);
  program_as_upstream(scene.b, scene.a);
  CHECK(scene.a.differences() == "");
  CHECK(scene.b.differences() == "");
  CHECK(scene.traffic.stop().lost.empty());
}

/// A second uplink, which the default route leads to: upstream ran with --iface=u0 then.
void add_second_uplink(const UpstreamNode& node) {
  static_cast<void>(
      node.node.run("ip link add w0 type veth peer name w1 && ip link set w1 up && ip addr add "
                    "198.51.100.7/24 dev w0 && ip link set w0 up && "
                    "ip route replace default dev w0"));
}

std::string device(const UpstreamNode& node) { return node.node.run("ip -d link show flannel.1"); }

TEST_CASE("A flannel that was told another interface than the default route's is taken over on it",
          "[flanneld]") {
  Migration scene("ipt");
  for (UpstreamNode* node : scene.nodes) add_second_uplink(*node);
  // the routes of the second uplink
  const std::array before{scene.a.differences(), scene.b.differences()};
  const std::string left = device(scene.a);
  scene.start_traffic();
  for (UpstreamNode* node : scene.nodes) scene.start(*node);
  until([&] {
    scene.send_bookmarks();
    return is_guarded(scene.a) && is_guarded(scene.b);
  });
  CHECK(device(scene.a) == left);
  CHECK(std::array{scene.a.differences(), scene.b.differences()} == before);
  for (const UpstreamNode* node : scene.nodes) {
    CHECK(scene.published(*node) == Migration::published_by_upstream(*node));
    CHECK(node->node.log().find("the flannel that was here is kept") != std::string::npos);
  }
  CHECK(scene.writes() == 0);
  const PodTraffic::Count count = scene.traffic.stop();
  CHECK(count.lost.empty());
  CHECK(count.answered > 0);

  // what shows it is gone after a boot
  until([&] { return std::filesystem::exists(scene.a.node.path("state/overlay.json")); });
  scene.a.node.stop(SIGKILL);
  scene.a.lose_kernel_state();
  scene.start(scene.a);
  until([&] { return scene.a.differences() == before[0]; });
  CHECK(scene.published(scene.a) == Migration::published_by_upstream(scene.a));

  // flags win
  scene.a.node.stop(SIGTERM);
  scene.start(scene.a, {"--iface=w0"});
  until([&] { return device(scene.a).find("local 198.51.100.7 dev w0") != std::string::npos; });
}

TEST_CASE("A device with another MAC than the Node's tells no interface", "[flanneld]") {
  Migration scene("ipt");
  add_second_uplink(scene.a);
  static_cast<void>(scene.a.node.run("ip link set flannel.1 address 02:00:00:00:00:09"));
  scene.start(scene.a);
  CHECK(device(scene.a).find("local 198.51.100.7 dev w0") != std::string::npos);
}

}  // namespace
}  // namespace holdfast::flannel
