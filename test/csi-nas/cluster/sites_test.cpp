// Volumes of a site: a controller that does not reach the server, and nodes that do, by an API server in
// memory.
#include <algorithm>

#include "test/catch.h"
#include "test/csi-nas/cluster/site_scene.h"
#include "test/csi-nas/directories/trees.h"
#include "test/kube_server/role_rules.h"

namespace holdfast::nas::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Catch::Contains;
using holdfast::test::FaultKind;

constexpr const char* kSite = "hangzhou-1";
constexpr const char* kShare = "10.0.0.5:_exports";

struct Site : SiteScene {
  SceneController controller{*this};
  SceneNode one{*this, "edge-1", kSite};
  SceneNode two{*this, "edge-2", kSite};

  fs::path root() const { return folder / kShare; }
  /// Names on the share, but for ours; and nothing of ours is left of works.
  std::vector<std::string> on_share() const {
    std::vector<std::string> names;
    for (const auto& [name, what] : told(root())) names.push_back(name);
    for (const fs::directory_entry& each : fs::directory_iterator(root() / ".holdfast")) {
      const std::string name = each.path().filename();
      CHECK((name == "claims" || name == "snapshots"));
    }
    return names;
  }
  std::size_t task_count() {
    return with([this] { return all(kTasksPath).size(); });
  }
  std::string make(const std::string& name, std::map<std::string, std::string> more = {}) {
    const auto made = controller.create(SceneController::wish(name, kSite, std::move(more)));
    INFO((made ? "" : made.error().message));
    REQUIRE(made);
    return made->id;
  }
  /// One call's answer.
  Error asked_once(const std::string& name) {
    const auto made = controller.volumes.create(SceneController::wish(name, kSite), 20ms);
    REQUIRE_FALSE(made);
    return made.error();
  }
};

TEST_CASE_METHOD(Site, "a site's volumes are made, copied and deleted by a node of the site alone",
                 "[nas site]") {
  SceneNode elsewhere(*this, "edge-9", "beijing-2");
  elsewhere.start();
  controller.own.server_dead = true;
  one.start();
  const std::string id = make("pvc-1", {{"onDelete", "delete"}});
  CHECK(id.starts_with("nas1h#"));
  write_file(root() / "pvc-1" / "file", "then");
  const auto taken = controller.snapshot("snap-1", id);
  REQUIRE(taken);
  CHECK(taken->site == kSite);
  write_file(root() / "pvc-1" / "file", "now");
  NewVolume clone = SceneController::wish("pvc-2", kSite);
  clone.source = NasSourceVolume{.id = taken->id, .snapshot = true};
  const auto cloned = controller.create(clone);
  REQUIRE(cloned);
  CHECK(read_file(root() / "pvc-2" / "file") == "then");
  clone = SceneController::wish("pvc-3", "beijing-2");
  clone.source = NasSourceVolume{.id = id};
  CHECK(controller.create(clone).error().code == Code::kInvalidArgument);
  clone = SceneController::wish("pvc-3", "");
  clone.source = NasSourceVolume{.id = id};
  CHECK(controller.create(clone).error().code == Code::kInvalidArgument);

  REQUIRE(controller.remove(id));
  REQUIRE(controller.remove(id));
  REQUIRE(controller.remove(cloned->id));
  const auto left = on_share();
  REQUIRE(left.size() == 2);
  CHECK_THAT(left.front(), Catch::StartsWith("archived-pvc-2-"));
  REQUIRE(controller.volumes.remove_snapshot(taken->id, 10s));
  CHECK(fs::is_empty(root() / ".holdfast" / "snapshots"));
  CHECK(task_count() == 0);
  CHECK(controller.records->list(false).empty());
  CHECK(controller.own.begun == 0);
  CHECK(elsewhere.begun == 0);
}

TEST_CASE_METHOD(Site, "a node that loses its power at any step leaves the work to another, once",
                 "[nas site]") {
  for (const Cut cut : {Cut::kTaken, Cut::kMounted, Cut::kDone, Cut::kTold}) {
    for (const bool removal : {false, true}) {
      DYNAMIC_SECTION("step " << static_cast<int>(cut) << (removal ? " of a removal" : " of a making")) {
        one.start();
        std::string id;
        if (removal) {
          id = make("pvc-1", {{"onDelete", "delete"}});
          write_file(root() / "pvc-1" / "file", "x");
        }
        one.cut_at = cut;
        auto answer = std::async(std::launch::async, [&]() -> Status {
          if (removal) return controller.remove(id);
          const auto made = controller.create(SceneController::wish("pvc-1", kSite));
          return made ? Status{} : Status(tl::unexpected(made.error()));
        });
        wait_until([this] { return one.powerless.load(); });
        if (cut == Cut::kTold) {
          wait_until([this] {
            const auto tasks = all(kTasksPath);
            return tasks.empty() || tasks.front().value("/status/state"_json_pointer, "") == "done";
          });
        }
        one.die();
        two.start();
        CHECK(answer.get());
        CHECK(on_share() == (removal ? std::vector<std::string>{} : std::vector<std::string>{"pvc-1"}));
        CHECK(task_count() == 0);
        CHECK(controller.records->list(false).size() == (removal ? 0 : 1));
        CHECK(two.begun <= 1);
      }
    }
  }
}

