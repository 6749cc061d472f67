#include <map>
#include <optional>
#include <string>
#include <thread>

#include "csi-lvm/volumes/content_copy.h"
#include "csi-lvm/volumes/pool_spare.h"
#include "csi-lvm/volumes/volume_tags.h"
#include "test/block/fake_block_device.h"
#include "test/catch.h"
#include "test/csi-lvm/volumes/fake_node.h"

// Volumes with the content of others, and pools that fill.
namespace holdfast::lvm {
namespace {

using holdfast::test::FakeBlockDevice;
using test::CutOff;
using test::kExtent;
using test::kMiB;
using test::kNow;
using test::Node;

const ContentSource kPvc1{.id = "pvc-1", .snapshot = false};
const ContentSource kSnap1{.id = "snap-1", .snapshot = true};
constexpr const char* kUuid = "formatted:6b2c0e5e-3a4b-4d7e-9a43-0f5f3d5a6a11";

bool never() { return false; }

// What is read of the device, block by block: the first byte of each that has one, else '.'.
std::string shown(FakeBlockDevice& device, std::uint64_t from, std::uint64_t to) {
  block::AlignedBuffer buffer(block::kAlignment);
  std::string text;
  for (std::uint64_t at = from; at < to; at += block::kAlignment) {
    REQUIRE(device.read(at, buffer.span()).has_value());
    const auto first = static_cast<char>(buffer.span()[0]);
    text += first == '\0' ? '.' : first;
  }
  return text;
}

TEST_CASE("a copy reads as its source does, and behind that as zeros", "[lvm content]") {
  for (const bool target_is_zero : {false, true}) {
    DYNAMIC_SECTION((target_is_zero ? "a thin target" : "a target with an earlier tenant's data")) {
      FakeBlockDevice source(12 * kMiB);
      FakeBlockDevice target(20 * kMiB);
      source.put(0, "a");
      source.put(9 * kMiB, "b");
      for (std::uint64_t at = 0; !target_is_zero && at < 20 * kMiB; at += kMiB) target.put(at, "x");
      const auto copied = copy_content(source, target, target_is_zero, 0, never);
      REQUIRE(copied.has_value());
      CHECK(copied->done);
      CHECK(target.flushed());
      CHECK(shown(target, 0, 12 * kMiB) == shown(source, 0, 12 * kMiB));
      CHECK(shown(target, 12 * kMiB, 20 * kMiB).find_first_not_of('.') == std::string::npos);
      CHECK(target.written_bytes == 8 * kMiB);
    }
  }
}

TEST_CASE("a copy that is cut off goes on where it was, and reads nothing twice", "[lvm content]") {
  FakeBlockDevice source(16 * kMiB);
  FakeBlockDevice target(16 * kMiB);
  int reads = 0;
  source.before_read = [&reads] { ++reads; };
  for (std::uint64_t at = 0; at < 16 * kMiB; at += kMiB) source.put(at, "a");
  CopyProgress progress;
  int calls = 0;
  for (; !progress.done; ++calls) {
    progress = copy_content(source, target, false, progress.next, [] { return true; }).value();
  }
  CHECK(calls == 4);
  CHECK(reads == 4);
  CHECK(shown(target, 0, 16 * kMiB) == shown(source, 0, 16 * kMiB));
}

TEST_CASE("a copy that cannot be is told by device and place", "[lvm content]") {
  FakeBlockDevice source(16 * kMiB);
  FakeBlockDevice small(12 * kMiB);
  CHECK(copy_content(source, small, false, 0, never).error().code == Code::kOutOfRange);
  FakeBlockDevice target(16 * kMiB);
  source.bad[8 * kMiB] = EIO;
  CHECK(copy_content(source, target, false, 0, never).error().code == Code::kDataLoss);
}

// "pvc-1" of 40 MiB, formatted, with the snapshot "snap-1"; in the pool "pool0" if it is thin.
struct Source : Node {
  explicit Source(bool thin = false) {
    if (thin) in_pool = {{"thinPool", "pool0"}, {"thinPoolSize", "200Mi"}};
    VolumeRequest first = request("pvc-1", 40 * kMiB);
    first.parameters = parameters(in_pool);
    REQUIRE(volumes.create(first, kNow).has_value());
    REQUIRE(lvm.change_tags({"vg", "pvc-1"}, {"csi.fs=new"}, {tag(kContentTag, kUuid)}, kNow).has_value());
    REQUIRE(volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow).has_value());
    free_before = free_extents();
  }
  VolumeRequest copy_of(const ContentSource& source, std::uint64_t bytes = 40 * kMiB) const {
    VolumeRequest wanted = request("pvc-2", bytes);
    wanted.parameters = parameters(in_pool);
    wanted.source = source;
    return wanted;
  }
  // No snapshot but snap-1, and no room that is taken for one.
  void nothing_temporary(std::uint64_t extents_of_copy) {
    CHECK(free_extents() == free_before - extents_of_copy);
    state = lvm.look(kNow).value();
    for (const LogicalVolume& each : state.group("vg")->volumes) {
      INFO(each.name);
      CHECK(each.tag_value(kForTag).empty());
    }
  }
  std::map<std::string, std::string> in_pool;
  std::uint64_t free_before = 0;
};
struct ThinSource : Source {
  ThinSource() : Source(true) {}
};

TEST_CASE_METHOD(Source, "a restored volume is copied from its snapshot, and knows what is on it",
                 "[lvm content]") {
  const LocalVolume made = volumes.create(copy_of(kSnap1, 48 * kMiB), kNow).value();
  CHECK(made.size_bytes == 48 * kMiB);
  CHECK(made.source == "snap-1");
  CHECK(made.from_snapshot);
  REQUIRE(copier.orders.size() == 1);
  CHECK(copier.orders[0].source == VolumeName{"vg", "snap-1"});
  CHECK(copier.orders[0].target == VolumeName{"vg", "pvc-2"});
  CHECK_FALSE(copier.orders[0].target_is_zero);
  const LogicalVolume there = *volume("pvc-2");
  CHECK(there.tag_value(kStateTag) == kReady);
  CHECK(there.tag_value(kContentTag) == kUuid);
  CHECK(there.tag_value(kFillTag).empty());
  nothing_temporary(12);
  CHECK(volumes.create(copy_of(kSnap1, 48 * kMiB), kNow)->size_bytes == 48 * kMiB);
  CHECK(copier.orders.size() == 1);
}

TEST_CASE_METHOD(Source, "a clone is copied from a snapshot that goes with the copying", "[lvm content]") {
  const LocalVolume made = volumes.create(copy_of(kPvc1, 0), kNow).value();
  CHECK(made.size_bytes == 40 * kMiB);
  CHECK(made.source == "pvc-1");
  CHECK_FALSE(made.from_snapshot);
  CHECK(copier.orders.at(0).source.volume.starts_with("csi-copy-"));
  CHECK(volume("pvc-2")->tag_value(kContentTag) == kUuid);
  nothing_temporary(10);
}

TEST_CASE_METHOD(Source, "of a source that was never formatted nothing is promised", "[lvm content]") {
  REQUIRE(lvm.change_tags({"vg", "pvc-1"}, {tag(kContentTag, kUuid)}, {"csi.fs=new"}, kNow).has_value());
  REQUIRE(volumes.create(copy_of(kPvc1), kNow).has_value());
  CHECK(volume("pvc-2")->tag_value(kContentTag) == kMaybe);
}

TEST_CASE_METHOD(Source, "a copy under way is asked for again until it is done, and is nobody's till then",
                 "[lvm content]") {
  copier.fault = Error{.code = Code::kAborted, .sys_errno = 0, .message = "half of it"};
  for (int i = 0; i < 3; ++i) refuses(volumes.create(copy_of(kPvc1), kNow), Code::kAborted);
  CHECK(volumes.find("pvc-2", kNow).error().code == Code::kNotFound);
  CHECK(volumes.list(kNow)->size() == 2);
  CHECK(copier.orders.at(0).key == copier.orders.at(2).key);
  copier.fault.reset();
  REQUIRE(volumes.create(copy_of(kPvc1), kNow).has_value());
  nothing_temporary(10);
}

TEST_CASE_METHOD(Source, "a copy that is given up leaves nothing, nor does one that a start finds",
                 "[lvm content]") {
  for (const bool restart : {false, true}) {
    copier.fault = Error{.code = Code::kAborted, .sys_errno = 0, .message = "half of it"};
    refuses(volumes.create(copy_of(kPvc1), kNow), Code::kAborted);
    if (restart) {
      REQUIRE(volumes.recover(kNow).has_value());
    } else {
      REQUIRE(volumes.remove("pvc-2", kNow).has_value());
    }
    CHECK(volume("pvc-2") == nullptr);
    CHECK(volume("pvc-1") != nullptr);
    nothing_temporary(0);
  }
}

TEST_CASE_METHOD(Source, "more changed than the temporary snapshot had room for: the copy begins anew",
                 "[lvm content]") {
  copier.fault = Error{.code = Code::kDataLoss, .sys_errno = EIO, .message = "read"};
  refuses(volumes.create(copy_of(kPvc1), kNow), Code::kAborted);
  const std::string temporary = copier.orders.at(0).source.volume;
  lvm.change({"vg", temporary}, [](LogicalVolume& snapshot) { snapshot.lost = true; });
  copier.fault.reset();
  REQUIRE(volumes.create(copy_of(kPvc1), kNow).has_value());
  nothing_temporary(10);
}

TEST_CASE_METHOD(Source, "a copy whose source is gone or lost is taken back", "[lvm content]") {
  copier.fault = Error{.code = Code::kAborted, .sys_errno = 0, .message = "half of it"};
  refuses(volumes.create(copy_of(kSnap1), kNow), Code::kAborted);
  lvm.change({"vg", "snap-1"}, [](LogicalVolume& snapshot) { snapshot.lost = true; });
  refuses(volumes.create(copy_of(kSnap1), kNow), Code::kFailedPrecondition);
  CHECK(volume("pvc-2") == nullptr);
  refuses(volumes.create(copy_of(kSnap1), kNow), Code::kFailedPrecondition);
  REQUIRE(volumes.remove_snapshot("snap-1", kNow).has_value());
  refuses(volumes.create(copy_of(kSnap1), kNow), Code::kNotFound);
  CHECK(volume("pvc-2") == nullptr);
}

TEST_CASE_METHOD(Source, "no room for a temporary snapshot leaves no volume behind", "[lvm content]") {
  REQUIRE(volumes.create(request("large", (free_before - 11) * kExtent), kNow).has_value());
  refuses(volumes.create(copy_of(kPvc1), kNow), Code::kResourceExhausted);
  CHECK(volume("pvc-2") == nullptr);
  CHECK(free_extents() == 11);
}

TEST_CASE_METHOD(Source, "what cannot be a source, or is not the same copy, is told apart", "[lvm content]") {
  refuses(volumes.create(copy_of({.id = "snap-1", .snapshot = false}), kNow), Code::kInvalidArgument);
  refuses(volumes.create(copy_of({.id = "pvc-1", .snapshot = true}), kNow), Code::kInvalidArgument);
  refuses(volumes.create(copy_of({.id = "pvc-9", .snapshot = false}), kNow), Code::kNotFound);
  refuses(volumes.create(copy_of(kPvc1, 39 * kMiB), kNow), Code::kOutOfRange);
  VolumeRequest bounded = copy_of(kPvc1, 0);
  bounded.limit_bytes = 39 * kMiB;
  refuses(volumes.create(bounded, kNow), Code::kOutOfRange);
  // Between its files a file system hides what an earlier tenant left.
  VolumeRequest raw = copy_of(kSnap1);
  raw.block = true;
  refuses(volumes.create(raw, kNow), Code::kInvalidArgument);
  VolumeRequest encrypted = copy_of(kSnap1);
  encrypted.parameters.encrypted = true;
  refuses(volumes.create(encrypted, kNow), Code::kInvalidArgument);
  CHECK(volume("pvc-2") == nullptr);
  REQUIRE(volumes.create(copy_of(kPvc1), kNow).has_value());
  refuses(volumes.create(copy_of(kSnap1), kNow), Code::kAlreadyExists);
  refuses(volumes.create(request("pvc-2", 40 * kMiB), kNow), Code::kAlreadyExists);
}

TEST_CASE("a copy that is cut off anywhere is finished by asking again, or leaves nothing after a start",
          "[lvm content]") {
  for (const bool thin : {false, true}) {
    for (int at = 1; at <= (thin ? 3 : 4); ++at) {
      for (const bool done : {false, true}) {
        for (const bool restart : {false, true}) {
          DYNAMIC_SECTION((thin ? "thin" : "thick") << ", change " << at << (done ? " done" : " not done")
                                                    << (restart ? ", start" : ", again")) {
            Source node(thin);
            CutOff cut;
            cut.arm(node.lvm, at, done, Code::kAborted);
            node.refuses(node.volumes.create(node.copy_of(kPvc1, 48 * kMiB), kNow), Code::kAborted);
            CutOff::disarm(node.lvm);
            if (restart) {
              REQUIRE(node.volumes.recover(kNow).has_value());
              const LogicalVolume* left = node.volume("pvc-2");
              CHECK((left == nullptr || left->tag_value(kStateTag) == kReady));
            }
            CHECK(node.volumes.create(node.copy_of(kPvc1, 48 * kMiB), kNow)->size_bytes == 48 * kMiB);
            CHECK(node.volume("pvc-2")->size_bytes == 48 * kMiB);
            CHECK(node.volume("pvc-2")->tag_value(kContentTag) == kUuid);
            CHECK(node.copier.orders.empty() == thin);
            node.nothing_temporary(thin ? 0 : 12);
          }
        }
      }
    }
  }
}

TEST_CASE_METHOD(ThinSource, "within a pool a copy is a snapshot: nothing is copied, and it stands alone",
                 "[lvm content]") {
  for (const ContentSource& source : {kPvc1, kSnap1}) {
    REQUIRE(volumes.create(copy_of(source, 48 * kMiB), kNow).has_value());
    CHECK(copier.orders.empty());
    CHECK(volume("pvc-2")->pool == "pool0");
    CHECK(volume("pvc-2")->size_bytes == 48 * kMiB);
    CHECK(volume("pvc-2")->tag_value(kContentTag) == kUuid);
    CHECK_FALSE(volumes.find("pvc-2", kNow)->is_snapshot());
    REQUIRE(volumes.remove("pvc-2", kNow).has_value());
  }
  REQUIRE(volumes.create(copy_of(kPvc1), kNow).has_value());
  REQUIRE(volumes.remove_snapshot("snap-1", kNow).has_value());
  REQUIRE(volumes.remove("pvc-1", kNow).has_value());
  CHECK(volumes.find("pvc-2", kNow)->source == "pvc-1");
}

TEST_CASE_METHOD(ThinSource, "a thin raw volume is not wiped, as that would fill its pool", "[lvm content]") {
  VolumeRequest raw = request("raw", 40 * kMiB);
  raw.parameters = parameters(in_pool, true);
  raw.block = true;
  REQUIRE(volumes.create(raw, kNow).has_value());
  REQUIRE(volumes.remove("raw", kNow).has_value());
  CHECK(cleaner.done.empty());
}

TEST_CASE_METHOD(ThinSource, "a raw volume is not in a pool that gives what earlier volumes left",
                 "[lvm content]") {
  VolumeRequest raw = request("raw", 40 * kMiB);
  raw.parameters = parameters(in_pool, true);
  raw.block = true;
  REQUIRE(volumes.create(raw, kNow).has_value());
  CHECK_FALSE(volumes.find("raw", kNow)->files_only);
  lvm.change({"vg", "pool0"}, [](LogicalVolume& pool) { pool.zeroes = false; });
  CHECK(volumes.find("raw", kNow)->files_only);  // it was turned off since
  raw.name = "raw-2";
  const auto refused = volumes.create(raw, kNow);
  refuses(refused, Code::kFailedPrecondition);
  CHECK(refused.error().message.find("lvchange --zero y vg/pool0") != std::string::npos);
  // Nor is a thick one made from what such a volume shows.
  raw.parameters = parameters({}, true);
  raw.source = ContentSource{.id = "raw", .snapshot = false};
  refuses(volumes.create(raw, kNow), Code::kFailedPrecondition);
  CHECK(volume("raw-2") == nullptr);
  // A file system writes what it shows, and of a copy all is written.
  VolumeRequest files = request("pvc-8", 40 * kMiB);
  files.parameters = parameters(in_pool);
  REQUIRE(volumes.create(files, kNow).has_value());
  VolumeRequest thick = copy_of(kPvc1);
  thick.parameters = parameters();
  REQUIRE(volumes.create(thick, kNow).has_value());
  VolumeRequest back = copy_of({.id = "pvc-2", .snapshot = false});
  back.name = "pvc-3";
  REQUIRE(volumes.create(back, kNow).has_value());
  CHECK_FALSE(copier.orders.at(1).target_is_zero);
}

TEST_CASE_METHOD(Source, "a raw volume is made from a raw one, or from a snapshot of that", "[lvm content]") {
  VolumeRequest raw = request("raw", 40 * kMiB);
  raw.parameters = parameters({}, true);
  raw.block = true;
  REQUIRE(volumes.create(raw, kNow).has_value());
  REQUIRE(volumes.snapshot("snap-2", "raw", SnapshotRoom{}, kNow).has_value());
  raw.name = "raw-2";
  raw.source = ContentSource{.id = "snap-2", .snapshot = true};
  REQUIRE(volumes.create(raw, kNow).has_value());
  CHECK(volume("raw-2")->tag_value(kModeTag) == kBlock);
}

TEST_CASE_METHOD(ThinSource, "out of its pool a thin volume is copied, zeros left out where they are already",
                 "[lvm content]") {
  VolumeRequest thick = copy_of(kPvc1);
  thick.parameters = parameters();
  REQUIRE(volumes.create(thick, kNow).has_value());
  CHECK_FALSE(copier.orders.at(0).target_is_zero);
  CHECK(volume("pvc-2")->layout == Layout::kLinear);
  nothing_temporary(10);
  VolumeRequest other = copy_of({.id = "pvc-2", .snapshot = false});
  other.name = "pvc-3";
  REQUIRE(volumes.create(other, kNow).has_value());
  CHECK(copier.orders.at(1).target_is_zero);
  nothing_temporary(10);
}

TEST_CASE_METHOD(Node, "a pool is made when it is first asked for, if it is said how large", "[lvm pools]") {
  VolumeRequest wanted = request("pvc-1", 40 * kMiB);
  wanted.parameters = parameters({{"thinPool", "pool0"}});
  refuses(volumes.create(wanted, kNow), Code::kNotFound);
  CHECK_FALSE(book.has_pools());
  wanted.parameters = parameters({{"thinPool", "pool0"}, {"thinPoolSize", "1Gi"}});
  refuses(volumes.create(wanted, kNow), Code::kResourceExhausted);
  CHECK(volume("pool0") == nullptr);
  wanted.parameters = parameters({{"thinPool", "pool0"}, {"thinPoolSize", "200Mi"}});
  REQUIRE(volumes.create(wanted, kNow).has_value());
  CHECK(volume("pool0")->size_bytes == 200 * kMiB);
  CHECK(book.has_pools());
  wanted.name = "pvc-2";
  REQUIRE(volumes.create(wanted, kNow).has_value());
  CHECK(volume("pvc-2")->pool == "pool0");
  // The pool itself is nobody's volume.
  CHECK(volumes.find("pool0", kNow).error().code == Code::kNotFound);
  REQUIRE(volumes.remove("pool0", kNow).has_value());
  CHECK(volume("pool0") != nullptr);
}

// LVM, killed while it makes a pool, leaves it in one of several forms, and what was to be its spare: that
// alone at first.
TEST_CASE("a pool whose making was cut off is made anew, and goes after a start", "[lvm pools]") {
  enum class Left { kNothing, kPlain, kPool };
  const bool starts = GENERATE(false, true);
  const bool spare = GENERATE(false, true);
  const Left left = GENERATE(Left::kNothing, Left::kPlain, Left::kPool);
  CAPTURE(starts, spare, static_cast<int>(left));
  Node node;
  VolumeRequest wanted = Node::request("pvc-1", 40 * kMiB);
  wanted.parameters = Node::parameters({{"thinPool", "pool0"}, {"thinPoolSize", "200Mi"}});
  auto& killed = left == Left::kNothing ? node.lvm.before : node.lvm.after;
  killed = [](std::string_view verb, const VolumeName&) {
    return verb == "create_pool" ? Status(fail(Code::kAborted, "killed")) : Status{};
  };
  node.refuses(node.volumes.create(wanted, kNow), Code::kAborted);
  killed = nullptr;
  if (left != Left::kNothing) {
    node.lvm.change({"vg", "pool0"}, [left](LogicalVolume& pool) {
      pool.active = false;
      pool.data_percent = pool.metadata_percent = std::nullopt;
      if (left == Left::kPlain) pool.layout = Layout::kLinear;
    });
  }
  if (spare) {
    REQUIRE(node.lvm.create({.name = {"vg", "lvol0"}, .size_bytes = kExtent, .pool = {}, .tags = {}}, kNow)
                .has_value());
  }
  CHECK(node.volumes.find("pool0", kNow).error().code == Code::kNotFound);
  if (starts) {
    REQUIRE(node.volumes.recover(kNow).has_value());
    CHECK(node.free_extents() == 200);
    CHECK(node.tags_of_group().empty());
  }
  REQUIRE(node.volumes.create(wanted, kNow).has_value());
  CHECK(node.volume("lvol0") == nullptr);
  CHECK(node.tags_of_group().empty());
  CHECK(node.volume("pool0")->tags == std::vector<std::string>{"csi.pool=made", "csi.cluster=cluster-1"});
  CHECK(node.free_extents() == 148);
}

// The program, killed before it has taken its mark from the group: nothing beside the pool is of its making.
TEST_CASE_METHOD(Node, "beside a pool that is whole a volume that LVM has named is somebody's",
                 "[lvm pools]") {
  VolumeRequest wanted = request("pvc-1", 40 * kMiB);
  wanted.parameters = parameters({{"thinPool", "pool0"}, {"thinPoolSize", "200Mi"}});
  const bool starts = GENERATE(false, true);
  int changes = 0;
  lvm.before = [&changes](std::string_view verb, const VolumeName&) {
    const bool second = verb == "change_group_tags" && ++changes == 2;
    return second ? Status(fail(Code::kAborted, "killed")) : Status{};
  };
  refuses(volumes.create(wanted, kNow), Code::kAborted);
  lvm.before = nullptr;
  REQUIRE(tags_of_group() == std::vector<std::string>{"csi.spare=pool0:4194304:cluster-1"});
  REQUIRE(lvm.create({.name = {"vg", "lvol0"}, .size_bytes = kExtent, .pool = {}, .tags = {}}, kNow));
  if (starts) REQUIRE(volumes.recover(kNow).has_value());
  REQUIRE(volumes.create(wanted, kNow).has_value());
  CHECK(volume("lvol0") != nullptr);
  CHECK(tags_of_group().empty());
}

TEST_CASE_METHOD(Node, "a pool that is refused leaves no mark on its group", "[lvm pools]") {
  VolumeRequest wanted = request("pvc-1", 40 * kMiB);
  wanted.parameters = parameters({{"thinPool", "pool0"}, {"thinPoolSize", "200Mi"}});
  lvm.before = [](std::string_view verb, const VolumeName&) {
    return verb == "create_pool" ? Status(fail(Code::kResourceExhausted, "no room")) : Status{};
  };
  refuses(volumes.create(wanted, kNow), Code::kResourceExhausted);
  CHECK(tags_of_group().empty());
}

TEST_CASE("a group's tag tells of a pool that is being made, or of nothing", "[lvm pools]") {
  struct Case {
    const char* text;
    bool told;
  };
  const Case cases[] = {
      {"csi.spare=pool0:4194304:", true},
      {"csi.spare=pool0:4194304:other", false},
      {"csi.spare=pool0:4194304:a:b", false},
      {"csi.spare=pool0:4194304", true},
      {"csi.spare=pool0", false},
      {"csi.spare=pool0:", false},
      {"csi.spare=pool0:-1:", false},
      {"csi.spare=pool0:4194304x:", false},
      {"csi.spare=pool0:99999999999999999999999:", false},
      {"csi.spare=:4194304:", false},
      {"csi.spare=../pool0:4194304:", false},
      {"csi.spare=pool0_tdata:4194304:", false},
      {"csi.spare", false},
      {"csi.spares=pool0:4194304:", false},
      {"", false},
  };
  for (const Case& each : cases) {
    DYNAMIC_SECTION("'" << each.text << "'") {
      VolumeGroup group;
      group.tags = {"rack=7", each.text};
      const auto found = begun_spares(group, "");
      CHECK(found.size() == (each.told ? 1 : 0));
      if (each.told) CHECK(found.at(0) == PoolSpare{.pool = "pool0", .most_bytes = 4194304, .cluster = ""});
    }
  }
  const PoolSpare spare{.pool = "pool-0", .most_bytes = 8, .cluster = "8b1f:x"};
  VolumeGroup group;
  group.tags = {spare_tag(spare)};
  CHECK(begun_spares(group, "8b1f:x") == std::vector<PoolSpare>{spare});
}

TEST_CASE_METHOD(Node, "a volume that LVM has named for somebody else is no spare of a pool", "[lvm pools]") {
  const auto of_theirs = [this](const std::string& name, std::uint64_t bytes) {
    REQUIRE(
        lvm.create({.name = {"vg", name}, .size_bytes = bytes, .pool = {}, .tags = {}}, kNow).has_value());
  };
  VolumeRequest wanted = request("pvc-1", 40 * kMiB);
  wanted.parameters = parameters({{"thinPool", "pool0"}, {"thinPoolSize", "200Mi"}});
  lvm.after = [](std::string_view verb, const VolumeName&) {
    return verb == "create_pool" ? Status(fail(Code::kAborted, "killed")) : Status{};
  };
  SECTION("it was there before") {
    of_theirs("lvol7", kExtent);
    refuses(volumes.create(wanted, kNow), Code::kAborted);
    of_theirs("lvol0", kExtent);
  }
  SECTION("it is too large, in use or has a name") {
    refuses(volumes.create(wanted, kNow), Code::kAborted);
    lvm.after = nullptr;
    of_theirs("lvol0", 2 * kExtent);
    of_theirs("lvol7", kExtent);
    lvm.set_open({"vg", "lvol7"}, true);
    of_theirs("lvol", kExtent);
  }
  lvm.after = nullptr;
  REQUIRE(volumes.create(wanted, kNow).has_value());
  CHECK(volume("lvol0") != nullptr);
  CHECK(volume("lvol7") != nullptr);
}

TEST_CASE_METHOD(Node, "those who wait for a pool that is being made need no room for another",
                 "[lvm pools]") {
  const std::map<std::string, std::string> pool{{"thinPool", "pool0"}, {"thinPoolSize", "500Mi"}};
  VolumeRequest second = request("pvc-2", 40 * kMiB);
  second.parameters = parameters(pool);
  std::optional<Code> of_second;
  lvm.before = [&](std::string_view verb, const VolumeName&) -> Status {
    if (verb != "create_pool" || of_second) return {};
    // It gives up waiting. In a group that has no room for two pools that is no lack of room.
    std::thread([&] {
      const auto made = volumes.create(second, Lvm::Patience{10});
      if (!made) of_second = made.error().code;
    }).join();
    return {};
  };
  VolumeRequest wanted = request("pvc-1", 40 * kMiB);
  wanted.parameters = parameters(pool);
  REQUIRE(volumes.create(wanted, kNow).has_value());
  CHECK(of_second == Code::kAborted);
  REQUIRE(volumes.create(second, kNow).has_value());
}

TEST_CASE_METHOD(Node, "what is refused leaves no pool that was made for it", "[lvm pools]") {
  const std::map<std::string, std::string> pool{{"thinPool", "pool0"}, {"thinPoolSize", "40Mi"}};
  VolumeRequest wanted = request("pvc-1", 40 * kMiB);
  wanted.parameters = parameters(pool);
  SECTION("larger than the pool may pretend to be") {
    wanted.required_bytes = 81 * kMiB;
    refuses(volumes.create(wanted, kNow), Code::kResourceExhausted);
  }
  SECTION("no size of whole extents fits") {
    wanted.limit_bytes = wanted.required_bytes = 41 * kMiB;
    refuses(volumes.create(wanted, kNow), Code::kOutOfRange);
  }
  SECTION("too small for its file system") {
    wanted.parameters.fs_type = "xfs";
    refuses(volumes.create(wanted, kNow), Code::kOutOfRange);
  }
  SECTION("called as the pool") {
    wanted.name = "pool0";
    refuses(volumes.create(wanted, kNow), Code::kInvalidArgument);
  }
  SECTION("LVM makes no volume") {
    lvm.before = [](std::string_view verb, const VolumeName& name) {
      return verb == "create" && name.volume == "pvc-1" ? Status(fail(Code::kInternal, "no")) : Status{};
    };
    refuses(volumes.create(wanted, kNow), Code::kInternal);
  }
  lvm.before = nullptr;
  CHECK(volume("pool0") == nullptr);
  CHECK(free_extents() == 200);
}

TEST_CASE_METHOD(Node, "a pool that was made stays for a call that is to be made again", "[lvm pools]") {
  VolumeRequest wanted = request("pvc-1", 40 * kMiB);
  wanted.parameters = parameters({{"thinPool", "pool0"}, {"thinPoolSize", "40Mi"}});
  const auto fails = [this](Code code) {
    lvm.before = [code](std::string_view verb, const VolumeName& name) {
      return verb == "create" && name.volume == "pvc-1" ? Status(fail(code, "no")) : Status{};
    };
  };
  fails(Code::kUnavailable);
  refuses(volumes.create(wanted, kNow), Code::kUnavailable);
  CHECK(volume("pool0") != nullptr);
  // It was taken back by the call that had made it, after this one had seen it.
  fails(Code::kNotFound);
  refuses(volumes.create(wanted, kNow), Code::kAborted);
}

void fill(test::FakeLvm& lvm, double data, double metadata) {
  lvm.change({"vg", "pool0"}, [data, metadata](LogicalVolume& pool) {
    pool.data_percent = data;
    pool.metadata_percent = metadata;
  });
}

TEST_CASE_METHOD(ThinSource, "from its watermark on a pool takes nothing new, and its volumes say why",
                 "[lvm pools]") {
  CHECK(volumes.find("pvc-1", kNow)->ailments.empty());
  struct Case {
    const char* name;
    double data;
    double metadata;
  };
  for (const Case& c : {Case{"data", 90, 10}, Case{"metadata", 10, 80}}) {
    DYNAMIC_SECTION(c.name) {
      fill(lvm, c.data, c.metadata);
      refuses(volumes.create(copy_of(kPvc1), kNow), Code::kResourceExhausted);
      VolumeRequest plain = copy_of(kPvc1);
      plain.source.reset();
      refuses(volumes.create(plain, kNow), Code::kResourceExhausted);
      refuses(volumes.snapshot("snap-2", "pvc-1", SnapshotRoom{}, kNow), Code::kResourceExhausted);
      refuses(volumes.extend("pvc-1", 80 * kMiB, 0, kNow), Code::kResourceExhausted);
      const std::vector<LocalVolume> all = volumes.list(kNow).value();
      REQUIRE(all.size() == 2);
      REQUIRE(all[0].ailments.size() == 1);
      CHECK(all[0].ailments[0].reason == "PoolNearlyFull");
      fill(lvm, 10, 10);
      CHECK(volumes.find("pvc-1", kNow)->ailments.empty());
    }
  }
}

TEST_CASE_METHOD(ThinSource, "what ails a pool is told of its volumes", "[lvm pools]") {
  const std::map<std::string, std::pair<Ailment::Kind, std::string>> words{
      {"out_of_data", {Ailment::Kind::kInaccessible, "PoolFull"}},
      {"metadata_read_only", {Ailment::Kind::kInaccessible, "PoolReadOnly"}},
      {"failed", {Ailment::Kind::kDataLoss, "PoolFailed"}}};
  for (const auto& [word, told] : words) {
    lvm.change({"vg", "pool0"}, [&word = word](LogicalVolume& pool) { pool.health = word; });
    const LocalVolume found = volumes.find("pvc-1", kNow).value();
    REQUIRE(found.ailments.size() == 1);
    CHECK(found.ailments[0].kind == told.first);
    CHECK(found.ailments[0].reason == told.second);
  }
}

TEST_CASE_METHOD(ThinSource, "a pool that fills grows before its watermark, as far as there is room",
                 "[lvm pools]") {
  REQUIRE(volumes.tend(kNow).has_value());
  CHECK(volume("pool0")->size_bytes == 200 * kMiB);
  fill(lvm, 75, 10);
  REQUIRE(volumes.tend(kNow).has_value());
  CHECK(volume("pool0")->size_bytes == 240 * kMiB);
  const std::uint64_t metadata = volume("pool0")->metadata_bytes;
  fill(lvm, 10, 65);
  REQUIRE(volumes.tend(kNow).has_value());
  CHECK(volume("pool0")->metadata_bytes == metadata + kExtent);
  REQUIRE(volumes.create(request("large", (free_extents() - 3) * kExtent), kNow).has_value());
  fill(lvm, 80, 10);
  REQUIRE(volumes.tend(kNow).has_value());
  CHECK(volume("pool0")->size_bytes == 252 * kMiB);
  REQUIRE(volumes.tend(kNow).has_value());
  CHECK(volume("pool0")->size_bytes == 252 * kMiB);
}

TEST_CASE_METHOD(ThinSource, "what is spared is for pools to grow into, and only pools of ours do",
                 "[lvm pools]") {
  CapacityBook spared(PoolLimits{}, {{"vg", 100 * kExtent}});
  const ClusterUid ours("cluster-1");
  ThinPools pools(lvm, spared, PoolGrowth{}, ours);
  REQUIRE(volumes.create(request("large", (free_extents() - 50) * kExtent), kNow).has_value());
  fill(lvm, 80, 10);
  const ClusterUid another("cluster-2");
  ThinPools others(lvm, spared, PoolGrowth{}, another);
  REQUIRE(others.tend(kNow).has_value());
  CHECK(volume("pool0")->size_bytes == 200 * kMiB);
  REQUIRE(pools.tend(kNow).has_value());
  CHECK(volume("pool0")->size_bytes == 240 * kMiB);
}

TEST_CASE_METHOD(ThinSource, "a pool that is not active is activated, as it tells nothing", "[lvm pools]") {
  lvm.change({"vg", "pool0"}, [](LogicalVolume& pool) {
    pool.active = false;
    pool.data_percent.reset();
    pool.metadata_percent.reset();
  });
  CHECK(volumes.find("pvc-1", kNow)->ailments.empty());
  REQUIRE(volumes.tend(kNow).has_value());
  CHECK(volume("pool0")->active);
}

// As one is left when LVM's worker is killed while it activates the pool for its first volume.
TEST_CASE_METHOD(ThinSource, "a volume is made in a pool that is not active, and tells nothing",
                 "[lvm pools]") {
  lvm.change({"vg", "pool0"}, [](LogicalVolume& pool) {
    pool.active = false;
    pool.data_percent.reset();
    pool.metadata_percent.reset();
  });
  REQUIRE(volumes.recover(kNow).has_value());
  VolumeRequest wanted = request("pvc-2", 20 * kMiB);
  wanted.parameters = parameters({{"thinPool", "pool0"}});
  REQUIRE(volumes.create(wanted, kNow).has_value());
  CHECK(volume("pool0")->active);
}

}  // namespace
}  // namespace holdfast::lvm
