#include "csi-lvm/nrm/resource_pass.h"

#include <atomic>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>

#include "csi-lvm/nrm/patient_disks.h"
#include "test/catch.h"
#include "test/csi-lvm/lvm/fake_lvm.h"
#include "test/csi-lvm/nrm/fake_disks.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nrm {
namespace {

constexpr lvm::Lvm::Patience kAmple{1000};

std::string group(const std::string& name, const std::string& devices) {
  return "- {name: " + name + ", key: a, operator: DoesNotExist, topology: {type: device, devices: [" +
         devices + "]}}\n";
}

struct Node {
  void add_disk(const std::string& name, const std::string& wwn) {
    disks.add(name, wwn);
    fake.add_disk("/dev/" + name, 255);
  }
  PassResult run(const std::string& groups, const std::string& quota_paths = "", bool dry_run = false) {
    ConfigData data;
    if (!groups.empty()) data["volumegroup"] = "volumegroup:\n" + groups;
    if (!quota_paths.empty()) data["quotapath"] = "quotapath:\n" + quota_paths;
    ResourcePass pass({fake, disks, mounts, files}, state);
    return pass.run(parse_topology(data), dry_run);
  }
  std::size_t disks_of(const std::string& name) {
    const lvm::Inventory inventory = fake.look(kAmple).value();
    return inventory.group(name) == nullptr ? 0 : inventory.group(name)->disks.size();
  }

