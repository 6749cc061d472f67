#include "egw-gateway/controller/pool_objects.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/yaml/yaml.h"
#include "test/catch.h"

namespace holdfast::gateway {
namespace {

using nlohmann::json;

TEST_CASE("What the controller makes of a pool is what the checks of manifests read", "[egw controller]") {
  const ObjectOptions options{.name_space = "egw-gateway", .image = "holdfast"};
  std::vector<json> made{core_object(options, "hangzhou", "a", 1, {}), helper_object(options, "hangzhou"),
                         budget_object(options, "hangzhou")};
  for (json& each : made) each["metadata"].erase("annotations");

  std::ifstream file(HOLDFAST_FIXTURES "/egw-controller/pool.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto read = parse_yaml(text);
  REQUIRE(read.has_value());
  REQUIRE(read->size() == made.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    const json difference = json::diff(read->at(i), made[i]);
    INFO("test/fixtures/egw-controller/pool.yaml is to say: " << dump_yaml(difference));
    CHECK(difference.empty());
  }
}

TEST_CASE("Every container of a gateway is pulled when the controller is told so", "[egw controller]") {
  const ObjectOptions options{
      .name_space = "egw-gateway", .image = "holdfast", .image_pull_policy = "Always"};
  for (const json& each :
       {core_object(options, "hangzhou", "a", 1, {}), helper_object(options, "hangzhou")}) {
    const json pod = each["spec"]["template"]["spec"];
    json containers = pod["containers"];
    for (const json& first : pod.value("initContainers", json::array())) containers.push_back(first);
    CHECK_FALSE(containers.empty());
    for (const json& container : containers) CHECK(container["imagePullPolicy"] == "Always");
  }
}

}  // namespace
}  // namespace holdfast::gateway
