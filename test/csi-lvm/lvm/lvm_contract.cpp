#include "test/csi-lvm/lvm/lvm_contract.h"

#include <future>

#include "csi-lvm/lvm/lvm_faults.h"
#include "test/catch.h"

// What Lvm promises, held against every implementation of it: the one in memory on any machine, LVM itself in
// a guest.
namespace holdfast::lvm::test {
namespace {

constexpr Lvm::Patience kAmple{60000};
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kExtent = 4 * kMiB;
constexpr std::uint64_t kExtentsOfDisk = 63;

VolumeName named(const std::string& volume) { return {kContractGroup, volume}; }

NewVolume linear(const std::string& volume, std::uint64_t bytes) {
  NewVolume wanted;
  wanted.name = named(volume);
  wanted.size_bytes = bytes;
  return wanted;
}

NewVolume striped(const std::string& volume, std::uint64_t bytes, std::uint32_t stripes) {
  NewVolume wanted = linear(volume, bytes);
  wanted.stripes = stripes;
  return wanted;
}

NewVolume thin(const std::string& volume, std::uint64_t bytes, const std::string& pool) {
  NewVolume wanted = linear(volume, bytes);
  wanted.pool = pool;
  return wanted;
}

NewSnapshot snapshot(const std::string& origin, const std::string& name, std::uint64_t room_bytes) {
  NewSnapshot wanted;
  wanted.origin = named(origin);
  wanted.name = name;
  wanted.room_bytes = room_bytes;
  return wanted;
}

NewPool pool(const std::string& name, std::uint64_t bytes) {
  return {.name = named(name), .size_bytes = bytes, .tags = {"csi.pool=made"}};
}

// The one setting of a section, and shorthand for what the cases ask of it.
class Contract {
 public:
  explicit Contract(const std::string& setting = contract_settings().front())
      : setting_(make_contract_setting(setting)), lvm(setting_->lvm()) {}

  Inventory now() const { return lvm.look(kAmple).value(); }
  bool there(const std::string& volume) const {
    return now().group(kContractGroup)->volume(volume) != nullptr;
  }
  LogicalVolume volume(const std::string& name) const {
    const Inventory inventory = now();
    const LogicalVolume* found = inventory.group(kContractGroup)->volume(name);
    REQUIRE(found != nullptr);
    return *found;
  }
  std::uint64_t free_extents() const { return now().group(kContractGroup)->free_bytes / kExtent; }
  void make(const NewVolume& wanted) const { REQUIRE(lvm.create(wanted, kAmple).has_value()); }
  void set_open(const std::string& name, bool open) const { setting_->set_open(named(name), open); }
  std::vector<std::string> spare_disks() const { return setting_->spare_disks(); }
  void refuses(const Status& done, Code code) const {
    REQUIRE_FALSE(done.has_value());
    INFO(done.error().message);
    CHECK(done.error().code == code);
  }

 private:
  std::unique_ptr<ContractSetting> setting_;

