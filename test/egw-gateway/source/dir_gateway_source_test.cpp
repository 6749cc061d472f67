#include "egw-gateway/source/dir_gateway_source.h"

#include <fstream>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::gateway {
namespace {

TEST_CASE("A folder tells of the pool, or why it cannot", "[gateway]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder.path() / name) << text;
  };
  const auto document = [](const std::string& name, const std::string& spec) {
    return "apiVersion: net.holdfast.dev/v1alpha1\nkind: EdgeGateway\nmetadata: {name: " + name +
           "}\nspec: {" + spec + "}\n";
  };
  const auto read = [&] { return read_gateway_folder(files, folder.path(), "hangzhou"); };
  CHECK_THAT(read().trouble, Catch::Contains("holds no EdgeGateway"));
  CHECK_THAT(read_gateway_folder(files, folder.path() / "none", "hangzhou").trouble,
             Catch::Contains("holds no EdgeGateway"));
  write("ningbo.yaml", document("ningbo", ""));
  CHECK(read().trouble.empty());
  CHECK_FALSE(read().gateway.has_value());
  write("hangzhou.yaml", document("hangzhou", "vpcCIDRs: [172.16.0.0/12]"));
  CHECK(read().gateway.value().vpc_cidrs.size() == 1);
  write(
      "later.json",
      R"({"apiVersion":"net.holdfast.dev/v1alpha1","kind":"EdgeGateway","metadata":{"name":"hangzhou"},"spec":{}})");
  CHECK(read().gateway.value().vpc_cidrs.empty());
  write(".hidden.yaml", "nonsense: [");
  write("notes.txt", "nonsense");
  CHECK(read().trouble.empty());
  write("broken.yaml", document("hangzhou", "vpcCIDRs: [172.16.0.0/99]"));
  CHECK_THAT(read().trouble, Catch::Contains("broken.yaml: ") && Catch::Contains("172.16.0.0/99"));
}

}  // namespace
}  // namespace holdfast::gateway
