#include "programs/csi_node/csi_node.h"

#include <sys/personality.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "common/yaml/yaml.h"
#include "programs/csi_node/csi_programs.h"
#include "test/catch.h"

namespace holdfast {
namespace {

std::optional<std::string> no_environment(const std::string& /*name*/) { return std::nullopt; }

constexpr const char* kLocal = "localplugin.csi.alibabacloud.com";

TEST_CASE("one file is csi-node and each driver, by its name", "[csi-node]") {
  const auto help = [](const char* path) {
    std::ostringstream out;
    CHECK(csi_program_named(path)(std::vector<std::string>{"--help"}, no_environment, out, out) == 0);
    return out.str().substr(0, out.str().find(':'));
  };
  CHECK(help("csi-lvm") == "csi-lvm");
  CHECK(help("/usr/sbin/csi-nas") == "csi-nas");
  CHECK(help("./csi-disk") == "csi-disk");
  CHECK(help("/usr/lib/holdfast/csi-node") == "csi-node");
  CHECK(help("/usr/sbin/csi-lvm.old") == "csi-node");
  CHECK(help("") == "csi-node");
}

TEST_CASE("csi-node serves the profiles that it is told, or all that are configured", "[csi-node]") {
  const std::vector<csi::Profile> configured{{.driver_name = "one.example.com"},
                                             {.driver_name = "two.example.com"}};
  CHECK(chosen_profiles({}, configured).value() == configured);
  CHECK(chosen_profiles({"two.example.com", kLocal}, configured)->size() == 2);
  CHECK(chosen_profiles({kLocal}, {})->front().plugins_folder == "csi-plugins");
  CHECK(chosen_profiles({kLocal, "nasplugin.csi.alibabacloud.com", "eck.csi.k8s.io"}, {})->size() == 3);
}

TEST_CASE("csi-node refuses profiles that it cannot serve, and names them", "[csi-node]") {
  struct Case {
    const char* name;
    std::vector<std::string> names;
    const char* said;
  };
  const Case cases[] = {
      {"none", {}, "name one by --profile"},
      {"not known", {"new.example.com"}, "'new.example.com' is neither known"},
      {"twice", {kLocal, kLocal}, "is told twice"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto chosen = chosen_profiles(c.names, {});
      REQUIRE_FALSE(chosen.has_value());
      CHECK(chosen.error().message.find(c.said) != std::string::npos);
    }
  }
}

TEST_CASE("csi-node tells of its flags, and refuses others", "[csi-node]") {
  std::ostringstream out;
  std::ostringstream error;
  CHECK(csi_node(std::vector<std::string>{"--help"}, no_environment, out, error) == 0);
  CHECK(out.str().find("  --profile NAME ") != std::string::npos);
  CHECK(csi_node(std::vector<std::string>{"--mode=all"}, no_environment, out, error) == 2);
  CHECK(error.str() == "csi-node: there is no flag --mode; see --help\n");
  CsiNodeOptions options;
  const std::vector<std::string> arguments{"--profile=a", "--profile", "b", "--node-id=edge-1",
                                           "--kubeconfig=/k"};
  REQUIRE(parse_csi_node_options(arguments, no_environment, options).has_value());
  CHECK(options.profiles == std::vector<std::string>{"a", "b"});
  CHECK(options.host.node_id == "edge-1");
  CHECK(options.cluster.kubeconfig == "/k");
}

// Runs the program where the kernel says that it is Linux 2.6. Source: personality(2), UNAME26, of one
// thread.
int on_old_kernel(const char* program, const std::vector<std::string>& arguments) {
  int status = -1;
  std::thread([&] {
    constexpr unsigned long kTellOnly = 0xffffffff;
    if (::personality(static_cast<unsigned long>(::personality(kTellOnly)) | UNAME26) < 0) return;
    std::ostringstream said;
    status = csi_program_named(program)(arguments, no_environment, said, said);
  }).join();
  return status;
}

TEST_CASE("a node whose kernel is too old for volumes is told by an exit status of its own", "[csi-node]") {
  const std::vector<std::string> nothing_else{"--node-id=edge-1", "--config=/nonexistent"};
  for (const char* program : {"csi-node", "csi-lvm", "csi-nas", "csi-disk"}) {
    DYNAMIC_SECTION(program) { CHECK(on_old_kernel(program, nothing_else) == 3); }
  }
  SECTION("a controller mounts no disk itself, so only what it is told is amiss") {
    for (const char* program : {"csi-lvm", "csi-nas"}) {
      CAPTURE(program);
      CHECK(on_old_kernel(program, {"--mode=controller", "--config=/nonexistent"}) == 1);
    }
    CHECK(on_old_kernel("csi-disk", {"--mode=controller", "--profile=/nonexistent"}) == 1);
  }
}

TEST_CASE("what is applied to a cluster's nodes asks for what csi-node knows", "[csi-node]") {
  for (const char* name : {"csi-lvm", "csi-nas"}) {
    DYNAMIC_SECTION(name) {
      std::ifstream file(std::string(HOLDFAST_MANIFESTS "/base/") + name + "/node.yaml");
      const nlohmann::json object =
          parse_yaml(std::string{std::istreambuf_iterator<char>(file), {}}).value().front();
      const nlohmann::json& container = object["spec"]["template"]["spec"]["containers"][0];
      CHECK(container["command"][0] == "csi-node");
      CsiNodeOptions options;
      REQUIRE(
          parse_csi_node_options(container["args"].get<std::vector<std::string>>(), no_environment, options));
      CHECK(chosen_profiles(options.profiles, {})->size() == 1);
    }
  }
}

}  // namespace
}  // namespace holdfast