TEST_CASE_METHOD(Site, "a holder that was stopped for long begins nothing more, and writes nothing",
                 "[nas site]") {
  std::promise<void> gate;
  std::shared_future<void> opened(gate.get_future());
  std::atomic<bool> waits = false;
  one.at_mount = [&] {
    waits = true;
    opened.wait();
  };
  one.start();
  auto answer = std::async(std::launch::async,
                           [this] { return controller.create(SceneController::wish("pvc-1", kSite)); });
  wait_until([&] { return waits.load(); });
  one.cut_link(true);
  two.start();
  CHECK(answer.get());
  CHECK(two.begun == 1);
  CHECK(on_share() == std::vector<std::string>{"pvc-1"});
  one.cut_link(false);
  gate.set_value();
  make("pvc-2");
  CHECK(one.given_up > 0);
  CHECK(one.begun + two.begun == 2);
}

TEST_CASE_METHOD(Site, "a node that starts again goes on with what it held, at once", "[nas site]") {
  one.busy = true;
  one.start();
  const Error error = [&] {
    Error told = asked_once("pvc-1");
    while (told.message.find("7 entries") == std::string::npos) told = asked_once("pvc-1");
    return told;
  }();
  CHECK(error.code == Code::kAborted);
  CHECK_THAT(error.message, Contains("make pvc-1 is under way on edge-1: 7 entries so far"));
  one.die();
  one.busy = false;
  one.start();
  make("pvc-1");
  CHECK(on_share() == std::vector<std::string>{"pvc-1"});
}

TEST_CASE_METHOD(Site, "without the site's link a work waits, says so, and is done when the link is back",
                 "[nas site]") {
  one.start();
  const std::string id = make("pvc-0");
  one.cut_link(true);
  Error error = asked_once("pvc-1");
  CHECK(error.code == Code::kAborted);
  wait_until([this] { return !controller.tasks->trouble(kSite).empty(); });
  error = asked_once("pvc-1");
  CHECK(error.code == Code::kAborted);
  CHECK_THAT(error.message, Contains("(NoNodeOfSite)") && Contains("site hangzhou-1"));
  CHECK_THAT(controller.volumes.ailment_of(controller.volumes.find(id).value()), Contains("NoNodeOfSite"));
  CHECK(controller.tasks->trouble("beijing-2").empty());
  CHECK(task_count() == 1);
  // Another work for the directory waits for this one.
  const SiteOrder other{.site = kSite,
                        .attributes = controller.records->list(false).back().attributes,
                        .order = {.verb = DirectoryVerb::kRemove, .directory = "pvc-1", .owner = "pvc-1"}};
  const auto removed = controller.tasks->run(other, 20ms);
  REQUIRE_FALSE(removed);
  CHECK_THAT(removed.error().message, Contains("make pvc-1"));
  one.cut_link(false);
  make("pvc-1");
  CHECK(controller.tasks->run(other, 10s));
  CHECK(on_share() == std::vector<std::string>{"pvc-0"});
  wait_until([this] { return controller.tasks->trouble(kSite).empty(); });
}

TEST_CASE_METHOD(Site, "a node whose share does not answer leaves the work to one whose does", "[nas site]") {
  one.server_dead = true;
  one.start();
  Error error = asked_once("pvc-1");
  while (error.message.find("does not answer") == std::string::npos) error = asked_once("pvc-1");
  CHECK(error.code == Code::kAborted);
  two.start();
  make("pvc-1");
  CHECK(one.begun == 0);
}

TEST_CASE_METHOD(Site, "why a work failed is told with the node's name, and leaves no task", "[nas site]") {
  one.start();
  fs::create_directories(root() / "pvc-1");
  const auto made = controller.create(SceneController::wish("pvc-1", kSite));
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::kAlreadyExists);
  CHECK_THAT(made.error().message, Contains("edge-1: ") && Contains("not a volume's"));
  CHECK(task_count() == 0);
  wait_until([this] { return controller.records->list(false).empty(); });
}

TEST_CASE_METHOD(Site, "what a node could not finish is asked for again, not forgotten", "[nas site]") {
  // Between the mount and the work the share's root is taken away, with what was begun in it.
  const fs::path aside = folder / "aside";
  std::atomic<bool> away = true;
  one.at_work = [&] {
    if (away && fs::exists(root())) fs::rename(root(), aside);
  };
  one.start();
  Error error = asked_once("pvc-1");
  while (error.message.find("No such file") == std::string::npos) error = asked_once("pvc-1");
  CHECK(error.code == Code::kAborted);
  CHECK(controller.records->list(false).size() == 1);
  away = false;
  make("pvc-1");
  CHECK(on_share() == std::vector<std::string>{"pvc-1"});
}

