#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/kube/cluster_link.h"
#include "egw-gateway/access/access_agent.h"
#include "egw-gateway/access/access_store.h"
#include "egw-gateway/access/options.h"
#include "egw-gateway/access/pool_status.h"
#include "egw-gateway/model/gateway_names.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/kube_server/direct_http.h"
#include "test/kube_server/manifest_kinds.h"

namespace holdfast::gateway {
namespace {

Result<AccessOptions> parse(const std::vector<std::string>& arguments) {
  return parse_access_options(arguments, [](const std::string&) { return std::nullopt; });
}

TEST_CASE("egw-access's flags are read", "[access]") {
  const auto options = parse({"--access-point=one", "--private-key=/key", "--source=dir", "--routes=alibaba",
                              "--cloud-region=cn-beijing", "--route-table=vtb-1", "--next-hop=eni-1",
                              "--peer-next-hop=eni-2", "--wireguard=userspace", "--mtu=1380"});
  REQUIRE(options.has_value());
  CHECK(options->source.kind == SourceKind::kDir);
  CHECK(options->routes == RoutesTo::kAlibaba);
  CHECK(options->vpc.region == "cn-beijing");
  CHECK(options->vpc.next_hop_type == "NetworkInterface");
  CHECK(options->vpc.peers == std::set<std::string>{"eni-2"});
  CHECK(options->engine == wireguard::Engine::kUserSpace);
  CHECK(options->mtu == 1380);
}

TEST_CASE("Who ends an access point's pod gives it the time for its farewell", "[access]") {
  PosixFiles files;
  const std::string path = std::string(HOLDFAST_MANIFESTS) + "/base/egw-gateway/access.yaml";
  const std::string text = files.read(path, 1 << 20).value().value();
  const std::string key = "terminationGracePeriodSeconds: ";
  REQUIRE(text.find(key) != std::string::npos);
  const std::chrono::seconds given(std::stoi(text.substr(text.find(key) + key.size(), 4)));
  CHECK(given > kLongestFarewell + kUnderWay + std::chrono::seconds(1));
}

TEST_CASE("flags of egw-access that cannot be are refused with their cause", "[access]") {
  struct Case {
    std::vector<std::string> arguments;
    std::string part;
  };
  const Case cases[] = {
      {{"--private-key=/key"}, "--access-point tells no name"},
      {{"--access-point=one"}, "--private-key tells no file"},
      {{"--access-point=one", "--private-key=/key", "--routes=alibaba"}, "needs --cloud-region"},
      {{"--access-point=one", "--private-key=/key", "--routes=alibaba", "--cloud-region=cn-beijing",
        "--route-table=vtb-1", "--next-hop=havip-1", "--next-hop-type=HaVip"},
       "needs --ha-vip-address"},
      {{"--access-point=one", "--private-key=/key", "--ha-vip-address=havip-1"}, "is not an IP address"},
      {{"--access-point=one", "--private-key=/key", "--routes=bgp"}, "is none of kernel, alibaba, none"},
      {{"--access-point=one", "--private-key=/key", "--mtu=60"}, "--mtu"},
      {{"--access-point=one", "--private-key=/key", "--wireguard=go"}, "no WireGuard engine"},
  };
  for (const Case& each : cases) {
    DYNAMIC_SECTION(each.part) {
      const auto options = parse(each.arguments);
      REQUIRE_FALSE(options.has_value());
      CHECK(options.error().message.find(each.part) != std::string::npos);
    }
  }
}

TEST_CASE("pools are stored whole, and those of another access point are not used", "[access]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  AccessStore store(files, folder.path(), "one");
  CHECK(store.load().value().pools.empty());
  CHECK_FALSE(store.load().value().whole);
  EdgeGateway pool{.pool = "hz"};
  pool.pod_cidrs = {Cidr::parse("10.244.0.0/16").value()};
  pool.vpc_cidrs = {Cidr::parse("172.16.0.0/16").value()};
  REQUIRE(store.save({{"aa", {.pool = "aa"}}, {"hz", pool}}, {"hz"}).has_value());
  CHECK(store.load().value().pools.at("hz").pod_cidrs == pool.pod_cidrs);
  CHECK(store.load().value().pools.size() == 2);
  CHECK(store.load().value().served == std::set<std::string>{"hz"});
  CHECK(store.load().value().whole);

  const auto foreign = AccessStore(files, folder.path(), "two").load().value();
  CHECK(foreign.pools.empty());
  REQUIRE(foreign.notes.size() == 1);
  CHECK(foreign.notes[0].find("it is of access point 'one'") != std::string::npos);
  CHECK_FALSE(foreign.whole);
}

TEST_CASE("as many pools as there are tunnels for are stored and read again", "[access]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  AccessStore store(files, folder.path(), "one");
  AccessStore::Pools pools;
  for (int number = 0; number < 500; ++number) {
    EdgeGateway pool{.pool = "site-" + std::to_string(number)};
    const std::string pods = "10." + std::to_string(number % 250) + ".";
    pool.pod_cidrs = {Cidr::parse(pods + "0.0/16").value()};
    pool.vpc_cidrs = {Cidr::parse("172.16.0.0/12").value()};
    for (int node = 0; node < 32; ++node) {
      const std::string text = std::to_string(node);
      pool.nodes.push_back({.name = "cn-hangzhou.192.168.100." + text,
                            .pod_cidrs = {Cidr::parse(pods + text + ".0/24").value()},
                            .addresses = {IpAddress::parse("192.168.100." + text).value()}});
    }
    pools[pool.pool] = std::move(pool);
  }
  REQUIRE(store.save(pools, {}).has_value());
  REQUIRE(std::filesystem::file_size(folder / "access.json") > std::size_t{1} << 20);
  const auto loaded = store.load().value();
  CHECK(loaded.whole);
  CHECK(loaded.pools == pools);
}

/// What an access point writes, to an API server that time is made to pass for.
struct StatusScene {
  StatusScene() {
    test::define_kind(server, HOLDFAST_MANIFESTS "/base/egw-gateway/edgegateways.yaml");
    server.put(kPool, {{"apiVersion", kEdgeGatewayApiVersion},
                       {"kind", "EdgeGateway"},
                       {"metadata", {{"name", "hz"}}},
                       {"spec", {{"podCIDRs", {"10.244.0.0/16"}}}}});
    auto watches = std::make_unique<test::DirectHttp>(*loop, server);
    auto writes = std::make_unique<test::DirectHttp>(*loop, server);
    http = writes.get();
    link = std::make_unique<kube::ClusterLink>(*loop, std::move(watches), std::move(writes), "egw-access");
  }
  void pass(std::chrono::seconds time) {
    for (auto left = std::chrono::milliseconds(time); left.count() > 0; left -= kStep) {
      clock.advance(kStep);
      REQUIRE(loop->turn(std::chrono::milliseconds(0)));
    }
  }
  [[nodiscard]] std::string active() {
    const nlohmann::json entries =
        server.find(kPool)->value("/status/accessPoints"_json_pointer, nlohmann::json::array());
    return entries.empty() ? "" : entries[0]["active"];
  }

