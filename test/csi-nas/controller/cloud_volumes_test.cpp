#include "csi-nas/controller/cloud_volumes.h"

#include <iostream>

#include "common/csi/answers.h"
#include "csi-nas/backend/alibaba_nas.h"
#include "csi-nas/controller/nas_volumes.h"
#include "csi-nas/controller/record_ids.h"
#include "csi-nas/sim/nas_service.h"
#include "test/catch.h"
#include "test/cloud/sim_cloud.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

using cloud::sim::Fault;
using nlohmann::json;
using Parameters = std::map<std::string, std::string>;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::chrono::milliseconds kPatience{1500};
constexpr int kMostTries = 8;

/// Nothing of a cloud's volume is mounted by the controller, and no directory is worked on.
class NoShares final : public ShareAccess {
 public:
  Result<std::string> mounted_at(const NasSource& /*source*/,
                                 std::chrono::milliseconds /*patience*/) override {
    return fail(Code::kInternal, "the controller mounts a cloud's file system");
  }
  [[nodiscard]] std::string address_of(const NasSource& /*source*/,
                                       std::chrono::milliseconds /*patience*/) override {
    return {};
  }
  [[nodiscard]] bool answers(const NasSource& /*source*/) override { return false; }
};
class NoWork final : public DirectoryWork {
 public:
  Result<std::string> run(const std::string& /*id*/, const std::string& /*server*/, DirectoryOrder /*order*/,
                          std::chrono::milliseconds /*patience*/) override {
    return fail(Code::kInternal, "the controller works in a cloud's file system");
  }
};

/// Records on a disk that is full from some put on.
class FullRecords final : public NasRecords {
 public:
  explicit FullRecords(NasRecords& disk, int room) : disk_(disk), room_(room) {}
  Status put(NasRecord& record) override {
    if (room_-- <= 0) return fail_errno(ENOSPC, "write the record");
    return disk_.put(record);
  }
  Status remove(const NasRecord& record) override { return disk_.remove(record); }
  [[nodiscard]] Result<std::optional<NasRecord>> by_id(const std::string& id) const override {
    return disk_.by_id(id);
  }
  [[nodiscard]] Result<std::optional<NasRecord>> by_name(const std::string& name,
                                                         bool snapshot) const override {
    return disk_.by_name(name, snapshot);
  }
  [[nodiscard]] std::vector<NasRecord> list(bool snapshots) const override { return disk_.list(snapshots); }

 private:
  NasRecords& disk_;
  int room_;
};

/// A controller on a simulated cloud. It can be started again.
struct Controller {
  explicit Controller(std::chrono::seconds settling = {})
      : service(clock, settling), cloud(service, folder / "state") {
    start();
  }
  void start() {
    std::vector<std::string> notes;
    records = FileRecords::open(files, folder / "records", notes).value();
    volumes_of_cloud = std::make_unique<CloudVolumes>(*records, backend, "cn-x", clock);
    volumes = std::make_unique<NasVolumes>(*records, access, work, clock, nullptr, volumes_of_cloud.get());
  }
  Result<NasRecord> create(const std::string& name, const Parameters& parameters, std::uint64_t gib = 5) {
    return volumes->create({.name = name, .required_bytes = gib * kGiB, .parameters = parameters}, kPatience);
  }
  [[nodiscard]] json file_systems() { return cloud.state().value("fileSystems", json::object()); }

  test::TemporaryFolder folder;
  SystemClock clock;
  PosixFiles files;
  NasService service;
  test::SimCloud cloud;
  test::FixedCredentials credentials;
  cloud::CurlClient http{"test"};
  cloud::AlibabaApi api{
      http, credentials, clock, {.url = cloud.url(), .version = std::string(AlibabaNas::kVersion)}};
  AlibabaNas backend{api, "cn-x"};
  NoShares access;
  NoWork work;
  std::unique_ptr<FileRecords> records;
  std::unique_ptr<CloudVolumes> volumes_of_cloud;
  std::unique_ptr<NasVolumes> volumes;
};

Parameters of_file_system() {
  return {{"volumeAs", "filesystem"}, {"vpcId", "vpc-1"}, {"vSwitchId", "vsw-1"}, {"deleteVolume", "true"}};
}
Parameters of_access_point(const std::string& file_system) {
  return {{"volumeAs", "accesspoint"},
          {"fileSystemId", file_system},
          {"vpcId", "vpc-1"},
          {"vSwitchId", "vsw-1"},
          {"allowVolumeExpansion", "true"}};
}