  holdfast::test::TemporaryFolder folder;
  std::filesystem::path state = folder / "state";
  PosixFiles files;
  lvm::test::FakeLvm fake;
  test::FakeDisks disks;
  test::FakeQuotaMounts mounts;
};

TEST_CASE_METHOD(Node, "Groups are made and extended, and a second pass changes nothing", "[nrm]") {
  add_disk("vdb", "b");
  add_disk("vdc", "c");
  add_disk("vdd", "d");
  const PassResult first = run(group("vg1", "/dev/vdb, /dev/vdc"));
  CHECK(first.trouble.empty());
  CHECK(first.done == std::vector<std::string>{"made the volume group vg1 with /dev/vdb, /dev/vdc"});
  CHECK(first.rows.at(0).action == Action::kKept);
  const Pins pins = load_pins(files, state).value();
  REQUIRE(pins.size() == 2);
  CHECK(pins[0].pv_uuid == "uuid-/dev/vdb");

  CHECK(run(group("vg1", "/dev/vdb, /dev/vdc")).done.empty());
  CHECK(load_pins(files, state).value() == pins);
  CHECK(run(group("vg1", "/dev/vdb, /dev/vdc, /dev/vdd")).done ==
        std::vector<std::string>{"extended the volume group vg1 with /dev/vdd"});
  CHECK(disks_of("vg1") == 3);
  CHECK(run("").rows.empty());
  CHECK(disks_of("vg1") == 3);
}

TEST_CASE_METHOD(Node, "A dry run tells what would be done, and does nothing", "[nrm]") {
  add_disk("vdb", "b");
  const PassResult result = run(group("vg1", "/dev/vdb"), "", true);
  REQUIRE(result.rows.size() == 1);
  CHECK(result.rows[0].action == Action::kCreate);
  CHECK(result.done.empty());
  CHECK(disks_of("vg1") == 0);
  CHECK_FALSE(std::filesystem::exists(state));
}

TEST_CASE_METHOD(Node, "An entry that fails stops no other, and is tried again in the next pass", "[nrm]") {
  add_disk("vdb", "b");
  add_disk("vdc", "c");
  fake.before = [](std::string_view, const lvm::VolumeName& name) {
    return name.group == "vg1" ? Status(fail(Code::kFailedPrecondition, "LVM says no")) : Status{};
  };
  const std::string entries = group("vg1", "/dev/vdb") + group("vg2", "/dev/vdc");
  const PassResult result = run(entries);
  CHECK(result.rows.at(0).action == Action::kFailed);
  CHECK(result.rows.at(0).reason == "create: LVM says no");
  CHECK(disks_of("vg2") == 1);
  fake.before = nullptr;
  run(entries);
  CHECK(disks_of("vg1") == 1);
}

TEST_CASE_METHOD(Node, "What a selector means is durable before a disk is taken", "[nrm]") {
  add_disk("vdb", "b");
  std::ofstream(state) << "in the way";
  const PassResult result = run(group("vg1", "/dev/vdb"));
  CHECK_FALSE(result.trouble.empty());
  CHECK(disks_of("vg1") == 0);
}

TEST_CASE_METHOD(Node, "A disk that is another one when it is to be taken is not", "[nrm]") {
  add_disk("vdb", "b");
  disks.after_probe = [this] { disks.devices[0].wwn = "other"; };
  const PassResult result = run(group("vg1", "/dev/vdb"));
  CHECK(result.rows.at(0).action == Action::kFailed);
  CHECK(result.rows.at(0).reason.find("another disk") != std::string::npos);
  CHECK(disks_of("vg1") == 0);
}

TEST_CASE_METHOD(Node, "A group of the host's is taken in, and extended in the same pass", "[nrm]") {
  add_disk("vdc", "c");
  disks.add("vdb", "b");
  fake.add_host_group("vg1", "/dev/vdb");
  const PassResult result = run(group("vg1", "/dev/vdb, /dev/vdc"));
  CHECK(result.done == std::vector<std::string>{"took in the host's volume group vg1 with /dev/vdb",
                                                "extended the volume group vg1 with /dev/vdc"});
  CHECK(disks_of("vg1") == 2);
}

TEST_CASE_METHOD(Node,
                 "A group that our devices file has lost is found by its disks, which may share a serial",
                 "[nrm]") {
  for (const char* name : {"vdb", "vdc"}) {
    add_disk(name, "");
    disks.devices.back().serial = "0000";
  }
  REQUIRE(run(group("vg1", "/dev/vdb")).rows.at(0).action == Action::kKept);

  lvm::test::FakeLvm after;
  after.add_disk("/dev/vdc", 255);
  after.add_host_group("vg1", "/dev/vdb");
  ResourcePass pass({after, disks, mounts, files}, state);
  const PassResult found =
      pass.run(parse_topology({{"volumegroup", "volumegroup:\n" + group("vg1", "/dev/vdb")}}),
               /*dry_run=*/false);
  CHECK(found.done == std::vector<std::string>{"took in the host's volume group vg1 with /dev/vdb"});
  CHECK(found.rows.at(0).action == Action::kKept);
}

TEST_CASE_METHOD(Node, "Names that were exchanged while the node was off change nothing", "[nrm]") {
  add_disk("vdb", "b");
  add_disk("vdc", "c");
  const std::string entries = group("vg1", "/dev/vdb") + group("vg2", "/dev/vdc");
  run(entries);
  std::swap(disks.devices[0].kernel_name, disks.devices[1].kernel_name);
  // of these disks LVM tells the new names too
  lvm::test::FakeLvm after;
  after.add_disk("/dev/vdc", 255);
  after.add_disk("/dev/vdb", 255);
  REQUIRE(after.create_group({"vg1", {"/dev/vdc"}}, kAmple).has_value());
  REQUIRE(after.create_group({"vg2", {"/dev/vdb"}}, kAmple).has_value());
  ResourcePass pass({after, disks, mounts, files}, state);
  const PassResult result = pass.run(parse_topology({{"volumegroup", "volumegroup:\n" + entries}}), false);
  CHECK(result.done.empty());
}

constexpr const char* kPath =
    "- {name: /mnt/path1, key: a, operator: DoesNotExist, topology: {type: device, options: prjquota, "
    "fstype: "
    "ext4, devices: [/dev/vdb, /dev/vdc]}}\n";

TEST_CASE_METHOD(Node, "A quotapath takes the first disk that is there, and keeps to it", "[nrm]") {
  add_disk("vdc", "c");
  CHECK(run("", kPath, true).rows.at(0).action == Action::kMount);
  CHECK(mounts.asked.empty());
  const PassResult first = run("", kPath);
  CHECK(first.rows.at(0).action == Action::kMount);
  CHECK(first.done == std::vector<std::string>{"mounted /dev/vdc at /mnt/path1"});
  CHECK(run("", kPath).rows.at(0).action == Action::kKept);
  REQUIRE(mounts.asked.size() == 1);

  add_disk("vdb", "b");
  mounts.mounted.clear();
  disks.probes["vdc"].content = block::Signature{"ext4", "1-2"};
  CHECK(run("", kPath).rows.at(0).device == "/dev/vdc");
  REQUIRE(mounts.asked.size() == 2);
  CHECK(mounts.asked[1].provenance.kind == block::Provenance::Kind::kFormatted);
  CHECK(mounts.asked[1].provenance.uuid == "1-2");
}

TEST_CASE_METHOD(Node, "A quotapath is refused for what is in its way, and told while its disk is read",
                 "[nrm]") {
  add_disk("vdb", "b");
  SECTION("something else is mounted there") {
    mounts.mounted["/mnt/path1"] = "sda1";
    CHECK(run("", kPath).rows.at(0).reason.find("sda1") != std::string::npos);
  }
  SECTION("another file system is on the disk") {
    disks.probes["vdb"].content = block::Signature{"xfs", ""};
    CHECK(run("", kPath).rows.at(0).action == Action::kRefuse);
  }
  SECTION("a volume group has the disk") {
    run(group("vg1", "/dev/vdb"));
    const PassResult result = run(group("vg1", "/dev/vdb"), kPath);
    CHECK(result.rows.at(0).action == Action::kKept);
    CHECK(result.rows.at(1).reason.find("in vg1") != std::string::npos);
    CHECK(mounts.asked.empty());
  }
  SECTION("the folder has files") {
    mounts.in_the_way["/mnt/path1"] = "the folder has files in it";
    for (const bool dry_run : {true, false}) {
      const PassResult result = run("", kPath, dry_run);
      CHECK(result.rows.at(0).action == Action::kRefuse);
      CHECK(result.rows.at(0).reason == "the folder has files in it");
    }
    CHECK(mounts.asked.empty());
    CHECK_FALSE(std::filesystem::exists(state));
  }
  SECTION("the disk is being read") {
    mounts.answer = fail(Code::kAborted, "1 of 2 bytes");
    const PassResult result = run("", kPath);
    CHECK(result.rows.at(0).action == Action::kWait);
    CHECK(result.again_soon);
  }
  SECTION("the mount fails") {
    mounts.answer = fail(Code::kInvalidArgument, "mount: no quota in this kernel");
    CHECK(run("", kPath).rows.at(0).action == Action::kFailed);
  }
}

TEST_CASE_METHOD(Node, "A format that was cut off goes on upon the same disk, never upon one of its name",
                 "[nrm]") {
  using Kind = block::Provenance::Kind;
  for (const std::string& wwn : {std::string("b"), std::string()}) {
    DYNAMIC_SECTION("wwn '" << wwn << "'") {
      add_disk("vdb", wwn);
      mounts.answer = fail(Code::kAborted, "1 of 2 bytes");
      run("", kPath);
      Pins pins = load_pins(files, state).value();
      REQUIRE(pins.size() == 1);
      for (const char* told : {"formatting", "formatted:1-2"}) {
        pins[0].provenance = told;
        REQUIRE(save_pins(files, state, pins).has_value());
        run("", kPath);
        const Kind expected = pins[0].provenance == "formatted:1-2" ? Kind::kFormatted
                              : wwn.empty()                         ? Kind::kNone
                                                                    : Kind::kFormatting;
        CHECK(mounts.asked.back().provenance.kind == expected);
      }
    }
  }
}

constexpr const char* kOtherPath =
    "- {name: /mnt/path2, key: a, operator: DoesNotExist, topology: {type: device, devices: [/dev/vdb]}}\n";

TEST_CASE_METHOD(Node, "A disk that several entries name is nobody's, and each is told of the others",
                 "[nrm]") {
  add_disk("vdb", "b");
  const auto refused = [](const PassResult& result, const std::string& by) {
    REQUIRE(result.rows.size() == 2);
    for (const PlanRow& row : result.rows) {
      CHECK(row.action == Action::kRefuse);
      CHECK(row.reason == "is named by " + by + ", and only one can have it; take it out of the others");
    }
  };
  refused(run(group("vg1", "/dev/vdb") + group("vg2", "/dev/vdb")), "vg1 and vg2");
  refused(run("", kPath + std::string(kOtherPath)), "/mnt/path1 and /mnt/path2");
  refused(run(group("vg1", "/dev/vdb"), kPath), "vg1 and /mnt/path1");
  CHECK(disks_of("vg1") == 0);
  CHECK(mounts.asked.empty());
  // One that has had it keeps it, also while it is not mounted.
  REQUIRE(run("", kOtherPath).rows.at(0).action == Action::kMount);
  mounts.mounted.clear();
  disks.probes["vdb"].content = block::Signature{"ext4", "1-2"};
  const PassResult later = run("", kPath + std::string(kOtherPath));
  CHECK(later.rows.at(0).action == Action::kRefuse);
  CHECK(later.rows.at(0).reason.find("/mnt/path2 does") != std::string::npos);
  CHECK(later.rows.at(1).action == Action::kMount);
}

TEST_CASE_METHOD(Node, "A disk that one entry names does not go to another that describes it", "[nrm]") {
  add_disk("vdb", "b");
  const std::string entries = group("vg1", "{minSize: 1Mi}") + group("vg2", "/dev/vdb");
  const PassResult planned = run(entries, "", true);
  CHECK(planned.rows.at(0).action == Action::kSkip);
  CHECK(planned.rows.at(0).reason == "is named by vg2");
  run(entries);
  CHECK(disks_of("vg1") == 0);
  CHECK(disks_of("vg2") == 1);
}

TEST_CASE("What is at a quotapath's folder is seen before anything is done to its disk", "[nrm]") {
  const holdfast::test::TemporaryFolder folder;
  const std::string path = folder / "data";
  SystemQuotaMounts mounts;
  CHECK(mounts.look_at(path)->in_the_way.empty());  // it is made
  std::filesystem::create_directory(path);
  CHECK(mounts.look_at(path)->in_the_way.empty());
  std::ofstream(path + "/file") << "kept";
  CHECK(mounts.look_at(path)->in_the_way ==
        "the folder " + path + " has files in it, which a mount would cover: move them away");
  CHECK(mounts.look_at(path + "/file")->in_the_way == path + "/file is no folder: take it away");
  CHECK_FALSE(mounts.look_at("/proc")->mounted.empty());
}

// A disk among them answers nothing until it is released.
struct DyingDisks final : public NodeDisks {
  Result<std::vector<block::DeviceIdentity>> list() override { return disks.list(); }
  Result<block::DeviceIdentity> identify(const std::string& path) override { return disks.identify(path); }
  Probe probe(const block::DeviceIdentity& device) override {
    if (device.kernel_name == "vdc") {
      ++looks;
      released.wait();
    }
    const std::scoped_lock lock(mutex);
    return disks.probe(device);
  }
  test::FakeDisks disks;
  std::mutex mutex;  // guards probes of `disks`
  std::atomic<int> looks = 0;
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
};

TEST_CASE("A disk that does not answer is refused by name, and holds up none of the others", "[nrm]") {
  Node node;
  const auto dying = std::make_shared<DyingDisks>();
  for (const char* name : {"vdb", "vdc"}) {
    dying->disks.add(name, name);
    node.fake.add_disk(std::string("/dev/") + name, 255);
  }
  PatientDisks patient(dying, std::chrono::milliseconds(50));
  ConfigData data;
  data["volumegroup"] = "volumegroup:\n" + group("vg1", "/dev/vdb") + group("vg2", "/dev/vdc");
  const auto pass = [&] {
    return ResourcePass({node.fake, patient, node.mounts, node.files}, node.state)
        .run(parse_topology(data), false);
  };
  const PassResult first = pass();
  CHECK(node.disks_of("vg1") == 1);
  CHECK(node.disks_of("vg2") == 0);
  REQUIRE(first.rows.size() == 2);
  CHECK(first.rows[1].action == Action::kRefuse);
  CHECK(first.rows[1].reason.find("/dev/vdc did not answer within") != std::string::npos);
  static_cast<void>(pass());
  CHECK(dying->looks == 1);  // it is not asked again as long as it does not answer

  dying->release.set_value();
  for (int i = 0; i < 200 && node.disks_of("vg2") == 0; ++i) static_cast<void>(pass());
  CHECK(node.disks_of("vg2") == 1);
}

}  // namespace
}  // namespace holdfast::nrm
