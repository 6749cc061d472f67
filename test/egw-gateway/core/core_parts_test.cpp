// What egw-core does without a kernel, beside its plan and its routes.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "egw-gateway/controller/pool_objects.h"
#include "egw-gateway/core/core_options.h"
#include "egw-gateway/core/core_store.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::gateway {
namespace {

EdgeGateway pool() {
  EdgeGateway out;
  out.pool = "hangzhou";
  out.vpc_cidrs = {Cidr::parse("172.16.0.0/12").value()};
  return out;
}

TEST_CASE("The store gives back what was saved, and only to that gateway", "[egw-core]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  CoreStore store(files, folder / "state", "hangzhou", "a");
  CHECK_FALSE(store.load().value().object.has_value());
  REQUIRE(store.save(pool()).has_value());
  CHECK(store.load().value().object == pool());
  const CoreStore::Loaded other = CoreStore(files, folder / "state", "hangzhou", "b").load().value();
  CHECK_FALSE(other.object.has_value());
  REQUIRE(other.notes.size() == 1);
  CHECK_THAT(other.notes[0], Catch::Contains("it is of gateway a of pool hangzhou"));
}

TEST_CASE("A torn state file of a gateway is moved aside and told", "[egw-core]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  CoreStore store(files, folder.path(), "hangzhou", "a");
  REQUIRE(store.save(pool()).has_value());
  std::filesystem::resize_file(store.path(), std::filesystem::file_size(store.path()) - 3);
  const CoreStore::Loaded loaded = store.load().value();
  CHECK_FALSE(loaded.object.has_value());
  CHECK(loaded.notes.size() == 1);
}

Result<CoreOptions> options_of(std::vector<std::string> arguments,
                               std::map<std::string, std::string> environment = {}) {
  return parse_core_options(arguments, [environment](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST_CASE("egw-core is told by flags and by its environment", "[egw-core]") {
  const CoreOptions options = options_of({"--pool=hangzhou", "--private-key=/etc/egw/keys/private-key",
                                          "--wireguard=userspace", "--source=dir", "--mtu=1300"},
                                         {{"EGW_CORE_GATEWAY", "a"}})
                                  .value();
  CHECK(options.gateway == "a");
  CHECK(options.wireguard == wireguard::Engine::kUserSpace);
  CHECK(options.source.kind == SourceKind::kDir);
  CHECK(options.mtu == 1300);
  CHECK(options_of({"--prepare"}).value().prepare);
}

TEST_CASE("What egw-core cannot use is refused by name", "[egw-core]") {
  struct Case {
    const char* name;
    const char* argument;
    const char* error;
  };
  const Case cases[] = {{"an engine", "--wireguard=magic", "no WireGuard engine"},
                        {"a link's name", "--link=a/b", "--link"},
                        {"a size below IPv6's", "--mtu=1279", "1280"},
                        {"a size that is none", "--mtu=65536", "--mtu"},
                        {"a source", "--source=air", "neither crd nor dir"},
                        {"a relative path", "--private-key=key", "--private-key"}};
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto options =
          options_of({"--pool=p", "--gateway=a", "--private-key=/k", std::string(c.argument)});
      REQUIRE_FALSE(options.has_value());
      CHECK_THAT(options.error().message, Catch::Contains(c.error));
    }
  }
  CHECK_THAT(options_of({"--pool=p", "--private-key=/k"}).error().message, Catch::Contains("--gateway"));
  CHECK_THAT(options_of({"--gateway=a", "--private-key=/k"}).error().message, Catch::Contains("--pool"));
  CHECK_THAT(options_of({"--pool=p", "--gateway=a"}).error().message, Catch::Contains("--private-key"));
}

TEST_CASE("The controller runs egw-core by flags that it has, and keeps its state beyond the pod",
          "[egw-core]") {
  const nlohmann::json pod =
      core_object({"egw-gateway", "holdfast"}, "hangzhou", "a", 3, {})["spec"]["template"]["spec"];
  const auto told = [](const nlohmann::json& container) {
    return options_of(container["args"].get<std::vector<std::string>>()).value();
  };
  CHECK(told(pod["initContainers"][0]).prepare);
  const nlohmann::json& container = pod["containers"][0];
  const CoreOptions options = told(container);
  CHECK(options.pool == "hangzhou");
  CHECK(options.gateway == "a");
  CHECK(options.healthz.port == container["ports"][0]["containerPort"]);
  const auto is_mounted = [&](const std::filesystem::path& path) {
    const auto& mounts = container["volumeMounts"];
    return std::any_of(mounts.begin(), mounts.end(),
                       [&](const nlohmann::json& mount) { return mount["mountPath"] == path.native(); });
  };
  CHECK(is_mounted(options.state_dir));
  CHECK(is_mounted(options.private_key.parent_path()));
  CHECK(is_mounted(options.bfd_keys.parent_path()));
}

}  // namespace
}  // namespace holdfast::gateway
