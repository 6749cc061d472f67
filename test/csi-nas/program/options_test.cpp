#include "csi-nas/program/options.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/yaml/yaml.h"
#include "csi-nas/controller/class_parameters.h"
#include "csi-nas/program/csi_nas.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::nas {
namespace {

std::optional<std::string> no_environment(const std::string& /*name*/) { return std::nullopt; }

TEST_CASE("csi-nas is told its driver, its socket and its node", "[nas]") {
  Options options;
  const std::vector<std::string> arguments{
      "--mode=node",      "--driver-name=nfs.example.com", "--endpoint=unix:///run/a.sock",
      "--node-id=edge-1", "--nascmd=/opt/nascmd",          "--rpc-slots=64"};
  REQUIRE(parse_options(arguments, no_environment, options).has_value());
  CHECK(options.driver_name == "nfs.example.com");
  CHECK(options.socket == "/run/a.sock");
  CHECK(options.nascmd == "/opt/nascmd");
  CHECK(options.rpc_slots == 64);
  for (const char* wrong : {"--rpc-slots=x", "--rpc-slots=65537", "--rpc-slots=-1"}) {
    CHECK_FALSE(parse_options(std::vector<std::string>{wrong}, no_environment, options).has_value());
  }
  CHECK(options.host.node_id == "edge-1");
}

TEST_CASE("csi-nas tells of its flags, and refuses what it cannot do", "[nas]") {
  std::ostringstream out;
  std::ostringstream error;
  CHECK(csi_nas(std::vector<std::string>{"--help"}, no_environment, out, error) == 0);
  CHECK(out.str().find("  --nascmd FILE ") != std::string::npos);
  CHECK(csi_nas(std::vector<std::string>{"--mode=some"}, no_environment, out, error) == 2);
  CHECK(error.str().find("none of all, node, controller") != std::string::npos);
  for (const char* wrong : {"--driver-name=../../x", "--driver-name=", "--node-id=a b/../", "--node-id=-a"}) {
    CAPTURE(wrong);
    CHECK(csi_nas(std::vector<std::string>{wrong}, no_environment, out, error) == 2);
  }
  // It tells no topology of its own, so it may have a name of any Node.
  Options options;
  CHECK(
      parse_options(std::vector<std::string>{"--node-id=" + std::string(253, 'a')}, no_environment, options));
}

TEST_CASE("csi-nas is all of a driver, or the part that it is told to be", "[nas]") {
  Options options;
  REQUIRE(parse_options(std::vector<std::string>{}, no_environment, options).has_value());
  CHECK(options.mode == Mode::kAll);
  CHECK(options.socket.empty());
  const std::vector<std::string> controller{"--mode=controller", "--nas-directories=/opt/nas-directories"};
  REQUIRE(parse_options(controller, no_environment, options).has_value());
  CHECK(options.mode == Mode::kController);
  CHECK(options.socket == "/csi/csi.sock");
  CHECK(options.nas_directories == "/opt/nas-directories");
}

TEST_CASE("csi-nas serves profiles of NAS, and others by name", "[nas]") {
  CHECK(nas_profile({}, "com.tencent.cloud.csi.cfs")->plugins_folder == "plugins");
  CHECK(nas_profile({}, "nfs.example.com")->kind == csi::DriverKind::kNas);
  CHECK(nas_profile({}, "localplugin.csi.alibabacloud.com").error().code == Code::kInvalidArgument);
  const holdfast::test::TemporaryFolder folder;
  std::ofstream(folder / "config")
      << R"({"profiles": [{"driverName": "a.example.com", "kind": "nas", "pluginsFolder": "x"}]})";
  const auto configured = read_profiles(folder / "config").value();
  CHECK(nas_profile(configured, "a.example.com")->plugins_folder == "x");
  CHECK(read_profiles({})->empty());
  std::ofstream(folder / "torn") << "{";
  CHECK(read_profiles(folder / "torn").error().message.find("torn") != std::string::npos);
}

nlohmann::json manifest(const std::string& name) {
  std::ifstream file(HOLDFAST_MANIFESTS "/base/csi-nas/" + name);
  return parse_yaml(std::string{std::istreambuf_iterator<char>(file), {}}).value().front();
}

TEST_CASE("what is applied to a cluster has all that volumes with a site need", "[nas]") {
  const std::string config = manifest("config.yaml")["data"]["csi.json"];
  const auto profiles = [](const std::string& text) {
    return csi::parse_profiles(nlohmann::json::parse(text)).value();
  };
  CHECK_FALSE(tells_pool(nas_profile(profiles(config), "nasplugin.csi.alibabacloud.com").value()));
  // As its comment has it.
  const std::string keys = R"("topologyKeys": [)";
  std::string with_sites = config;
  with_sites.insert(config.find(keys) + keys.size(), R"("apps.openyurt.io/nodepool")");
  CHECK(tells_pool(nas_profile(profiles(with_sites), "nasplugin.csi.alibabacloud.com").value()));

  for (const char* name : {"controller.yaml", "node.yaml"}) {
    const nlohmann::json pod = manifest(name)["spec"]["template"]["spec"];
    const nlohmann::json& program = pod["containers"][0];
    CHECK(std::ranges::count(program["args"], "--config=/etc/holdfast/csi.json") == 1);
    CHECK(std::ranges::count(program["volumeMounts"],
                             nlohmann::json{{"name", "config"}, {"mountPath", "/etc/holdfast"}}) == 1);
    CHECK(std::ranges::count(pod["volumes"],
                             nlohmann::json{{"name", "config"}, {"configMap", {{"name", "csi-nas"}}}}) == 1);
  }
  const nlohmann::json provisioner = manifest("controller.yaml")["spec"]["template"]["spec"]["containers"][1];
  CHECK(std::ranges::count(provisioner["args"], "--feature-gates=Topology=true") == 1);
  const std::string manifests = HOLDFAST_MANIFESTS "/base/";
  const auto rules = holdfast::test::Roles::in(manifests).bound_to(
      holdfast::test::account_in(manifests + "csi-nas/controller.yaml"));
  for (const char* request :
       {"list nodes", "watch nodes", "list csinodes.storage.k8s.io", "watch csinodes.storage.k8s.io"}) {
    INFO(request);
    CHECK(holdfast::test::allows(rules, request));
  }
}

TEST_CASE("what is applied to a cluster asks for what the controller knows", "[nas]") {
  const nlohmann::json pod = manifest("controller.yaml")["spec"]["template"]["spec"];
  Options options;
  const auto arguments = pod["containers"][0]["args"].get<std::vector<std::string>>();
  const Status parsed = parse_options(arguments, no_environment, options);
  INFO((parsed ? "" : parsed.error().message));
  CHECK(parsed.has_value());
  CHECK(options.mode == Mode::kController);

  const nlohmann::json driver = manifest("driver.yaml");
  CHECK(driver["metadata"]["name"] == options.driver_name);
  CHECK(driver["spec"]["fsGroupPolicy"] == "None");
  const nlohmann::json storage_class = manifest("storageclass.yaml");
  CHECK(storage_class["provisioner"] == options.driver_name);
  const auto parameters = parse_class(storage_class["parameters"].get<std::map<std::string, std::string>>(),
                                      storage_class["mountOptions"].get<std::vector<std::string>>());
  INFO((parameters ? "" : parameters.error().message));
  REQUIRE(parameters.has_value());
  CHECK(parameters->on_delete == OnDelete::kArchive);
  const auto directory =
      expand_directory(parameters->sub_dir, {.claim = "data", .name_space = "team", .volume = "pvc-1"});
  CHECK(directory.value().text() == "team/data-pvc-1");
}

}  // namespace
}  // namespace holdfast::nas
