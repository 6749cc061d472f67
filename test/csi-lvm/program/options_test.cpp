#include "csi-lvm/program/options.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/kube/cluster_link.h"
#include "csi-lvm/program/csi_lvm.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::lvm {
namespace {

using nlohmann::json;

std::optional<std::string> no_environment(const std::string& /*name*/) { return std::nullopt; }

TEST_CASE("csi-lvm is told what it serves, by flags and by the environment", "[lvm program]") {
  Options plain;
  REQUIRE(parse_options({}, no_environment, plain).has_value());
  CHECK(plain.mode == Mode::kAll);
  CHECK(plain.driver_name == "localplugin.csi.alibabacloud.com");
  CHECK(plain.socket.empty());
  CHECK(plain.host.kubelet_dir == "/var/lib/kubelet");
  CHECK_FALSE(plain.host.node_id.empty());

  const std::vector<std::string> arguments{
      "--mode",      "node", "--driver-name=a.b",        "--node-id=edge-1",   "--kubelet-dir", "/k",
      "--state-dir", "/s",   "--metrics-address=:11261", "--lvmcmd=/bin/true", "--config=/c"};
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "CSI_ENDPOINT") return "unix:///run/csi.sock";
    if (name == "CSI_NODE_ID" || name == "NODE_NAME") return "edge-2";
    return std::nullopt;
  };
  Options told;
  REQUIRE(parse_options(arguments, environment, told).has_value());
  CHECK(told.mode == Mode::kNode);
  CHECK(told.driver_name == "a.b");
  CHECK(told.socket == "/run/csi.sock");
  CHECK(told.host.node_id == "edge-1");
  CHECK(told.host.kubelet_dir == "/k");
  CHECK(told.host.state_dir == "/s");
  CHECK(told.host.metrics_address->port == 11261);
  CHECK(told.lvmcmd == "/bin/true");
  Options controller;
  const std::vector<std::string> of_cluster{"--mode=controller",     "--kubeconfig=/k",
                                            "--namespace=ns",        "--heartbeat=5",
                                            "--node-stale-after=60", "--node-gone-grace=0"};
  CHECK_FALSE(parse_options(of_cluster, no_environment, controller).has_value());
  REQUIRE(parse_options(std::span(of_cluster).first(5), no_environment, controller).has_value());
  CHECK(controller.socket == "/csi/csi.sock");
  CHECK(controller.cluster.kubeconfig == "/k");
  CHECK(controller.cluster.heartbeat == std::chrono::seconds(5));
  CHECK(controller.controller.name_space == "ns");
  CHECK(controller.controller.node_stale_after == std::chrono::seconds(60));
  CHECK(controller.controller.node_gone_grace == std::chrono::seconds(300));
  // A controller is on no node's disks.
  Options far;
  const std::string long_name(64, 'a');
  CHECK(parse_options(std::vector<std::string>{"--mode=controller", "--node-id=" + long_name}, no_environment,
                      far));
  const auto hostile = [](const std::string& name) -> std::optional<std::string> {
    if (name == "NODE_NAME") return "../x";
    return std::nullopt;
  };
  const Status refused = parse_options({}, hostile, far = {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.starts_with("NODE_NAME '../x': is not a node's name"));
  Options named;
  REQUIRE(parse_options({}, environment, named).has_value());
  CHECK(named.host.node_id == "edge-2");
}