 public:
  Lvm& lvm;
};

// For what differs between the settings of one implementation: what is said of failures and of what was made.
class InEverySetting : public Contract {
 public:
  InEverySetting() : Contract(GENERATE(from_range(contract_settings()))) {}
};

TEST_CASE_METHOD(Contract, "an empty group has its disks, and all of them free", "[lvm contract]") {
  const Inventory inventory = now();
  const VolumeGroup& group = *inventory.group(kContractGroup);
  CHECK(group.extent_bytes == kExtent);
  REQUIRE(group.disks.size() == 2);
  CHECK(group.disks[0].free_extents == kExtentsOfDisk);
  CHECK(group.free_bytes == 2 * kExtentsOfDisk * kExtent);
  CHECK(group.volumes.empty());
}

TEST_CASE_METHOD(InEverySetting, "a new volume is active, tagged and of whole extents", "[lvm contract]") {
  NewVolume wanted = linear("pvc-1", 5 * kMiB + 1);
  wanted.tags = {"csi.state=creating", "csi.fs=new"};
  make(wanted);
  const LogicalVolume made = volume("pvc-1");
  CHECK(made.layout == Layout::kLinear);
  CHECK(made.size_bytes == 8 * kMiB);
  CHECK(made.active);
  CHECK_FALSE(made.open);
  CHECK(made.tag_value("csi.state") == "creating");
  CHECK(made.tag_value("csi.fs") == "new");
  CHECK(free_extents() == 2 * kExtentsOfDisk - 2);
}

TEST_CASE_METHOD(InEverySetting, "a volume of a name that is taken is refused, and the first stays as it is",
                 "[lvm contract]") {
  make(linear("pvc-1", 4 * kMiB));
  refuses(lvm.create(linear("pvc-1", 8 * kMiB), kAmple), Code::kAlreadyExists);
  CHECK(volume("pvc-1").size_bytes == 4 * kMiB);
}

TEST_CASE_METHOD(Contract, "the largest linear volume is as large as foretold", "[lvm contract]") {
  make(linear("other", 10 * kExtent));
  const Inventory inventory = now();
  const std::uint64_t most = most_extents(*inventory.group(kContractGroup), 1);
  CHECK(most == 2 * kExtentsOfDisk - 10);
  refuses(lvm.create(linear("pvc-1", (most + 1) * kExtent), kAmple), Code::kResourceExhausted);
  CHECK_FALSE(there("pvc-1"));
  make(linear("pvc-1", most * kExtent));
  CHECK(free_extents() == 0);
}

TEST_CASE_METHOD(InEverySetting, "the largest striped volume is as large as foretold", "[lvm contract]") {
  make(linear("other", 10 * kExtent));
  const Inventory inventory = now();
  const std::uint64_t most = most_extents(*inventory.group(kContractGroup), 2);
  CHECK(most == 2 * (kExtentsOfDisk - 10));
  refuses(lvm.create(striped("pvc-1", (most + 1) * kExtent, 2), kAmple), Code::kResourceExhausted);
  make(striped("pvc-1", most * kExtent, 2));
  CHECK(volume("pvc-1").layout == Layout::kStriped);
  CHECK(volume("pvc-1").stripes == 2);
  refuses(lvm.create(striped("pvc-2", kExtent, 3), kAmple), Code::kResourceExhausted);
}

TEST_CASE_METHOD(Contract, "a striped volume takes whole extents of each stripe", "[lvm contract]") {
  make(striped("pvc-1", 3 * kExtent, 2));
  CHECK(volume("pvc-1").size_bytes == 4 * kExtent);
}

TEST_CASE_METHOD(Contract, "names that LVM would not take, and groups that are not there, are told",
                 "[lvm contract]") {
  refuses(lvm.create(linear("a b", kExtent), kAmple), Code::kInvalidArgument);
  refuses(lvm.remove({"contract", "../x"}, kAmple), Code::kInvalidArgument);
  refuses(lvm.change_tags(named("pvc-1"), {}, {"a b"}, kAmple), Code::kInvalidArgument);
  NewVolume elsewhere = linear("pvc-1", kExtent);
  elsewhere.name.group = "nowhere";
  refuses(lvm.create(elsewhere, kAmple), Code::kNotFound);
  refuses(lvm.remove({"nowhere", "pvc-1"}, kAmple), Code::kNotFound);
  refuses(lvm.extend(named("pvc-1"), kExtent, kAmple), Code::kNotFound);
  refuses(lvm.activate(named("pvc-1"), kAmple), Code::kNotFound);
  refuses(lvm.change_tags(named("pvc-1"), {}, {"a"}, kAmple), Code::kNotFound);
}

TEST_CASE_METHOD(Contract, "tags change in one step, and a second time change nothing", "[lvm contract]") {
  NewVolume wanted = linear("pvc-1", kExtent);
  wanted.tags = {"csi.state=creating", "kept"};
  make(wanted);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(lvm.change_tags(named("pvc-1"), {"csi.state=creating"}, {"csi.state=ready"}, kAmple).has_value());
    const LogicalVolume changed = volume("pvc-1");
    CHECK(changed.tags.size() == 2);
    CHECK(changed.has_tag("csi.state=ready"));
    CHECK(changed.has_tag("kept"));
  }
}

TEST_CASE_METHOD(InEverySetting, "changes of many volumes at once are answered each by what came of it",
                 "[lvm contract]") {
  for (const char* name : {"pvc-1", "pvc-2", "pvc-3"}) make(linear(name, kExtent));
  std::vector<std::future<Status>> answers;
  for (const char* name : {"pvc-1", "pvc-2", "gone", "pvc-3"}) {
    answers.push_back(std::async(std::launch::async, [this, name] {
      return lvm.change_tags(named(name), {"csi.state=creating"}, {"csi.state=ready"}, kAmple);
    }));
  }
  refuses(answers[2].get(), Code::kNotFound);
  for (const std::size_t there : {0U, 1U, 3U}) CHECK(answers[there].get().has_value());
  for (const char* name : {"pvc-1", "pvc-2", "pvc-3"}) CHECK(volume(name).has_tag("csi.state=ready"));
  std::vector<std::future<Status>> removals;
  for (const char* name : {"pvc-1", "pvc-2", "pvc-3"}) {
    removals.push_back(
        std::async(std::launch::async, [this, name] { return lvm.remove(named(name), kAmple); }));
  }
  for (auto& removed : removals) CHECK(removed.get().has_value());
  CHECK(free_extents() == 2 * kExtentsOfDisk);
}

TEST_CASE_METHOD(Contract, "a volume grows, never shrinks, and not beyond the room there is",
                 "[lvm contract]") {
  make(linear("pvc-1", 2 * kExtent));
  REQUIRE(lvm.extend(named("pvc-1"), 3 * kExtent - 1, kAmple).has_value());
  CHECK(volume("pvc-1").size_bytes == 3 * kExtent);
  REQUIRE(lvm.extend(named("pvc-1"), 3 * kExtent, kAmple).has_value());
  REQUIRE(lvm.extend(named("pvc-1"), kExtent, kAmple).has_value());
  CHECK(volume("pvc-1").size_bytes == 3 * kExtent);
  refuses(lvm.extend(named("pvc-1"), 200 * kExtent, kAmple), Code::kResourceExhausted);
  CHECK(volume("pvc-1").size_bytes == 3 * kExtent);
}

TEST_CASE_METHOD(InEverySetting, "a volume grows by another's very extents", "[lvm contract]") {
  make(linear("pvc-1", 2 * kExtent));
  make(linear("between", kExtent));
  make(linear("part", 3 * kExtent));
  make(linear("behind", kExtent));
  const std::uint64_t free = free_extents();
  REQUIRE(lvm.join(named("pvc-1"), "part", kAmple).has_value());
  CHECK(volume("pvc-1").size_bytes == 5 * kExtent);
  CHECK_FALSE(there("part"));
  CHECK(free_extents() == free);
  refuses(lvm.join(named("pvc-1"), "part", kAmple), Code::kNotFound);
  refuses(lvm.join(named("nowhere"), "behind", kAmple), Code::kNotFound);
  refuses(lvm.join(named("pvc-1"), "a b", kAmple), Code::kInvalidArgument);
  set_open("behind", true);
  refuses(lvm.join(named("pvc-1"), "behind", kAmple), Code::kFailedPrecondition);
  set_open("behind", false);
  CHECK(volume("pvc-1").size_bytes == 5 * kExtent);
}

TEST_CASE_METHOD(Contract, "a striped volume grows by another's extents on each of its disks",
                 "[lvm contract]") {
  for (const char* name : {"pvc-1", "part"}) {
    NewVolume wanted = linear(name, 4 * kExtent);
    wanted.stripes = 2;
    make(wanted);
  }
  REQUIRE(lvm.join(named("pvc-1"), "part", kAmple).has_value());
  CHECK(volume("pvc-1").size_bytes == 8 * kExtent);
  CHECK(volume("pvc-1").stripes == 2);
}

TEST_CASE_METHOD(InEverySetting, "a volume in use is neither deactivated nor removed", "[lvm contract]") {
  make(linear("pvc-1", kExtent));
  set_open("pvc-1", true);
  CHECK(volume("pvc-1").open);
  refuses(lvm.deactivate(named("pvc-1"), kAmple), Code::kFailedPrecondition);
  refuses(lvm.remove(named("pvc-1"), kAmple), Code::kFailedPrecondition);
  CHECK(there("pvc-1"));
  set_open("pvc-1", false);
  for (int i = 0; i < 2; ++i) REQUIRE(lvm.deactivate(named("pvc-1"), kAmple).has_value());
  CHECK_FALSE(volume("pvc-1").active);
  for (int i = 0; i < 2; ++i) REQUIRE(lvm.activate(named("pvc-1"), kAmple).has_value());
  CHECK(volume("pvc-1").active);
}

TEST_CASE_METHOD(InEverySetting,
                 "many volumes are activated at once, and one that is not there holds up none",
                 "[lvm contract]") {
  for (const char* name : {"pvc-1", "pvc-2"}) {
    make(linear(name, kExtent));
    REQUIRE(lvm.deactivate(named(name), kAmple).has_value());
  }
  REQUIRE(lvm.activate_all({}, kAmple).has_value());
  refuses(lvm.activate_all({named("pvc-1"), named("gone"), named("pvc-2")}, kAmple), Code::kNotFound);
  CHECK(volume("pvc-1").active);
  CHECK(volume("pvc-2").active);
  REQUIRE(lvm.activate_all({named("pvc-1"), named("pvc-2")}, kAmple).has_value());
}

TEST_CASE_METHOD(InEverySetting, "one volume is told by itself as among all others", "[lvm contract]") {
  NewVolume wanted = striped("pvc-1", 4 * kExtent, 2);
  wanted.tags = {"csi.state=ready", "csi.fs=new"};
  make(wanted);
  make(linear("pvc-2", kExtent));
  set_open("pvc-1", true);
  const LogicalVolume alone = lvm.look_at(named("pvc-1"), kAmple).value();
  const LogicalVolume among = volume("pvc-1");
  CHECK(alone.name == "pvc-1");
  CHECK(alone.uuid == among.uuid);
  CHECK(alone.layout == Layout::kStriped);
  CHECK(alone.stripes == 2);
  CHECK(alone.size_bytes == among.size_bytes);
  CHECK(alone.tags == among.tags);
  CHECK(alone.active);
  CHECK(alone.open);
  CHECK(alone.minor == among.minor);
  CHECK_FALSE(lvm.look_at(named("pvc-2"), kAmple)->open);
  for (const VolumeName& gone : {named("pvc-3"), VolumeName{"nowhere", "pvc-1"}}) {
    const auto found = lvm.look_at(gone, kAmple);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Code::kNotFound);
  }
}

