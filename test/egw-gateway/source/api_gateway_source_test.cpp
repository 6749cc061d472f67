#include "egw-gateway/source/api_gateway_source.h"

#include <nlohmann/json.hpp>
#include <string>

#include "test/catch.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/manifest_kinds.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

/// Writes down what a source tells.
struct Diary final : GatewayConsumer {
  std::optional<EdgeGateway> last;
  int times_told = 0;
  int times_gone = 0;
  std::string trouble;

  void told(EdgeGateway gateway) override {
    last = std::move(gateway);
    ++times_told;
  }
  void gone() override { ++times_gone; }
  void health(const std::string& text) override { trouble = text; }
};

constexpr const char* kPath = "/apis/net.holdfast.dev/v1alpha1/edgegateways/";

struct Cloud : test::HttpScene {
  test::ApiServer server{*loop};
  Diary diary;
  std::unique_ptr<ApiGatewaySource> source;

  void define() {
    test::define_kind(server, std::string(HOLDFAST_MANIFESTS) + "/base/egw-gateway/edgegateways.yaml");
  }
  void put(const std::string& pool, const std::string& range) {
    server.put(kPath + pool, {{"apiVersion", "net.holdfast.dev/v1alpha1"},
                              {"kind", "EdgeGateway"},
                              {"metadata", {{"name", pool}}},
                              {"spec", {{"vpcCIDRs", {range}}}}});
  }
  void start() {
    auto link =
        kube::ClusterLink::connect(*loop, files, metrics, {.server = server.url()}, "egw-helper").value();
    source = std::make_unique<ApiGatewaySource>(*loop, std::move(link), "hangzhou");
    REQUIRE(source->start(diary));
  }
  [[nodiscard]] std::string range() const {
    return diary.last && !diary.last->vpc_cidrs.empty() ? diary.last->vpc_cidrs[0].to_string() : "";
  }
};

TEST_CASE_METHOD(Cloud, "The pool's object is told, and each change of it, and no other pool's",
                 "[gateway]") {
  define();
  put("hangzhou", "172.16.0.0/12");
  put("ningbo", "10.0.0.0/8");
  start();
  turn_until([&] { return range() == "172.16.0.0/12"; });
  CHECK(diary.last->pool == "hangzhou");
  CHECK_FALSE(diary.last->uid.empty());
  put("ningbo", "10.0.0.0/9");
  put("hangzhou", "172.17.0.0/16");
  turn_until([&] { return range() == "172.17.0.0/16"; });
  CHECK(diary.last->pool == "hangzhou");
  CHECK(diary.times_gone == 0);
  CHECK(diary.trouble.empty());
}

TEST_CASE_METHOD(Cloud, "The role of our manifests allows what the source asks for, and nothing else",
                 "[gateway]") {
  define();
  put("hangzhou", "172.16.0.0/12");
  start();
  // those of the pods that egw-controller makes (pool_controller_test.cpp)
  for (const char* account : {"egw-gateway/egw-core", "egw-gateway/egw-helper"}) {
    INFO(account);
    const auto granted = test::Roles::in(HOLDFAST_MANIFESTS "/base").bound_to(account);
    turn_until([&] { return test::unasked(granted, server.asked()).empty(); });
    CHECK(test::refused(granted, server.asked()) == std::vector<std::string>{});
  }
}

TEST_CASE_METHOD(Cloud, "A deleted object is gone, and told again when it is back", "[gateway]") {
  define();
  put("hangzhou", "172.16.0.0/12");
  start();
  turn_until([&] { return diary.times_told > 0; });
  server.remove(kPath + std::string("hangzhou"));
  turn_until([&] { return diary.times_gone > 0; });
  put("hangzhou", "172.18.0.0/16");
  turn_until([&] { return range() == "172.18.0.0/16"; });
}

TEST_CASE_METHOD(Cloud, "An object that a confirmed list does not hold is gone", "[gateway]") {
  define();
  put("ningbo", "10.0.0.0/8");
  server.watches().bookmark_period = std::chrono::milliseconds(20);  // by one the list is confirmed
  start();
  turn_until([&] { return diary.times_gone > 0; });
  CHECK(diary.times_told == 0);
}

TEST_CASE_METHOD(Cloud, "A server that does not know the kind says nothing of the pool", "[gateway]") {
  start();
  turn_until([&] { return !diary.trouble.empty(); });
  turn_for(std::chrono::milliseconds(300));
  CHECK(diary.times_gone == 0);
  CHECK_THAT(diary.trouble, Catch::Contains("API server"));
  define();
  put("hangzhou", "172.16.0.0/12");
  turn_until([&] { return range() == "172.16.0.0/12"; });
  CHECK(diary.trouble.empty());
}

TEST_CASE_METHOD(Cloud, "An object that cannot be used is told as trouble, and the last one stays",
                 "[gateway]") {
  define();
  put("hangzhou", "172.16.0.0/12");
  start();
  turn_until([&] { return diary.times_told > 0; });
  put("hangzhou", "0.0.0.0/0");
  turn_until([&] { return !diary.trouble.empty(); });
  CHECK_THAT(diary.trouble,
             Catch::Contains("EdgeGateway hangzhou cannot be used") && Catch::Contains("0.0.0.0/0"));
  CHECK(range() == "172.16.0.0/12");
  CHECK(diary.times_gone == 0);
  put("hangzhou", "172.19.0.0/16");
  turn_until([&] { return range() == "172.19.0.0/16"; });
  CHECK(diary.trouble.empty());
}

}  // namespace
}  // namespace holdfast::gateway