TEST_CASE("flags that cannot be are refused by a sentence, before anything begins", "[lvm program]") {
  struct Case {
    const char* name;
    std::vector<std::string> arguments;
    std::string error;
  };
  const Case cases[] = {
      {"not known", {"--vgname=vg"}, "csi-lvm: there is no flag --vgname; see --help\n"},
      {"a mode", {"--mode=both"}, "csi-lvm: --mode 'both': is none of all, node, controller\n"},
      {"a time", {"--heartbeat=0"}, "csi-lvm: --heartbeat '0': is not a whole number from 1 to 86400\n"},
      {"a port",
       {"--endpoint=tcp://0.0.0.0:80"},
       "csi-lvm: --endpoint 'tcp://0.0.0.0:80': is not the path of a UNIX socket, unix:///run/csi.sock\n"},
      {"a folder",
       {"--kubelet-dir=kubelet"},
       "csi-lvm: --kubelet-dir 'kubelet': is not a path that begins with '/'\n"},
      {"a driver outside kubelet's folder",
       {"--driver-name=../../x"},
       "csi-lvm: --driver-name '../../x': is not a driver's name (letters, digits, '-', '.', at most 63, a "
       "letter or digit at both ends)\n"},
      {"a driver of no name",
       {"--driver-name="},
       "csi-lvm: --driver-name '': is not a driver's name (letters, digits, '-', '.', at most 63, a letter "
       "or "
       "digit at both ends)\n"},
      {"a node's name",
       {"--node-id=a b/../"},
       "csi-lvm: --node-id 'a b/../': is not a node's name (letters, digits, '-', '_', '.', at most 253, a "
       "letter or digit at both ends)\n"},
      {"a node's name that is no topology",
       {"--node-id=" + std::string(64, 'a')},
       "csi-lvm: the node's name '" + std::string(64, 'a') +
           "' cannot be told as its topology (letters, digits, '-', '_', '.', at most 63): tell another by "
           "--node-id\n"},
      {"a level",
       {"--log-level=loud"},
       "csi-lvm: --log-level 'loud': is none of debug, info, warning, error\n"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::ostringstream out;
      std::ostringstream error;
      CHECK(csi_lvm(c.arguments, no_environment, out, error) == 2);
      CHECK(error.str() == c.error);
      CHECK(out.str().empty());
    }
  }
}

TEST_CASE("the help tells of every flag, and the version is told", "[lvm program]") {
  std::ostringstream help;
  std::ostringstream version;
  std::ostringstream error;
  CHECK(csi_lvm(std::vector<std::string>{"--help"}, no_environment, help, error) == 0);
  CHECK(csi_lvm(std::vector<std::string>{"--version"}, no_environment, version, error) == 0);
  for (const char* flag : {"mode", "driver-name", "endpoint", "node-id", "kubelet-dir", "state-dir", "config",
                           "metrics-address", "lvmcmd", "log-level", "kubeconfig", "namespace",
                           "node-gone-grace", "node-stale-after", "heartbeat"}) {
    CAPTURE(flag);
    CHECK(help.str().find("  --" + std::string(flag) + " ") != std::string::npos);
  }
  CHECK(version.str().size() > 2);
  CHECK(error.str().empty());
}

TEST_CASE("a program that cannot begin says why", "[lvm program]") {
  const holdfast::test::TemporaryFolder folder;
  std::ostringstream out;
  std::ostringstream error;
  const std::vector<std::string> arguments{"--config=" + (folder / "none").native()};
  CHECK(csi_lvm(arguments, no_environment, out, error) == 1);
  CHECK(csi_lvm(std::vector<std::string>{"--mode=controller"}, no_environment, out, error) == 1);
}

TEST_CASE("a node takes part in a cluster when it is told how to reach it", "[lvm program]") {
  const holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  CHECK_FALSE(kube::find_cluster(files, "", no_environment).value().has_value());
  // In a pod that has no token there is nothing to be told.
  const auto in_pod = [](const std::string& name) -> std::optional<std::string> {
    if (name == "KUBERNETES_SERVICE_HOST") return "10.96.0.1";
    return std::nullopt;
  };
  CHECK_FALSE(kube::find_cluster(files, "", in_pod).value().has_value());
  CHECK(kube::find_cluster(files, folder / "none", no_environment).error().code == Code::kNotFound);
}

TEST_CASE("an endpoint is the path of a UNIX socket", "[lvm program]") {
  for (const char* text : {"unix:///run/csi.sock", "unix:/run/csi.sock", "/run/csi.sock"}) {
    CAPTURE(text);
    CHECK(csi::parse_endpoint(text).value() == "/run/csi.sock");
  }
  for (const char* text : {"", "unix:", "unix://csi.sock", "tcp://1.2.3.4:5", "/run/", "csi.sock"}) {
    CAPTURE(text);
    CHECK_FALSE(csi::parse_endpoint(text).has_value());
  }
}