TEST_CASE_METHOD(Site, "a node that the server refuses leaves the work to one that it lets in",
                 "[nas site]") {
  one.refusing = EACCES;
  one.start();
  Error error = asked_once("pvc-1");
  while (error.message.find("mount 10.0.0.5:/exports") == std::string::npos) error = asked_once("pvc-1");
  CHECK(error.code == Code::kAborted);
  two.start();
  make("pvc-1");
  CHECK(one.begun == 0);
}

TEST_CASE_METHOD(Site, "an answer that nobody takes is dropped after a while", "[nas site]") {
  const SiteOrder order{.site = kSite,
                        .attributes = {{"server", "10.0.0.5"}, {"path", "/exports"}},
                        .order = {.verb = DirectoryVerb::kMake, .directory = "pvc-1", .owner = "pvc-1"}};
  CHECK(controller.tasks->run(order, 50ms).error().code == Code::kAborted);
  one.start();
  wait_until([this] { return one.begun > 0 && all(kTasksPath).empty(); });
}

TEST_CASE_METHOD(Site, "lost answers and many calls at once delay works, and none is lost or left",
                 "[nas site]") {
  one.patient = true;
  two.patient = true;
  one.start();
  two.start();
  for (const char* verb : {"create", "patch", "delete", "update"}) {
    with([&] {
      server->fault({.kind = FaultKind::kDropAfter, .verb = verb, .times = 3});
      server->fault({.kind = FaultKind::kStatus, .verb = verb, .times = 2, .status = 503});
    });
  }
  constexpr int kVolumes = 6;
  std::vector<std::future<Status>> answers;
  for (int i = 0; i < kVolumes; ++i) {
    answers.push_back(std::async(std::launch::async, [this, i]() -> Status {
      const std::string name = "pvc-" + std::to_string(i);
      HOLDFAST_TRY(const NasRecord made,
                   controller.create(SceneController::wish(name, kSite, {{"onDelete", "delete"}})));
      if (i % 2 == 0) return {};
      return controller.remove(made.id);
    }));
  }
  for (auto& each : answers) CHECK(each.get());
  CHECK(on_share() == std::vector<std::string>{"pvc-0", "pvc-2", "pvc-4"});
  CHECK(task_count() == 0);
  wait_until([this] { return controller.records->list(false).size() == kVolumes / 2; });
}

TEST_CASE_METHOD(Site,
                 "the roles of the manifests allow all that is asked of the API server, and little else",
                 "[nas site]") {
  one.start();
  const std::string id = make("pvc-1");
  REQUIRE(controller.snapshot("snap", id));
  REQUIRE(controller.volumes.extend(id, std::uint64_t{2} << 30, 0));
  REQUIRE(controller.remove(id));
  const std::string manifests = HOLDFAST_MANIFESTS "/base/csi-nas/";
  const auto compare = [&](const std::string& workload, const char* program,
                           const std::vector<std::string>& other, const std::vector<std::string>& denied) {
    INFO(program);
    // the sidecars' are theirs
    const auto granted =
        holdfast::test::without(holdfast::test::Roles::in(HOLDFAST_MANIFESTS "/base")
                                    .bound_to(holdfast::test::account_in(manifests + workload)),
                                {"ClusterRole/csi-nas-sidecars", "Role/csi-nas-sidecars"});
    const auto asked = with([&] { return server->asked_by(program); });
    CHECK(holdfast::test::refused(granted, asked) == std::vector<std::string>{});
    CHECK(holdfast::test::unasked(granted, asked) == other);
    for (const std::string& refused : denied) {
      INFO(refused);
      CHECK_FALSE(holdfast::test::allows(granted, refused));
    }
  };
  // of a task whose end was not seen
  compare("controller.yaml", kControllerAgent, {"get nastasks.storage.holdfast.dev"},
          {"patch nastasks.storage.holdfast.dev/a/status", "update nastasks.storage.holdfast.dev/a",
           "patch nasvolumes.storage.holdfast.dev/a/status", "list nodes"});
  // of a node that starts
  compare("node.yaml", kNodeAgent, {"get nodes"},
          {"patch nastasks.storage.holdfast.dev/a", "list nasvolumes.storage.holdfast.dev", "list nodes",
           "patch nodes/a", "list secrets", "update nastasks.storage.holdfast.dev/a/status"});
}

TEST_CASE("without a cluster a class with a site is refused, with the cure", "[nas site]") {
  SiteScene scene;
  SceneNode own(scene, "controller", "");
  holdfast::test::TemporaryFolder folder;
  std::vector<std::string> notes;
  const auto records = FileRecords::open(scene.files, folder / "records", notes).value();
  NasVolumes volumes(*records, own, own, scene.clock);
  const auto made = volumes.create(SceneController::wish("pvc-1", kSite), 1s);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::kInvalidArgument);
  CHECK_THAT(made.error().message, Contains("--mode controller"));
  CHECK(volumes.create(SceneController::wish("pvc-1", ""), 1s));
}

}  // namespace
}  // namespace holdfast::nas::test