TEST_CASE_METHOD(Contract, "a volume is removed once, and its room is free again", "[lvm contract]") {
  make(striped("pvc-1", 6 * kExtent, 2));
  for (int i = 0; i < 2; ++i) REQUIRE(lvm.remove(named("pvc-1"), kAmple).has_value());
  CHECK_FALSE(there("pvc-1"));
  CHECK(free_extents() == 2 * kExtentsOfDisk);
}

TEST_CASE_METHOD(Contract, "a volume with a snapshot is not removed, for the snapshot would go with it",
                 "[lvm contract]") {
  make(linear("pvc-1", 4 * kExtent));
  REQUIRE(lvm.create_snapshot(snapshot("pvc-1", "snap-1", 2 * kExtent), kAmple).has_value());
  CHECK(volume("snap-1").origin == "pvc-1");
  refuses(lvm.create_snapshot(snapshot("pvc-1", "snap-1", 2 * kExtent), kAmple), Code::kAlreadyExists);
  refuses(lvm.create_snapshot(snapshot("pvc-2", "snap-2", 2 * kExtent), kAmple), Code::kNotFound);
  refuses(lvm.remove(named("pvc-1"), kAmple), Code::kFailedPrecondition);
  CHECK(there("snap-1"));
  REQUIRE(lvm.remove(named("snap-1"), kAmple).has_value());
  REQUIRE(lvm.remove(named("pvc-1"), kAmple).has_value());
}

