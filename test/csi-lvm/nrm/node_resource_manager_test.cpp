#include "csi-lvm/nrm/node_resource_manager.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "common/base/state_file.h"
#include "csi-lvm/nrm/cluster_config.h"
#include "csi-lvm/nrm/manager_program.h"
#include "csi-lvm/nrm/options.h"
#include "csi-lvm/nrm/plan_report.h"
#include "test/catch.h"
#include "test/csi-lvm/lvm/fake_lvm.h"
#include "test/csi-lvm/nrm/fake_disks.h"
#include "test/fakes/log_lines.h"
#include "test/fakes/temporary_folder.h"
#include "test/fakes/wanted_metrics.h"
#include "test/kube_server/api_server.h"
#include "test/kube_server/http_scene.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::nrm {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

/// The text of the key `volumegroup` for one group on every node with this label.
std::string one_group(const std::string& device, const std::string& label = "disks") {
  return "volumegroup:\n- {name: vg1, key: " + label +
         ", operator: Exists, topology: {type: device, devices: [" + device + "]}}\n";
}

struct Scene : holdfast::test::HttpScene {
  Scene() {
    disks.add("vdb", "b");
    fake.add_disk("/dev/vdb", 255);
  }
  /// What the source tells.
  ConfigSource::Callbacks callbacks() {
    return {.told = [this](const NodeConfig& config) { told.push_back(config); },
            .trouble = [this](const std::string& why) { trouble = why; }};
  }
  std::string text_of(const std::string& file) const {
    std::ifstream stream(folder / file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& file, const std::string& text) const { std::ofstream(folder / file) << text; }

  holdfast::test::TemporaryFolder folder;
  holdfast::test::LogLines log;
  lvm::test::FakeLvm fake;
  test::FakeDisks disks;
  test::FakeQuotaMounts mounts;
  std::vector<NodeConfig> told;
  std::string trouble = "not told";
};

/// A manager, and the passes that it made.
struct Managed : Scene {
  std::vector<PassResult> passes;
  NodeResourceManager manager{
      *loop,
      {fake, disks, mounts, files},
      log,
      metrics,
      {.node = "n1", .state_dir = folder / "state", .dry_run = false, .interval = std::chrono::hours(1)},
      [this](const PassResult& result) { passes.push_back(result); }};
};

TEST_CASE_METHOD(Managed, "The manager makes the groups that it is told of, and shows what it found",
                 "[nrm]") {
  CHECK_FALSE(manager.ready());
  manager.look_again();  // nothing is known yet
  manager.configure(
      {.data = {{"volumegroup", one_group("/dev/vdb, /dev/vdz", "kubernetes.io/hostname")}}, .labels = {}});
  turn_until([&] { return passes.size() == 1; });
  CHECK(manager.ready());
  CHECK(fake.look(1s)->group("vg1") != nullptr);
  const json plan = parse_json(text_of("state/plan.json")).value();
  CHECK(plan["node"] == "n1");
  REQUIRE(plan["rows"].size() == 2);
  CHECK(plan["rows"][0]["action"] == "kept");
  CHECK(plan["rows"][1]["action"] == "missing");
  CHECK(log.count("made the volume group vg1") == 1);
  CHECK(log.count("/dev/vdz") == 1);
  CHECK(metrics.render().find("holdfast_nrm_rows{action=\"missing\"} 1") != std::string::npos);
  CHECK(holdfast::test::metrics_not_in(metrics.render(), "holdfast_nrm_").empty());

  manager.look_again();
  turn_until([&] { return passes.size() == 2; });
  CHECK(log.count("/dev/vdz") == 1);
}

TEST_CASE_METHOD(Managed, "What comes while a pass runs leads to another, and after the end to none",
                 "[nrm]") {
  const NodeConfig config{.data = {{"volumegroup", one_group("/dev/vdb")}}, .labels = {}};
  manager.configure(config);
  disks.after_probe = [] {};
  turn_until([&] { return !passes.empty(); });
  CHECK(passes[0].rows.empty());  // not for a node without the label
  bool asked = false;
  disks.after_probe = [&] {
    if (!std::exchange(asked, true)) loop->post([&] { manager.look_again(); });
    std::this_thread::sleep_for(20ms);
  };
  manager.configure({.data = config.data, .labels = {{"disks", "yes"}}});
  turn_until([&] { return passes.size() == 3; });
  manager.stop();
  manager.look_again();
  turn_for(50ms);
  CHECK(passes.size() == 3);
}

TEST_CASE_METHOD(Scene, "A file is told again when it changes, and one that cannot be read changes nothing",
                 "[nrm]") {
  write("topology", "volumegroup: |\n  volumegroup: []\n");
  write("labels", "a=b\n");
  FileConfig source(
      *loop, files,
      {.config = folder / "topology", .labels = folder / "labels", .fixed_labels = {{"a", "c"}}});
  REQUIRE(source.start(callbacks()));
  turn_until([&] { return told.size() == 1; });
  CHECK(told[0].labels.at("a") == "c");
  CHECK(trouble.empty());
  write("topology", "{");
  turn_until([&] { return !trouble.empty(); });
  CHECK(told.size() == 1);
  write("topology", "volumegroup: |\n  volumegroup:\n");
  write("labels", "d=e\n");
  turn_until([&] { return told.size() > 1 && told.back().labels.contains("d"); });
  CHECK(trouble.empty());
}

TEST_CASE_METHOD(Scene, "A folder with a file for each key is read as a mounted ConfigMap", "[nrm]") {
  write("volumegroup", one_group("/dev/vdb"));
  FileConfig source(*loop, files, {.config = folder.path(), .labels = {}, .fixed_labels = {}});
  REQUIRE(source.start(callbacks()));
  turn_until([&] { return told.size() == 1; });
  CHECK(told[0].data == ConfigData{{"volumegroup", one_group("/dev/vdb")}});
}

struct InCluster : Scene {
  InCluster() {
    kube::Config config;
    config.server = server.url();
    connect(config);
  }
  void put_config(const std::string& text) {
    server.put("/api/v1/namespaces/kube-system/configmaps/node-resource-topo",
               {{"data", {{"volumegroup", text}}}});
  }
  holdfast::test::ApiServer server{*loop};
  static constexpr const char* kNode = "/api/v1/nodes/n1";
};

TEST_CASE_METHOD(InCluster, "The cluster's ConfigMap and the Node's labels are followed and kept", "[nrm]") {
  ClusterConfig source(*loop, *http, files, folder / "state", {.node = "n1"}, {{"fixed", "yes"}}, 1);
  REQUIRE(source.start(callbacks()));
  put_config("none");
  turn_for(50ms);
  CHECK(told.empty());  // whose configuration it is, the labels tell
  server.put(kNode, {{"metadata", {{"labels", {{"disks", "a"}}}}}});
  turn_until([&] { return told.size() == 1; });
  CHECK(told[0].data.at("volumegroup") == "none");
  put_config("one");
  turn_until([&] { return told.size() == 2; });
  CHECK(told[1].data.at("volumegroup") == "one");
  CHECK(told[1].labels == NodeLabels{{"disks", "a"}, {"fixed", "yes"}});
  CHECK(load_config(files, folder / "state").value() == told[1]);
  server.put(kNode, {{"metadata", {{"labels", {{"disks", "b"}}}}}});
  turn_until([&] { return told.size() == 3; });
  CHECK(told[2].labels.at("disks") == "b");
  server.remove("/api/v1/namespaces/kube-system/configmaps/node-resource-topo");
  turn_until([&] { return told.size() == 4; });
  CHECK(told[3].data.empty());
}

TEST_CASE_METHOD(InCluster, "Trouble with a disk is an Event on the Node, once", "[nrm]") {
  kube::ObjectClient client(*loop, *http, {}, 1);
  kube::EventRecorder recorder(*loop, client, "node-resource-manager", "n1", 7);
  PlanEvents events(recorder, "n1");
  PassResult result;
  PlanRow row{.entry = "vg1",
              .selector = "/dev/vdb",
              .device = "/dev/vdb",
              .identity = {},
              .action = Action::kRefuse,
              .reason = "holds ext4"};
  result.rows.push_back(row);
  row.action = Action::kKept;
  result.rows.push_back(row);
  events.tell(result);
  events.tell(result);
  turn_until([&] { return recorder.unwritten() == 0; });
  const auto written = server.store().list("/events", "");
  REQUIRE(written.size() == 1);
  CHECK((*written[0])["reason"] == "DeviceRefused");
  CHECK((*written[0])["message"] == "vg1: /dev/vdb: holds ext4");
  CHECK((*written[0])["count"] == 1);
}

TEST_CASE_METHOD(InCluster,
                 "The roles of our manifests allow all that the manager asks for, and nothing else",
                 "[nrm]") {
  const std::string manifests = HOLDFAST_MANIFESTS "/base/node-resource-manager/";
  server.admit_by(manifests + "admission.yaml");
  server.know_user("", {{"username", "system:serviceaccount:kube-system:node-resource-manager"},
                        {"extra", {{"authentication.kubernetes.io/node-name", {"n1"}}}}});
  ClusterConfig source(*loop, *http, files, folder / "state", {.node = "n1"}, {}, 1);
  REQUIRE(source.start(callbacks()));
  put_config("one");
  server.put(kNode, json::object());
  turn_until([&] { return told.size() == 1; });
  kube::ObjectClient client(*loop, *http, {.first_wait = 1ms, .longest_wait = 5ms}, 1);
  kube::EventRecorder recorder(*loop, client, "node-resource-manager", "n1", 7);
  recorder.record({.kind = "Node", .name = "n1", .reason = "DeviceRefused", .message = "one"});
  turn_until([&] { return recorder.unwritten() == 0; });
  CHECK(server.store().list("/events", "").size() == 1);
  const auto granted = holdfast::test::Roles::in(HOLDFAST_MANIFESTS "/base")
                           .bound_to(holdfast::test::account_in(manifests + "daemonset.yaml"));
  const std::vector<std::string> other{"patch events in default"};  // of one that is repeated
  turn_until([&] { return holdfast::test::unasked(granted, server.asked()) == other; });
  CHECK(holdfast::test::refused(granted, server.asked()) == std::vector<std::string>{});
}

Result<ManagerOptions> parse(const std::vector<std::string>& arguments, const std::string& node = "") {
  return parse_manager_options(arguments, [&](const std::string& name) -> std::optional<std::string> {
    return name == "NODE_NAME" && !node.empty() ? std::optional(node) : std::nullopt;
  });
}

TEST_CASE("The manager's options are read, and what could harm the host's LVM is refused", "[nrm]") {
  const ManagerOptions options =
      parse({"--config-file=/etc/x", "--node-labels=a=b,c=d", "--interval", "20", "--dry-run"}, "n1").value();
  CHECK(options.node_id == "n1");
  CHECK(options.config_file == "/etc/x");
  CHECK(options.node_labels == NodeLabels{{"a", "b"}, {"c", "d"}});
  CHECK(options.interval == 20s);
  CHECK(options.dry_run);
  CHECK_FALSE(parse({}).has_value());
  CHECK_FALSE(parse({"--node-id=n1", "--devices-file=system.devices"}).has_value());
  CHECK_FALSE(parse({"--node-id=n1", "--devices-file=../x"}).has_value());
  CHECK_FALSE(parse({"--node-id=n1", "--node-labels=a"}).has_value());
}

TEST_CASE_METHOD(Managed, "The last plan is told to people, with what is done, and what is not and why",
                 "[nrm]") {
  CHECK(report_plan(files, folder / "state").text.empty());
  CHECK(report_plan(files, folder / "state").well);
  manager.configure(
      {.data = {{"volumegroup", one_group("/dev/vdb", "kubernetes.io/hostname")}}, .labels = {}});
  turn_until([&] { return passes.size() == 1; });
  PlanReport report = report_plan(files, folder / "state");
  CHECK(report.well);
  CHECK(report.text.starts_with("node resources, as of "));
  CHECK(report.text.find("/dev/vdb  ") != std::string::npos);
  CHECK(report.text.find(" kept ") != std::string::npos);

  manager.configure(
      {.data = {{"volumegroup", one_group("/dev/vdb, /dev/vdz", "kubernetes.io/hostname")}}, .labels = {}});
  turn_until([&] { return passes.size() == 2; });
  report = report_plan(files, folder / "state");
  CHECK_FALSE(report.well);
  CHECK(report.text.find(" missing  is not there") != std::string::npos);
}

TEST_CASE("A plan that cannot be read is told, and control characters in one are not obeyed", "[nrm]") {
  const holdfast::test::TemporaryFolder folder;
  PosixFiles files;
  REQUIRE(replace_file(files, folder / "plan.json", "{", 0644).has_value());
  const PlanReport torn = report_plan(files, folder.path());
  CHECK_FALSE(torn.well);
  CHECK(torn.text.find("plan.json cannot be read") != std::string::npos);
  REQUIRE(replace_file(files, folder / "plan.json",
                       R"({"time":"t","trouble":"sysfs","rows":[{"entry":"a\u001b[2J","action":"kept"}]})",
                       0644)
              .has_value());
  const PlanReport odd = report_plan(files, folder.path());
  CHECK_FALSE(odd.well);
  CHECK(odd.text.find("WRONG: sysfs") != std::string::npos);
  CHECK(odd.text.find('\x1b') == std::string::npos);
}

TEST_CASE("The plan is a table with a line for each row", "[nrm]") {
  const std::string table = plan_table({{.entry = "vg1",
                                         .selector = "serial:x",
                                         .device = "/dev/vdb",
                                         .identity = "wwn b",
                                         .action = Action::kRefuse,
                                         .reason = "holds ext4"}});
  CHECK(table ==
        "ENTRY  DEVICE    IDENTITY  ACTION   REASON\n"
        "vg1    /dev/vdb  wwn b     refused  holds ext4\n");
}

}  // namespace
}  // namespace holdfast::nrm