void refuses(const Status& done, Code code) {
  REQUIRE_FALSE(done);
  INFO(done.error().message);
  CHECK(done.error().code == code);
}
template <class T>
void refuses(const Result<T>& done, Code code) {
  refuses(done ? Status{} : Status(tl::unexpected(done.error())), code);
}

TEST_CASE("a file system that no record could be kept of is asked for again, and found", "[nas]") {
  for (const int room : {0, 1, 2}) {
    DYNAMIC_SECTION("room for " << room) {
      Controller controller;
      FullRecords full(*controller.records, room);
      CloudVolumes of_cloud(full, controller.backend, "cn-x", controller.clock);
      NasVolumes volumes(full, controller.access, controller.work, controller.clock, nullptr, &of_cloud);
      const NewVolume wanted{.name = "pvc-1", .required_bytes = kGiB, .parameters = of_file_system()};
      // Before anything is made it is the last word: the pod may go elsewhere.
      refuses(volumes.create(wanted, kPatience), room == 0 ? Code::kResourceExhausted : Code::kAborted);
      CHECK(controller.file_systems().size() == (room == 0 ? 0 : 1));
      REQUIRE(controller.create("pvc-1", of_file_system(), 1));
      CHECK(controller.file_systems().size() == 1);
    }
  }
}

TEST_CASE("a volume can be a file system of the cloud, with a mount target, and all of it goes with it",
          "[nas]") {
  Controller controller;
  const auto made = controller.create("pvc-1", of_file_system());
  REQUIRE(made);
  CHECK(made->id == "pvc-1");
  CHECK(made->bytes == 5 * kGiB);
  const json all = controller.file_systems();
  REQUIRE(all.size() == 1);
  const std::string id = all.begin().key();
  const NasAttributes context = volume_context(*made).value();
  CHECK(context.at("fileSystemId") == id);
  CHECK(context.at("server") == all[id]["mountTargets"].begin().key());
  CHECK(context.at("path") == "/");
  CHECK(all[id]["label"].get<std::string>().starts_with("pvc-1 "));
  CHECK(all[id]["storage"] == "Performance");
  CHECK(share_of(*made).value().options.vers == "3");
  controller.start();
  CHECK(controller.create("pvc-1", of_file_system())->attributes == made->attributes);
  CHECK(controller.volumes->extend("pvc-1", 7 * kGiB, 0).value() == 7 * kGiB);
  CHECK(controller.volumes->ailment_of(*made).empty());
  refuses(controller.volumes->snapshot("s", "pvc-1", kPatience), Code::kInvalidArgument);
  REQUIRE(controller.volumes->remove("pvc-1", kPatience));
  REQUIRE(controller.volumes->remove("pvc-1", kPatience));
  CHECK(controller.file_systems().empty());
  CHECK(controller.records->list(false).empty());
}

TEST_CASE("a file system is kept when its class does not say that it is deleted", "[nas]") {
  Controller controller;
  Parameters kept = of_file_system();
  kept.erase("deleteVolume");
  REQUIRE(controller.create("pvc-1", kept));
  REQUIRE(controller.volumes->remove("pvc-1", kPatience));
  CHECK(controller.file_systems().size() == 1);
  CHECK(controller.records->list(false).empty());
  // Another volume of that name is another file system.
  REQUIRE(controller.create("pvc-1", kept));
  CHECK(controller.file_systems().size() == 2);
}

TEST_CASE("an extreme file system has the size that was asked for, and grows in the cloud", "[nas]") {
  Controller controller;
  Parameters extreme = of_file_system();
  extreme["fileSystemType"] = "extreme";
  extreme["zoneId"] = "cn-x-a";
  const auto made = controller.create("pvc-1", extreme);
  REQUIRE(made);
  CHECK(made->bytes == 100 * kGiB);
  CHECK(made->attributes.at("path") == "/share");
  CHECK(controller.file_systems().begin().value()["gib"] == 100);
  CHECK(controller.volumes->extend("pvc-1", 120 * kGiB + 1, 0).value() == 121 * kGiB);
  CHECK(controller.file_systems().begin().value()["gib"] == 121);
  refuses(controller.volumes->extend("pvc-1", 130 * kGiB + 1, 130 * kGiB + 2), Code::kOutOfRange);
  REQUIRE(controller.volumes->remove("pvc-1", kPatience));
  CHECK(controller.file_systems().empty());
}