TEST_CASE_METHOD(Contract, "a group bears tags of its own", "[lvm contract]") {
  const auto tags = [this] { return now().group(kContractGroup)->tags; };
  const std::vector<std::string> added{"csi.spare=pool0:4194304:8b1f", "rack=7"};
  for (int i = 0; i < 2; ++i) REQUIRE(lvm.change_group_tags(kContractGroup, {}, added, kAmple).has_value());
  CHECK(tags() == added);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(lvm.change_group_tags(kContractGroup, {added[0]}, {}, kAmple).has_value());
  }
  CHECK(tags() == std::vector<std::string>{"rack=7"});
  REQUIRE(lvm.change_group_tags(kContractGroup, {"rack=7"}, {"rack=8"}, kAmple).has_value());
  CHECK(tags() == std::vector<std::string>{"rack=8"});
  REQUIRE(lvm.change_group_tags(kContractGroup, tags(), {}, kAmple).has_value());
  refuses(lvm.change_group_tags("nowhere", {}, {"rack=7"}, kAmple), Code::kNotFound);
  refuses(lvm.change_group_tags(kContractGroup, {}, {"two words"}, kAmple), Code::kInvalidArgument);
}

TEST_CASE_METHOD(Contract, "thin volumes share a pool, and a snapshot of one outlives it", "[lvm contract]") {
  refuses(lvm.create(thin("pvc-1", 100 * kExtent, "pool0"), kAmple), Code::kNotFound);
  REQUIRE(lvm.create_pool(pool("pool0", 20 * kExtent), kAmple).has_value());
  refuses(lvm.create_pool(pool("pool0", 20 * kExtent), kAmple), Code::kAlreadyExists);
  refuses(lvm.create_pool(pool("pool1", 500 * kExtent), kAmple), Code::kResourceExhausted);
  CHECK(volume("pool0").layout == Layout::kThinPool);
  CHECK(volume("pool0").has_tag("csi.pool=made"));
  CHECK(volume("pool0").zeroes);
  CHECK(volume("pool0").data_percent.has_value());
  CHECK(volume("pool0").metadata_percent.has_value());
  const std::uint64_t free = free_extents();
  make(thin("pvc-1", 100 * kExtent, "pool0"));
  CHECK(free_extents() == free);
  CHECK(volume("pvc-1").layout == Layout::kThin);
  CHECK(volume("pvc-1").pool == "pool0");
  CHECK(volume("pvc-1").size_bytes == 100 * kExtent);
  REQUIRE(lvm.create_snapshot(snapshot("pvc-1", "snap-1", 0), kAmple).has_value());
  refuses(lvm.remove(named("pool0"), kAmple), Code::kFailedPrecondition);
  REQUIRE(lvm.remove(named("pvc-1"), kAmple).has_value());
  REQUIRE(lvm.activate(named("snap-1"), kAmple).has_value());
  CHECK(volume("snap-1").active);
  REQUIRE(lvm.extend(named("snap-1"), 150 * kExtent, kAmple).has_value());
  CHECK(volume("snap-1").size_bytes == 150 * kExtent);
}