TEST_CASE("a configuration tells of drivers and of LVM", "[lvm program]") {
  const Configuration none = parse_configuration(json::object()).value();
  CHECK(none.profiles.empty());
  CHECK(none.devices_file == "holdfast.devices");
  CHECK_FALSE(none.udev);
  const Configuration all =
      parse_configuration(
          {{"profiles", {{{"driverName", "a.b"}, {"kind", "local"}}}},
           {"lvm", {{"devicesFile", "own.devices"}, {"udev", true}, {"spare", {{"vg", "1Gi"}}}}}})
          .value();
  CHECK(all.profiles.at(0).driver_name == "a.b");
  CHECK(all.devices_file == "own.devices");
  CHECK(all.udev);
  CHECK(all.spare_bytes.at("vg") == 1U << 30);
}

TEST_CASE("a configuration that cannot be is refused with the key that is wrong", "[lvm program]") {
  struct Row {
    const char* name;
    json document;
    const char* error;
  };
  const json profile{{"driverName", "a.b"}, {"kind", "local"}};
  const Row rows[] = {
      {"a key", {{"profile", 1}}, "profile is not known"},
      {"a key of LVM's", {{"lvm", {{"filter", "a"}}}}, "lvm.filter is not known"},
      {"the host's own list",
       {{"lvm", {{"devicesFile", "system.devices"}}}},
       "lvm.devicesFile: 'system.devices' is not the name of a file of ours in /etc/lvm/devices"},
      {"a path",
       {{"lvm", {{"devicesFile", "../x"}}}},
       "lvm.devicesFile: '../x' is not the name of a file of ours in /etc/lvm/devices"},
      {"an option",
       {{"lvm", {{"devicesFile", "-f x"}}}},
       "lvm.devicesFile: '-f x' is not the name of a file of ours in /etc/lvm/devices"},
      {"a folder",
       {{"lvm", {{"devicesFile", ".."}}}},
       "lvm.devicesFile: '..' is not the name of a file of ours in /etc/lvm/devices"},
      {"a group that cannot be",
       {{"lvm", {{"spare", {{"no such", "1Gi"}}}}}},
       "lvm.spare: the name 'no such' must be of [a-zA-Z0-9+_.-] and not begin with a hyphen"},
      {"a size", {{"lvm", {{"spare", {{"vg", "much"}}}}}}, "lvm.spare.vg: 'much' is not a size, 10Gi"},
      {"a profile", {{"profiles", {{{"driverName", "a.b"}}}}}, "profiles[0]: kind: is missing"},
      {"a profile twice", {{"profiles", {profile, profile}}}, "profiles[1]: a.b is told twice"},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      const auto configuration = parse_configuration(row.document);
      REQUIRE_FALSE(configuration.has_value());
      CHECK(configuration.error().message == row.error);
    }
  }
}

TEST_CASE("a configuration is read from its file, also through a link", "[lvm program]") {
  const holdfast::test::TemporaryFolder folder;
  std::ofstream(folder / "data") << R"({"lvm": {"udev": true}})";
  std::filesystem::create_symlink(folder / "data", folder / "config");
  CHECK(read_configuration(folder / "config").value().udev);
  CHECK_FALSE(read_configuration("").value().udev);
  CHECK(read_configuration(folder / "none").error().code == Code::kNotFound);
  std::ofstream(folder / "data") << "{";
  CHECK(read_configuration(folder / "config").error().message.find("config") != std::string::npos);
}

TEST_CASE("a driver's profile is told, known, or one of ours under its name", "[lvm program]") {
  Configuration configuration;
  configuration.profiles.push_back({.driver_name = "told.example.com", .topology_keys = {"a/b"}});
  CHECK(local_profile(configuration, "told.example.com")->topology_keys.front() == "a/b");
  CHECK(local_profile(configuration, "localplugin.csi.alibabacloud.com")->plugins_folder == "csi-plugins");
  CHECK(local_profile(configuration, "new.example.com")->topology_keys.front() == "kubernetes.io/hostname");
  CHECK(local_profile(configuration, "nasplugin.csi.alibabacloud.com").error().code ==
        Code::kInvalidArgument);
}

}  // namespace
}  // namespace holdfast::lvm