TEST_CASE("a volume can be an access point with a quota", "[nas]") {
  Controller controller;
  REQUIRE(controller.create("base", of_file_system()));
  const std::string id = controller.file_systems().begin().key();
  Parameters parameters = of_access_point(id);
  parameters["path"] = "/volumes/";
  const auto made = controller.create("pvc-1", parameters);
  REQUIRE(made);
  json system = controller.file_systems()[id];
  REQUIRE(system["accessPoints"].size() == 1);
  const json point = *system["accessPoints"].begin();
  CHECK(point["root"] == "/volumes/pvc-1");
  CHECK(made->attributes.at("server") == point["domain"]);
  CHECK(system["quotas"] == json{{"/volumes/pvc-1", 5}});
  CHECK(controller.volumes->extend("pvc-1", 6 * kGiB + 1, 0).value() == 7 * kGiB);
  CHECK(controller.file_systems()[id]["quotas"] == json{{"/volumes/pvc-1", 7}});
  REQUIRE(controller.volumes->remove("pvc-1", kPatience));
  system = controller.file_systems()[id];
  CHECK(system["accessPoints"].empty());
  CHECK(system["quotas"].empty());
  parameters["fileSystemId"] = "nowhere";
  refuses(controller.create("pvc-2", parameters), Code::kInvalidArgument);
  CHECK(controller.records->list(false).size() == 1);
}

TEST_CASE("a volume is ready when its mount target is active, and not before", "[nas]") {
  Controller controller(std::chrono::seconds(2));  // of whole seconds: one at least
  const NewVolume wanted{.name = "pvc-1", .required_bytes = 5 * kGiB, .parameters = of_file_system()};
  refuses(controller.volumes->create(wanted, std::chrono::milliseconds(500)), Code::kAborted);
  refuses(controller.volumes->find("pvc-1"), Code::kNotFound);
  Result<NasRecord> made = controller.create("pvc-1", of_file_system());
  for (int i = 0; i < 2 && !made; ++i) made = controller.create("pvc-1", of_file_system());
  REQUIRE(made);
  CHECK(controller.file_systems().size() == 1);
  CHECK(controller.cloud.calls()["CreateMountTarget"] == 1);
}

TEST_CASE("what a class of a cloud cannot mean is refused before anything is made", "[nas]") {
  struct Case {
    const char* key;
    const char* value;
    const char* told;
  };
  const Case cases[] = {
      {"vpcId", "", "vpcid"},
      {"fileSystemType", "cpfs", "none of standard extreme"},
      {"fileSystemType", "extreme", "zoneId"},
      {"storageType", "advance", "none of Performance"},
      {"protocolType", "SMB", "none of NFS"},
      {"regionId", "cn-y", "cn-x"},
      {"deleteVolume", "perhaps", "none of false true"},
      {"encryptType", "2", "none of 0 1"},
      {"vers", "5", "vers"},
      {"containerNetworkFileSystem", "cnfs", "fileSystemId"},
  };
  Controller controller;
  for (const Case& c : cases) {
    INFO(c.key << " " << c.value);
    Parameters parameters = of_file_system();
    parameters[c.key] = c.value;
    const auto made = controller.create("pvc-1", parameters);
    refuses(made, Code::kInvalidArgument);
    CHECK(made.error().message.find(c.told) != std::string::npos);
  }
  CHECK(controller.cloud.calls().empty());
  CHECK(controller.records->list(false).empty());
  NasVolumes without(*controller.records, controller.access, controller.work, controller.clock);
  refuses(without.create({.name = "v", .parameters = of_file_system()}, kPatience), Code::kInvalidArgument);
}

TEST_CASE("what the cloud refuses for good is answered so, with nothing left of what was made before",
          "[nas]") {
  Controller controller;
  const auto refuse = [&](const char* action, const char* code) {
    controller.cloud.add_fault({.action = action, .how = Fault::How::kRefuse, .code = code});
  };
  refuse("CreateMountTarget", "InvalidVSwitchId.Wrong");
  refuses(controller.create("pvc-1", of_file_system()), Code::kInvalidArgument);
  refuse("CreateFileSystem", "Resource.OutOfStock");
  refuses(controller.create("pvc-1", of_file_system()), Code::kResourceExhausted);
  CHECK(controller.file_systems().empty());
  CHECK(controller.records->list(false).empty());
  // While it cannot be taken back, it is not given up.
  refuse("CreateMountTarget", "InvalidVSwitchId.Wrong");
  refuse("DeleteFileSystem", "InvalidFileSystemStatus.Ordering");
  refuses(controller.create("pvc-1", of_file_system()), Code::kAborted);
  CHECK(controller.file_systems().size() == 1);
  REQUIRE(controller.create("pvc-1", of_file_system()));
  CHECK(controller.file_systems().size() == 1);
  // An account in arrears keeps what it has.
  refuse("DescribeMountTargets", "OperationDenied.Arrearage");
  refuses(controller.volumes->remove("pvc-1", kPatience), Code::kUnavailable);
  CHECK(controller.records->list(false).size() == 1);
}

