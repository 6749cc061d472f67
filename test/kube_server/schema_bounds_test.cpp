#include "test/kube_server/schema_bounds.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/yaml/yaml.h"
#include "test/catch.h"

namespace holdfast::test {
namespace {

using nlohmann::json;

json member_schema(const json& schema) { return {{"type", "object"}, {"properties", {{"m", schema}}}}; }

TEST_CASE("A bound is kept by what is just within it, and broken by what is just beyond", "[kube]") {
  struct Case {
    const char* schema;
    const char* kept;
    const char* broken;
  };
  const Case cases[] = {
      {R"({"maxLength":2})", R"("äö")", R"("abc")"},
      {R"({"minLength":2})", R"("äö")", R"("ö")"},
      {R"({"maximum":3})", "3", "4"},
      {R"({"minimum":-1})", "-1", "-2"},
      {R"({"maxItems":1})", "[1]", "[1,2]"},
      {R"({"minItems":1})", "[1]", "[]"},
      {R"({"maxProperties":1})", R"({"a":1})", R"({"a":1,"b":2})"},
      {R"({"pattern":"^[0-7]{1,4}$"})", R"("0755")", R"("0785")"},
      {R"({"enum":["True","False"]})", R"("True")", R"("true")"},
      {R"({"required":["a"]})", R"({"a":""})", R"({"b":1})"},
      {R"({"format":"date-time"})", R"("2026-01-02T03:04:05.678Z")", R"("2026-01-02 03:04:05")"},
      {R"({"format":"int32"})", "2147483647", "2147483648"},
      {R"({"format":"int64"})", "9223372036854775807", "9223372036854775808"},
      {R"({"items":{"maxLength":1}})", R"(["a","b"])", R"(["a","bb"])"},
      {R"({"additionalProperties":{"maxLength":1}})", R"({"x":"a"})", R"({"x":"aa"})"},
      {R"({"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"]})",
       R"([{"name":"a"},{"name":"b"}])", R"([{"name":"a"},{"name":"a"}])"},
      {R"({"x-kubernetes-validations":[{"rule":"self.a <= self.b"}]})", R"({"a":1,"b":1})",
       R"({"a":2,"b":1})"},
      {R"({"x-kubernetes-validations":[{"rule":"self.a == 1"}]})", R"({"a":1})", R"({"b":1})"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.schema);
    const json schema = member_schema(json::parse(c.schema));
    CHECK_FALSE(broken_bound({{"m", json::parse(c.kept)}}, json(), schema));
    const auto wrong = broken_bound({{"m", json::parse(c.broken)}}, json(), schema);
    REQUIRE(wrong);
    CHECK(wrong->field.starts_with("m"));
    CHECK_FALSE(broken_bound(json::object(), json(), schema));
  }
}

TEST_CASE("A rule of what was there is for those that had it", "[kube]") {
  const json schema = member_schema(json::parse(
      R"({"x-kubernetes-validations":[{"rule":"self == oldSelf","message":"cannot be changed"}]})"));
  const json one{{"m", "one"}};
  const json two{{"m", "two"}};
  CHECK_FALSE(broken_bound(one, json(), schema));
  CHECK_FALSE(broken_bound(one, json::object(), schema));
  CHECK_FALSE(broken_bound(one, one, schema));
  const auto wrong = broken_bound(two, one, schema);
  REQUIRE(wrong);
  CHECK(wrong->words == "Invalid value: cannot be changed");
  CHECK_FALSE(broken_bound(json::object(), one, schema));
}

TEST_CASE("Members that are not there get their defaults, those of members that are not there do not",
          "[kube]") {
  const json schema = json::parse(R"({"properties":{
      "kind":{"default":"volume"}, "list":{"items":{"properties":{"n":{"default":1}}}},
      "absent":{"properties":{"x":{"default":1}}}}})");
  json object = json::parse(R"({"list":[{},{"n":2}]})");
  set_schema_defaults(object, schema);
  CHECK(object == json::parse(R"({"kind":"volume","list":[{"n":1},{"n":2}]})"));
}

TEST_CASE("Every word in our definitions is heeded", "[kube]") {
  std::size_t definitions = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(HOLDFAST_MANIFESTS "/base")) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::vector<json> documents = parse_yaml(text).value();
    for (const json& each : documents) {
      if (each.value("kind", "") != "CustomResourceDefinition") continue;
      ++definitions;
      for (const json& version : each["spec"]["versions"]) {
        INFO(entry.path());
        CHECK(unheeded_word(version["schema"]["openAPIV3Schema"]).value_or("") == "");
      }
    }
  }
  CHECK(definitions == 6);
  CHECK(unheeded_word(json::parse(R"({"properties":{"a":{"items":{"multipleOf":2}}}})")) == "multipleOf");
}

}  // namespace
}  // namespace holdfast::test