  static constexpr auto kStep = std::chrono::milliseconds(5);
  static constexpr const char* kPool = "/apis/net.holdfast.dev/v1alpha1/edgegateways/hz";
  test::FakeClock clock;
  std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
  test::ApiServer server{*loop};
  test::LogLines log;
  test::DirectHttp* http = nullptr;
  std::unique_ptr<kube::ClusterLink> link;
};

TEST_CASE_METHOD(StatusScene, "what happens while the API server is away is told when it is back",
                 "[access]") {
  PoolStatusWriter writer(*loop, *link, log, "one");
  writer.write({.pool = "hz", .active = "a"});
  pass(std::chrono::seconds(1));
  REQUIRE(active() == "a");
  http->requests_lost = true;
  writer.write({.pool = "hz", .active = ""});
  pass(std::chrono::seconds(1));
  writer.write({.pool = "hz", .active = "b"});
  pass(std::chrono::seconds(300));
  CHECK(active() == "a");
  http->requests_lost = false;
  pass(std::chrono::seconds(60));
  CHECK(active() == "b");
}

TEST_CASE("a pool's status is an entry of the access point's own", "[access]") {
  PoolReport report{.pool = "hz", .active = "a"};
  report.switched = std::chrono::system_clock::time_point(std::chrono::seconds(0));
  report.reason = "QuotaExceeded";
  report.keys = {"KEY"};
  report.message = "10.244.0.0/16: the table is full";
  const nlohmann::json entry = status_of(report, "one").at("status").at("accessPoints").at(0);
  CHECK(entry == nlohmann::json{{"name", "one"},
                                {"active", "a"},
                                {"lastSwitch", "1970-01-01T00:00:00Z"},
                                {"reason", "QuotaExceeded"},
                                {"keys", nlohmann::json::array({"KEY"})},
                                {"message", "10.244.0.0/16: the table is full"}});
}

}  // namespace
}  // namespace holdfast::gateway