TEST_CASE_METHOD(InEverySetting, "a group is made of blank disks, and takes more of them, each once",
                 "[lvm groups]") {
  const std::vector<std::string> disks = spare_disks();
  const auto disks_of_group = [this] { return now().group(kSpareGroup)->disks.size(); };
  refuses(lvm.create_group({kSpareGroup, {"/dev/nowhere"}}, kAmple), Code::kFailedPrecondition);
  refuses(lvm.extend_group({kSpareGroup, {disks[0]}}, kAmple), Code::kNotFound);
  REQUIRE(lvm.create_group({kSpareGroup, {disks[0]}}, kAmple).has_value());
  CHECK(disks_of_group() == 1);
  refuses(lvm.create_group({kSpareGroup, {disks[1]}}, kAmple), Code::kAlreadyExists);
  const std::string taken = now().group(kContractGroup)->disks[0].device;
  refuses(lvm.extend_group({kSpareGroup, {taken}}, kAmple), Code::kFailedPrecondition);
  for (int i = 0; i < 2; ++i) REQUIRE(lvm.extend_group({kSpareGroup, {disks[1]}}, kAmple).has_value());
  CHECK(disks_of_group() == 2);
  CHECK(now().group(kContractGroup)->disks.size() == 2);
}

TEST_CASE_METHOD(Contract, "the host's groups are seen beside ours", "[lvm groups]") {
  const Inventory around = lvm.look_around(kAmple).value();
  REQUIRE(around.group(kContractGroup) != nullptr);
  CHECK(around.group(kContractGroup)->disks.size() == 2);
}