// Tries as a sidecar does, for as long as it is told to.
template <class Try>
bool persists(Controller& controller, bool restarts, const Try& attempt) {
  for (int i = 0; i < kMostTries; ++i) {
    const Status done = attempt();
    if (done) return true;
    INFO(done.error().message);
    CHECK(csi::reaction_to(done.error().code) == csi::Reaction::kAskAgain);
    if (restarts) controller.start();
  }
  return false;
}

template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status{} : Status(tl::unexpected(result.error()));
}

// A volume's life with one fault in its n-th call. False: it had not as many calls.
bool live_through(const Parameters& parameters, Fault fault, int nth, bool restarts) {
  Controller controller;
  Parameters own = parameters;
  if (own["volumeAs"] == "accesspoint") {
    REQUIRE(controller.create("base", of_file_system()));
    own["fileSystemId"] = controller.file_systems().begin().key();
  }
  const json before = controller.file_systems();
  fault.skip = nth;
  controller.cloud.add_fault(fault);
  REQUIRE(persists(controller, restarts, [&] { return status_of(controller.create("pvc-1", own)); }));
  const json during = controller.file_systems();
  CHECK(during.size() == 1);
  CHECK(during.begin().value()["mountTargets"].size() == 1);
  CHECK(during.begin().value()["accessPoints"].size() == (before.empty() ? 0 : 1));
  REQUIRE(persists(controller, restarts,
                   [&] { return status_of(controller.volumes->extend("pvc-1", 8 * kGiB, 0)); }));
  REQUIRE(persists(controller, restarts, [&] { return controller.volumes->remove("pvc-1", kPatience); }));
  CHECK(controller.file_systems() == before);
  CHECK(controller.records->list(false).size() == before.size());
  bool met = false;
  controller.cloud.with([&met](cloud::sim::Front& front) { met = !front.faults().pending(); });
  return met;
}

TEST_CASE("nothing is leaked, lost or made twice, whichever call of the cloud fails however", "[nas]") {
  struct Kind {
    const char* name;
    Fault::When when;
    Fault::How how;
  };
  const Kind kinds[] = {{"before its effect", Fault::When::kBefore, Fault::How::kDrop},
                        {"after its effect", Fault::When::kAfter, Fault::How::kDrop},
                        {"throttled", Fault::When::kBefore, Fault::How::kThrottle}};
  int lives = 0;
  for (const Parameters& parameters : {of_file_system(), of_access_point("")}) {
    for (const Kind& kind : kinds) {
      for (int nth = 0;; ++nth) {
        INFO(parameters.at("volumeAs") << ", call " << nth << " fails " << kind.name);
        const bool met = live_through(parameters, {.when = kind.when, .how = kind.how}, nth, nth % 2 == 1);
        if (!met) break;
        ++lives;
      }
    }
  }
  std::cout << "lives of a cloud's volume with one call that fails: " << lives << ", 0 leaked\n";
  CHECK(lives >= 36);
}

TEST_CASE("answers of another shape are no answers", "[nas]") {
  for (const char* text : {"[]", "{}", R"({"FileSystems": []})", R"({"FileSystems": {"FileSystem": [{}]}})",
                           R"({"FileSystems": {"FileSystem": [{"FileSystemId": 5}]}})",
                           R"({"MountTargets": {"MountTarget": [{"MountTargetDomain": []}]}})",
                           R"({"AccessPoints": [{"Status": "Active"}]})"}) {
    INFO(text);
    const json answer = json::parse(text);
    const auto systems = read_file_systems(answer);
    REQUIRE_FALSE(systems);
    CHECK(systems.error().end == cloud::CallEnd::kUnknownOutcome);
    CHECK_FALSE(read_mount_targets(answer));
  }
  CHECK_FALSE(read_access_points(json::parse(R"({"AccessPoints": [{"Status": "Active"}]})")));
  CHECK(read_access_points(json::parse("{}"))->empty());
}

}  // namespace
}  // namespace holdfast::nas
