#include "common/kube/table_rows.h"

#include <nlohmann/json.hpp>

#include "test/catch.h"
#include "test/kube_server/recording.h"

namespace holdfast::kube {
namespace {

using nlohmann::json;

TableRows rows() {
  return {
      {{"Name", "/metadata/name"}, {"CIDR", "/spec/cidr"}, {"CIDR", "/spec/cidrs/0"}, {"VNI", "/spec/vni"}},
      R"({"kind":"Thing"})"};
}

TEST_CASE("a row is an object of what its cells show, wherever the columns stand", "[kube]") {
  TableRows table = rows();
  REQUIRE(table.take_definitions(
      json::parse(R"([{"name":"VNI"},{"name":"Name"},{"name":"Age"},{"name":"CIDR"}])")));
  CHECK(table.object_of(json::parse(R"({"cells":[7,"a","3d","10.0.0.0/24"],"object":null})")).value() ==
        json::parse(R"({"kind":"Thing","metadata":{"name":"a"},
                        "spec":{"cidr":"10.0.0.0/24","cidrs":["10.0.0.0/24"],"vni":7}})"));
  CHECK(table.object_of(json::parse(R"({"cells":[null,"a","3d",""]})")).value() ==
        json::parse(R"({"kind":"Thing","metadata":{"name":"a"}})"));
}

TEST_CASE("a table that lacks a column is of no use, and a row that does not fit is refused", "[kube]") {
  TableRows table = rows();
  const Status lacking = table.take_definitions(json::parse(R"([{"name":"Name"},{"name":"VNI"}])"));
  REQUIRE_FALSE(lacking);
  CHECK(lacking.error().code == Code::kUnimplemented);
  CHECK(lacking.error().message == "the server's table has no column 'CIDR'");
  CHECK_FALSE(table.object_of(json::parse(R"({"cells":["a"]})")));
  REQUIRE(table.take_definitions(json::parse(R"([{"name":"Name"},{"name":"VNI"},{"name":"CIDR"}])")));
  for (const char* row : {"null", "[]", "{}", R"({"cells":7})", R"({"cells":["a",1]})"}) {
    CHECK_FALSE(table.object_of(json::parse(row)));
  }
}

TEST_CASE("a recorded table is read by its own columns", "[kube]") {
  const json body = test::load_recording("39-table").body;
  TableRows table({{"Name", "/metadata/name"}, {"Age", "/age"}}, "{}");
  REQUIRE(table.take_definitions(body["columnDefinitions"]));
  CHECK(table.object_of(body["rows"][0]).value() ==
        json::parse(R"({"metadata":{"name":"node-1"},"age":"82s"})"));
}

}  // namespace
}  // namespace holdfast::kube