TEST_CASE_METHOD(Contract, "names and paths that LVM would not take are refused for groups too",
                 "[lvm groups]") {
  refuses(lvm.create_group({"a b", spare_disks()}, kAmple), Code::kInvalidArgument);
  refuses(lvm.extend_group({kContractGroup, {"--yes"}}, kAmple), Code::kInvalidArgument);
}

TEST_CASE_METHOD(Contract, "a pool grows by data and by metadata, as far as there is room",
                 "[lvm contract]") {
  REQUIRE(lvm.create_pool(pool("pool0", 20 * kExtent), kAmple).has_value());
  const std::uint64_t metadata = volume("pool0").metadata_bytes;
  REQUIRE(metadata > 0);
  const std::uint64_t free = free_extents();
  for (int i = 0; i < 2; ++i) REQUIRE(lvm.extend(named("pool0"), 30 * kExtent, kAmple).has_value());
  CHECK(volume("pool0").size_bytes == 30 * kExtent);
  CHECK(free_extents() == free - 10);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(lvm.extend_metadata(named("pool0"), metadata + 2 * kExtent, kAmple).has_value());
  }
  CHECK(volume("pool0").metadata_bytes == metadata + 2 * kExtent);
  CHECK(free_extents() == free - 14);
  refuses(lvm.extend(named("pool0"), 500 * kExtent, kAmple), Code::kResourceExhausted);
  refuses(lvm.extend_metadata(named("pool0"), 500 * kExtent, kAmple), Code::kResourceExhausted);
  refuses(lvm.extend_metadata(named("pool1"), 500 * kExtent, kAmple), Code::kNotFound);
  make(linear("pvc-1", kExtent));
  refuses(lvm.extend_metadata(named("pvc-1"), 2 * kExtent, kAmple), Code::kNotFound);
}

TEST_CASE_METHOD(Contract,
                 "a volume with a thick snapshot grows no more, and the snapshot by room for changes",
                 "[lvm contract]") {
  make(linear("pvc-1", 4 * kExtent));
  REQUIRE(lvm.create_snapshot(snapshot("pvc-1", "snap-1", kExtent), kAmple).has_value());
  CHECK_FALSE(volume("snap-1").lost);
  refuses(lvm.create_snapshot(snapshot("snap-1", "snap-2", kExtent), kAmple), Code::kFailedPrecondition);
  refuses(lvm.extend(named("pvc-1"), 6 * kExtent, kAmple), Code::kFailedPrecondition);
  REQUIRE(lvm.extend(named("snap-1"), 2 * kExtent, kAmple).has_value());
  CHECK(volume("snap-1").size_bytes == 2 * kExtent);
  REQUIRE(lvm.remove(named("snap-1"), kAmple).has_value());
  REQUIRE(lvm.extend(named("pvc-1"), 6 * kExtent, kAmple).has_value());
}

}  // namespace
}  // namespace holdfast::lvm::test
