// The real egw-access between a cloud's API, an API server and a router of the VPC.

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/netlink/netns.h"
#include "common/yaml/yaml.h"
#include "egw-gateway/access/sim/vpc_service.h"
#include "test/catch.h"
#include "test/cloud/sim_cloud.h"
#include "test/cni-flannel/daemon/flanneld_node.h"
#include "test/egw-gateway/access/access_scene.h"
#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/manifest_kinds.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;
using test::AccessScene;
using test::ApiServer;
using test::until;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr const char* kPools = "/apis/net.holdfast.dev/v1alpha1/edgegateways/";

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

json object_in(const std::filesystem::path& file) { return parse_yaml(text_of(file)).value().front(); }

/// The pools' objects are an API server's, and the VPC's route table is a simulated one.
struct CloudScene : AccessScene {
  CloudScene() {
    static_cast<void>(nl::run_in_netns(access.netns.get(), [&] {
      server = std::make_unique<test::ApiServerThread>();
      cloud = std::make_unique<test::SimCloud>(table, home / "cloud");
    }));
    server->with([](ApiServer& api) {
      test::define_kind(api, HOLDFAST_MANIFESTS "/base/egw-gateway/edgegateways.yaml");
    });
    publish();
    put_pool("hz", object_in(home / "gateways" / "hz.yaml"));
    const json config{
        {"apiVersion", "v1"},
        {"kind", "Config"},
        {"current-context", "test"},
        {"contexts", {{{"name", "test"}, {"context", {{"cluster", "test"}, {"user", "test"}}}}}},
        {"users", {{{"name", "test"}, {"user", json::object()}}}},
        {"clusters", {{{"name", "test"}, {"cluster", {{"server", server->url()}}}}}}};
    std::ofstream(home / "kubeconfig") << config;
    std::ofstream(home / "account") << json{{"AccessKeyId", test::sim_account().id},
                                            {"AccessKeySecret", test::sim_account().secret}};
  }

  void put_pool(const std::string& name, const json& object) const {
    server->with([&](ApiServer& api) { api.put(kPools + name, object); });
  }
  void start_with_cloud() {
    start({"--source=crd", "--kubeconfig=" + (home / "kubeconfig").native(), "--routes=alibaba",
           "--cloud-region=cn-beijing", "--cloud-endpoint=" + cloud->url(),
           "--cloud-credentials=" + (home / "account").native(), "--route-table=vtb-1", "--next-hop=eni-1"});
    for (test::FakeGateway* each : {&a, &b}) {
      INFO(log());
      until([&] { return access.can("ip link show egw-hz-" + each->name + " 2>/dev/null"); }, kPatience);
      each->connect(wireguard::public_key_of(key).value());
    }
    b.live();
    a.live();
  }
  [[nodiscard]] std::string hop_of(const std::string& range) const {
    const json entries = cloud->state().value("/tables/vtb-1"_json_pointer, json::object());
    return entries.contains(range) ? entries[range]["hop"].get<std::string>() : "";
  }
  /// Of the entry that this access point has in the pool's status; null: it has none.
  [[nodiscard]] json told_of(const std::string& pool) const {
    const json object = server->with([&](ApiServer& api) { return *api.find(kPools + pool); });
    const json entries = object.value("/status/accessPoints"_json_pointer, json::array());
    return entries.empty() ? json() : entries.front();
  }

  SystemClock clock;
  VpcService table{clock};
  std::unique_ptr<test::ApiServerThread> server;
  std::unique_ptr<test::SimCloud> cloud;
};

TEST_CASE_METHOD(CloudScene,
                 "A VPC's table leads to the access point, a full one ends nothing, and objects tell of it",
                 "[access]") {
  start_with_cloud();
  until([&] { return hop_of("10.244.0.0/16") == "eni-1"; }, kPatience);
  until([&] { return reaches(); }, kPatience);
  until([&] { return told_of("hz").value("active", "") == "a"; }, kPatience);
  CHECK(told_of("hz")["name"] == "one");

  // no room for another range
  access.run("curl -s -m 5 -d '{\"entries\": 1}' " + cloud->url() + "/sim/most");
  json wider = object_in(home / "gateways" / "hz.yaml");
  wider["spec"]["podCIDRs"].push_back("10.246.0.0/16");
  put_pool("hz", wider);
  until([&] { return told_of("hz").value("reason", "") == "QuotaExceeded"; }, kPatience);
  CHECK_THAT(page("/readyz?verbose"), Catch::Contains("[-]VpcRoutesInPlace"));
  CHECK(told_of("hz")["active"] == "a");
  CHECK(hop_of("10.246.0.0/16").empty());
  CHECK(hop_of("10.244.0.0/16") == "eni-1");
  CHECK(reaches());

  a.die(SIGKILL);
  until([&] { return told_of("hz").value("active", "") == "b"; }, kPatience);
  until([&] { return reaches(); }, kPatience);
}

TEST_CASE_METHOD(AccessScene, "A router is told to send its packets here only while a gateway lives",
                 "[access]") {
  publish();
  test::Program router;
  const auto said = [&] { return text_of(home / "router.log"); };
  router.start(vpc.netns.get(), {BFD_SPEAKER_PROGRAM, "single", "172.16.0.1", "172.16.0.2"},
               home / "router.log");
  start({"--router-bfd=172.16.0.1"});
  for (test::FakeGateway* each : {&a, &b}) {
    until([&] { return access.can("ip link show egw-hz-" + each->name + " 2>/dev/null"); }, kPatience);
    each->connect(wireguard::public_key_of(key).value());
  }
  CHECK(said().empty());
  b.live();
  until([&] { return said() == "up\n"; }, kPatience);
  b.die(SIGKILL);
  until([&] { return said().starts_with("up\ndown") && said().ends_with("\n"); }, kPatience);
  a.live();
  until([&] { return said().ends_with("\nup\n"); }, kPatience);
}

}  // namespace
}  // namespace holdfast::gateway
