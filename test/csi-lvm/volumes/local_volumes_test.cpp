#include "csi-lvm/volumes/local_volumes.h"

#include <functional>
#include <map>

#include "csi-lvm/volumes/volume_tags.h"
#include "test/catch.h"
#include "test/csi-lvm/volumes/fake_node.h"

namespace holdfast::lvm {
namespace {

using test::CutOff;
using test::kExtent;
using test::kMiB;
using test::kNow;
using test::Node;

template <class T>
Status only_status(const Result<T>& done) {
  return done ? Status() : Status(tl::unexpected(done.error()));
}

TEST_CASE_METHOD(Node, "a volume is ready when it was made, cleaned and tagged", "[lvm volumes]") {
  const LocalVolume made = volumes.create(request("pvc-1", 50 * kMiB), kNow).value();
  CHECK(made.name == VolumeName{"vg", "pvc-1"});
  CHECK(made.size_bytes == 52 * kMiB);
  const LogicalVolume& there = *volume("pvc-1");
  CHECK(there.tag_value(kStateTag) == kReady);
  CHECK(there.tag_value(kContentTag) == "new");
  CHECK(there.tag_value(kClusterTag) == "cluster-1");
  CHECK(there.tag_value(kWipeTag) == "none");
  CHECK(cleaner.done == std::vector<std::string>{"zero vg/pvc-1"});
}

TEST_CASE_METHOD(Node, "a new volume costs LVM no report, and the book knows of it", "[lvm volumes]") {
  REQUIRE(volumes.recover(kNow).has_value());
  lvm.looks = 0;
  REQUIRE(volumes.create(request("pvc-1", 50 * kMiB), kNow).has_value());
  VolumeRequest striped = request("pvc-2", 40 * kMiB);
  striped.parameters = parameters({{"lvmType", "striping"}});
  REQUIRE(volumes.create(striped, kNow).has_value());
  CHECK(lvm.looks == 0);
  const Capacity foretold = book.capacity("vg", 1, "").value();
  REQUIRE(volumes.list(kNow).has_value());
  const Capacity reported = book.capacity("vg", 1, "").value();
  CHECK(foretold.available_bytes == reported.available_bytes);
  CHECK(book.capacity("vg", 0, "")->largest_bytes > 0);
}

TEST_CASE_METHOD(Node, "a start with nothing half made costs LVM one report, which tells all volumes",
                 "[lvm volumes]") {
  for (const char* name : {"pvc-2", "pvc-1"}) {
    REQUIRE(volumes.create(request(name, kExtent), kNow).has_value());
  }
  lvm.looks = 0;
  REQUIRE(volumes.recover(kNow).has_value());
  CHECK(lvm.looks == 1);
  const std::vector<LocalVolume> all = volumes.listed_last();
  REQUIRE(all.size() == 2);
  CHECK(all[0].name.volume == "pvc-1");
  CHECK(lvm.looks == 1);
}

TEST_CASE_METHOD(Node, "a volume that is known is located by a look at it alone, as it is now",
                 "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", kExtent), kNow).has_value());
  REQUIRE(lvm.change_tags({"vg", "pvc-1"}, {"csi.fs=new"}, {"csi.fs=formatted:1"}, kNow).has_value());
  REQUIRE(lvm.deactivate({"vg", "pvc-1"}, kNow).has_value());
  lvm.looks = 0;
  const LocalVolume found = volumes.locate("pvc-1", kNow).value();
  CHECK(found.content == "formatted:1");
  CHECK_FALSE(found.active);
  CHECK(found.size_bytes == kExtent);
  CHECK(lvm.looks == 0);
  refuses(volumes.locate("pvc-2", kNow), Code::kNotFound);
  CHECK(lvm.looks == 1);
  REQUIRE(lvm.remove({"vg", "pvc-1"}, kNow).has_value());
  refuses(volumes.locate("pvc-1", kNow), Code::kNotFound);
  NewVolume half;
  half.name = {"vg", "pvc-3"};
  half.size_bytes = kExtent;
  half.tags = {tag(kStateTag, kCreating)};
  REQUIRE(lvm.create(half, kNow).has_value());
  book.update(lvm.look(kNow).value());
  refuses(volumes.locate("pvc-3", kNow), Code::kNotFound);
}

TEST_CASE_METHOD(Node, "a volume is not told to be gone while any group of the host has it",
                 "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", kExtent), kNow).has_value());
  REQUIRE(volumes.snapshot("snap-1", "pvc-1", {}, kNow).has_value());
  lvm.lose_group("vg");
  refuses(volumes.remove("pvc-1", kNow), Code::kFailedPrecondition);
  refuses(volumes.remove_snapshot("snap-1", kNow), Code::kFailedPrecondition);
  CHECK(volumes.remove("pvc-2", kNow).has_value());
  const std::string disk = lvm.look_around(kNow)->group("vg")->disks[0].device;
  REQUIRE(lvm.adopt_group({.group = "vg", .devices = {disk}}, kNow).has_value());
  CHECK(volumes.remove_snapshot("snap-1", kNow).has_value());
  CHECK(volumes.remove("pvc-1", kNow).has_value());
}

TEST_CASE_METHOD(Node, "a volume is not told to be gone while a disk that may have it is not found",
                 "[lvm volumes]") {
  lvm.add_group("other", {10});
  REQUIRE(volumes.create(request("pvc-1", kExtent), kNow).has_value());
  REQUIRE(volumes.snapshot("snap-1", "pvc-1", {}, kNow).has_value());
  VolumeRequest elsewhere = request("pvc-2", kExtent);
  elsewhere.parameters.group = "other";
  REQUIRE(volumes.create(elsewhere, kNow).has_value());
  lvm.pull_disks_of("vg");
  refuses(volumes.remove("pvc-1", kNow), Code::kUnavailable);
  refuses(volumes.remove_snapshot("snap-1", kNow), Code::kUnavailable);
  CHECK(volumes.remove("pvc-1", kNow).error().message.find(" uuid-/dev/vg0") != std::string::npos);
  CHECK(volumes.remove("pvc-2", kNow).has_value());
  lvm.plug_disks_again();
  CHECK(volumes.remove_snapshot("snap-1", kNow).has_value());
  CHECK(volumes.remove("pvc-1", kNow).has_value());
  CHECK(volumes.remove("pvc-1", kNow).has_value());
}

TEST_CASE_METHOD(Node, "a volume and a group that came unseen are found all the same", "[lvm volumes]") {
  REQUIRE(volumes.recover(kNow).has_value());
  NewVolume unseen;
  unseen.name = {"vg", "pvc-1"};
  unseen.size_bytes = 52 * kMiB;
  unseen.tags = {tag(kStateTag, kCreating)};
  REQUIRE(lvm.create(unseen, kNow).has_value());
  REQUIRE(volumes.create(request("pvc-1", 50 * kMiB), kNow).has_value());
  CHECK(volume("pvc-1")->tag_value(kStateTag) == kReady);
  lvm.add_group("late", {10});
  VolumeRequest late = request("pvc-2", kMiB);
  late.parameters.group = "late";
  CHECK(volumes.create(late, kNow).has_value());
}

TEST_CASE_METHOD(Node, "what was left half made is left to who holds it, and else goes", "[lvm volumes]") {
  csi::VolumeHolds holds;
  const auto half = [this](const std::string& name, const std::vector<std::string>& more) {
    NewVolume left{
        .name = {"vg", name}, .size_bytes = kExtent, .pool = {}, .tags = {tag(kStateTag, kCreating)}};
    left.tags.insert(left.tags.end(), more.begin(), more.end());
    REQUIRE(lvm.create(left, kNow).has_value());
  };
  half("pvc-held", {tag(kClusterTag, "cluster-1")});
  half("pvc-left", {tag(kClusterTag, "cluster-1")});
  half("pvc-theirs", {tag(kClusterTag, "cluster-2")});
  half("pvc-nobodys", {});
  half("csi-pod", {tag(kLifeTag, kPodsLife)});  // asked for before the cluster's uid was known
  {
    const auto held = holds.hold(csi::VolumeHolds::Kind::kVolume, "pvc-held", "NodePublishVolume");
    REQUIRE(volumes.recover(kNow, &holds).has_value());
  }
  CHECK(volume("pvc-held") != nullptr);
  CHECK(volume("pvc-left") == nullptr);
  CHECK(volume("csi-pod") == nullptr);
  CHECK(holds.count() == 0);
  REQUIRE(volumes.recover(kNow, &holds).has_value());
  CHECK(volume("pvc-held") == nullptr);
  volumes.join("cluster-2");
  REQUIRE(volumes.recover(kNow, &holds).has_value());
  CHECK(volume("pvc-theirs") == nullptr);
  CHECK(volume("pvc-nobodys") != nullptr);
  REQUIRE(volumes.create(request("pvc-1", kExtent), kNow).has_value());
  CHECK(volume("pvc-1")->tag_value(kClusterTag) == "cluster-2");
}

TEST_CASE_METHOD(Node, "the smallest volume is one extent", "[lvm volumes]") {
  CHECK(volumes.create(request("pvc-1", 0), kNow)->size_bytes == kExtent);
}

TEST_CASE_METHOD(Node, "the same call again answers the same volume, and makes nothing", "[lvm volumes]") {
  const LocalVolume first = volumes.create(request("pvc-1", 50 * kMiB), kNow).value();
  const LocalVolume second = volumes.create(request("pvc-1", 50 * kMiB), kNow).value();
  CHECK(second.size_bytes == first.size_bytes);
  CHECK(free_extents() == 200 - 13);
  CHECK(cleaner.done.size() == 1);
}

TEST_CASE_METHOD(Node, "a name that is taken by something else is told", "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", 50 * kMiB), kNow).has_value());
  refuses(volumes.create(request("pvc-1", 60 * kMiB), kNow), Code::kAlreadyExists);
  VolumeRequest smaller = request("pvc-1", kMiB);
  smaller.limit_bytes = 8 * kMiB;
  refuses(volumes.create(smaller, kNow), Code::kAlreadyExists);
  VolumeRequest raw = request("pvc-1", 50 * kMiB);
  raw.block = true;
  refuses(volumes.create(raw, kNow), Code::kAlreadyExists);
  lvm.add_group("other", {10});
  VolumeRequest elsewhere = request("pvc-1", 50 * kMiB);
  elsewhere.parameters.group = "other";
  refuses(volumes.create(elsewhere, kNow), Code::kAlreadyExists);
  // LVM takes no name that begins with snapshot.
  REQUIRE(volumes.create(request("csi-snapshot-1", kMiB), kNow).has_value());
  refuses(volumes.create(request("snapshot-1", kMiB), kNow), Code::kAlreadyExists);
}

TEST_CASE_METHOD(Node, "a volume has room for what is asked of it, or is refused with the least size",
                 "[lvm volumes]") {
  struct Case {
    const char* fs_type;  // "" for a raw one
    bool encrypted;
    std::uint64_t too_small;  // 0: none
    std::uint64_t least;      // that is made for it
    const char* told;
  };
  const Case cases[] = {
      {"ext4", false, 0, 4 * kMiB, ""},
      {"ext3", false, 0, 4 * kMiB, ""},
      {"xfs", false, 296 * kMiB, 300 * kMiB, " xfs needs 314572800 "},
      {"", false, 0, 4 * kMiB, ""},
      {"ext4", true, 4 * kMiB, 8 * kMiB, " ext4, encrypted, needs 6291456 "},
      {"xfs", true, 300 * kMiB, 304 * kMiB, " xfs, encrypted, needs 318767104 "},
      {"", true, 4 * kMiB, 8 * kMiB, " raw access, encrypted, needs 4198400 "},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.fs_type << (c.encrypted ? " encrypted" : "")) {
      VolumeRequest wanted = request("pvc-1", c.too_small);
      wanted.block = *c.fs_type == '\0';
      if (!wanted.block) wanted.parameters.fs_type = c.fs_type;
      wanted.parameters.encrypted = c.encrypted;
      if (c.too_small > 0) {
        const auto refused = volumes.create(wanted, kNow);
        refuses(refused, Code::kOutOfRange);
        CHECK(refused.error().message.find(c.told) != std::string::npos);
        CHECK(volume("pvc-1") == nullptr);
      }
      // Without a size it is the least one.
      wanted.required_bytes = 0;
      CHECK(volumes.create(wanted, kNow)->size_bytes == c.least);
    }
  }
}

TEST_CASE_METHOD(Node, "sizes that cannot be are told apart", "[lvm volumes]") {
  VolumeRequest between = request("pvc-1", 5 * kMiB);
  between.limit_bytes = 7 * kMiB;
  refuses(volumes.create(between, kNow), Code::kOutOfRange);
  between.limit_bytes = kMiB;
  refuses(volumes.create(between, kNow), Code::kInvalidArgument);
  VolumeRequest xfs = request("pvc-1", 100 * kMiB);
  xfs.parameters.fs_type = "xfs";
  refuses(volumes.create(xfs, kNow), Code::kOutOfRange);
  refuses(volumes.create(request("pvc-1", 201 * kExtent), kNow), Code::kResourceExhausted);
  VolumeRequest with_files = request("pvc-1", 8 * kMiB);
  with_files.parameters = parameters({{"mkfsOptions", "-d /etc"}});
  refuses(volumes.create(with_files, kNow), Code::kInvalidArgument);
  VolumeRequest nowhere = request("pvc-1", kMiB);
  nowhere.parameters.group = "nowhere";
  refuses(volumes.create(nowhere, kNow), Code::kNotFound);
  nowhere.parameters.group = "a/b";
  refuses(volumes.create(nowhere, kNow), Code::kInvalidArgument);
  CHECK(free_extents() == 200);
}

TEST_CASE_METHOD(Node, "striping goes over all disks, in whole extents of each", "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 5 * kMiB);
  wanted.parameters = parameters({{"lvmType", "striping"}});
  CHECK(volumes.create(wanted, kNow)->size_bytes == 2 * kExtent);
  CHECK(volume("pvc-1")->stripes == 2);
}

TEST_CASE_METHOD(Node, "a raw volume shows nobody's data: all of it is wiped, before and after",
                 "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 5 * kMiB);
  wanted.parameters = parameters({}, true);
  wanted.block = true;
  REQUIRE(volumes.create(wanted, kNow).has_value());
  REQUIRE(volumes.remove("pvc-1", kNow).has_value());
  CHECK(cleaner.done == std::vector<std::string>{"wipe vg/pvc-1", "wipe vg/pvc-1"});
}

TEST_CASE_METHOD(Node, "a raw volume grows by extents that were wiped before they are its", "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 8 * kMiB);
  wanted.block = true;
  REQUIRE(volumes.create(wanted, kNow).has_value());
  cleaner.done.clear();
  cleaner.fault = Error{.code = Code::kAborted, .sys_errno = 0, .message = "being wiped"};
  refuses(volumes.extend("pvc-1", 20 * kMiB, 0, kNow), Code::kAborted);
  CHECK(volume("pvc-1")->size_bytes == 8 * kMiB);
  CHECK(free_extents() == 195);
  CHECK(volumes.list(kNow)->size() == 1);
  // Another size is asked for, and the room that was taken for the first goes back.
  refuses(volumes.extend("pvc-1", 16 * kMiB, 0, kNow), Code::kAborted);
  CHECK(free_extents() == 196);
  cleaner.fault.reset();
  REQUIRE(volumes.extend("pvc-1", 16 * kMiB, 0, kNow).has_value());
  CHECK(volume("pvc-1")->size_bytes == 16 * kMiB);
  CHECK(free_extents() == 196);
  REQUIRE(cleaner.done.size() == 1);
  CHECK(cleaner.done[0].starts_with("wipe vg/csi-grow-"));
  REQUIRE(cleaner.forgotten.size() == 3);
  refuses(volumes.extend("pvc-1", 900 * kMiB, 0, kNow), Code::kResourceExhausted);
  CHECK(free_extents() == 196);
}

TEST_CASE_METHOD(Node, "a volume of another maker, of which nobody tells how it is used, grows as a raw one",
                 "[lvm volumes]") {
  REQUIRE(lvm.create({.name = {"vg", "theirs"}, .size_bytes = 8 * kMiB, .pool = {}, .tags = {}}, kNow)
              .has_value());
  REQUIRE(volumes.extend("theirs", 16 * kMiB, 0, kNow).has_value());
  REQUIRE(cleaner.done.size() == 1);
  CHECK(cleaner.done[0].starts_with("wipe vg/csi-grow-"));
  CHECK(volume("theirs")->size_bytes == 16 * kMiB);
}

TEST_CASE_METHOD(Node, "a raw volume with a snapshot does not grow, and nothing is wiped for it",
                 "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 8 * kMiB);
  wanted.block = true;
  REQUIRE(volumes.create(wanted, kNow).has_value());
  REQUIRE(volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow).has_value());
  const std::size_t wiped = cleaner.done.size();
  refuses(volumes.extend("pvc-1", 20 * kMiB, 0, kNow), Code::kFailedPrecondition);
  CHECK(cleaner.done.size() == wiped);
}

TEST_CASE(
    "a raw volume's growth that is cut off anywhere is finished by asking again, or leaves nothing after a "
    "start",
    "[lvm volumes]") {
  for (const bool done : {false, true}) {
    for (const bool restarted : {false, true}) {
      for (int at = 1; at <= 4; ++at) {
        DYNAMIC_SECTION("change " << at << (done ? " done" : " not done") << (restarted ? ", start" : "")) {
          Node node;
          VolumeRequest wanted = Node::request("pvc-1", 8 * kMiB);
          wanted.block = true;
          REQUIRE(node.volumes.create(wanted, kNow).has_value());
          CutOff cut;
          cut.arm(node.lvm, at, done, Code::kAborted);
          const auto first = node.volumes.extend("pvc-1", 20 * kMiB, 0, kNow);
          CHECK(first.has_value() == (at > 3));
          CutOff::disarm(node.lvm);
          if (restarted) {
            REQUIRE(node.volumes.recover(kNow).has_value());
            CHECK(node.lvm.look(kNow)->group("vg")->volumes.size() == 1);
          }
          REQUIRE(node.volumes.extend("pvc-1", 20 * kMiB, 0, kNow).has_value());
          CHECK(node.volume("pvc-1")->size_bytes == 20 * kMiB);
          CHECK(node.free_extents() == 195);
          CHECK(node.lvm.look(kNow)->group("vg")->volumes.size() == 1);
          REQUIRE(node.volumes.remove("pvc-1", kNow).has_value());
          CHECK(node.free_extents() == 200);
        }
      }
    }
  }
}

TEST_CASE_METHOD(Node, "a volume of somebody else with the name of a growth is left alone", "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 8 * kMiB);
  wanted.block = true;
  REQUIRE(volumes.create(wanted, kNow).has_value());
  cleaner.fault = Error{.code = Code::kAborted, .sys_errno = 0, .message = "being wiped"};
  refuses(volumes.extend("pvc-1", 20 * kMiB, 0, kNow), Code::kAborted);
  const Inventory now = lvm.look(kNow).value();
  for (const LogicalVolume& each : now.group("vg")->volumes) {
    if (each.name != "pvc-1") REQUIRE(lvm.change_tags({"vg", each.name}, each.tags, {}, kNow).has_value());
  }
  cleaner.fault.reset();
  cleaner.done.clear();
  refuses(volumes.extend("pvc-1", 20 * kMiB, 0, kNow), Code::kFailedPrecondition);
  CHECK(cleaner.done.empty());
}

TEST_CASE_METHOD(Node, "a volume that is deleted while it grows leaves nothing", "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 8 * kMiB);
  wanted.block = true;
  REQUIRE(volumes.create(wanted, kNow).has_value());
  cleaner.fault = Error{.code = Code::kAborted, .sys_errno = 0, .message = "being wiped"};
  refuses(volumes.extend("pvc-1", 20 * kMiB, 0, kNow), Code::kAborted);
  cleaner.fault.reset();
  REQUIRE(volumes.remove("pvc-1", kNow).has_value());
  CHECK(free_extents() == 200);
}

TEST_CASE_METHOD(Node, "a volume of a name that was wiped in part before is wiped from its beginning",
                 "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 5 * kMiB);
  wanted.parameters = parameters({{"wipeOnDelete", "none"}}, true);
  wanted.block = true;
  cleaner.fault = Error{.code = Code::kAborted, .sys_errno = 0, .message = "half of it"};
  for (int i = 0; i < 2; ++i) refuses(volumes.create(wanted, kNow), Code::kAborted);
  CHECK(cleaner.forgotten.size() == 1);
  REQUIRE(volumes.remove("pvc-1", kNow).has_value());
  cleaner.fault.reset();
  REQUIRE(volumes.create(wanted, kNow).has_value());
  CHECK(cleaner.forgotten == std::vector<std::string>{"vg/pvc-1", "vg/pvc-1"});
}

TEST_CASE_METHOD(Node, "nothing is remembered of a name's wipe when LVM's answer is lost, nor of a copy's",
                 "[lvm volumes]") {
  lvm.after = [](std::string_view verb, const VolumeName&) {
    return verb == "create" ? Status(fail(Code::kAborted, "killed")) : Status{};
  };
  refuses(volumes.create(request("pvc-1", 5 * kMiB), kNow), Code::kAborted);
  CHECK(cleaner.forgotten == std::vector<std::string>{"vg/pvc-1"});
  lvm.after = nullptr;
  REQUIRE(volumes.create(request("pvc-1", 5 * kMiB), kNow).has_value());
  VolumeRequest copy = request("pvc-2", 0);
  copy.source = ContentSource{.id = "pvc-1", .snapshot = false};
  REQUIRE(volumes.create(copy, kNow).has_value());
  CHECK(cleaner.forgotten.back() == "vg/pvc-2");
}

TEST_CASE_METHOD(Node, "a volume is removed as its class asked, also when the class is gone",
                 "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 5 * kMiB);
  wanted.parameters = parameters({{"wipeOnDelete", "zero"}});
  REQUIRE(volumes.create(wanted, kNow).has_value());
  cleaner.done.clear();
  for (int i = 0; i < 2; ++i) REQUIRE(volumes.remove("pvc-1", kNow).has_value());
  CHECK(cleaner.done == std::vector<std::string>{"wipe vg/pvc-1"});
  CHECK(free_extents() == 200);
}

TEST_CASE_METHOD(Node, "a volume that is in use or has a snapshot stays, and stays ready", "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", 5 * kMiB), kNow).has_value());
  lvm.set_open({"vg", "pvc-1"}, true);
  refuses(volumes.remove("pvc-1", kNow), Code::kFailedPrecondition);
  lvm.set_open({"vg", "pvc-1"}, false);
  // A pod has it raw, and nobody has its device open.
  mounted["/dev/vg/pvc-1"] = {"/var/lib/kubelet/pods/a/volumeDevices/pvc-1"};
  refuses(volumes.remove("pvc-1", kNow), Code::kFailedPrecondition);
  CHECK(volumes.remove("pvc-1", kNow).error().message.find("/pods/a/") != std::string::npos);
  mounted.clear();
  REQUIRE(volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow).has_value());
  refuses(volumes.remove("pvc-1", kNow), Code::kFailedPrecondition);
  CHECK(volume("pvc-1")->tag_value(kStateTag) == kReady);
  refuses(volumes.remove("snap-1", kNow), Code::kInvalidArgument);
  refuses(volumes.remove_snapshot("pvc-1", kNow), Code::kInvalidArgument);
  for (int i = 0; i < 2; ++i) REQUIRE(volumes.remove_snapshot("snap-1", kNow).has_value());
  REQUIRE(volumes.remove("pvc-1", kNow).has_value());
}

TEST_CASE_METHOD(Node, "a volume that was made otherwise is not the one that is asked for", "[lvm volumes]") {
  const VolumeRequest first = request("pvc-1", 52 * kMiB);
  REQUIRE(volumes.create(first, kNow).has_value());
  struct Case {
    const char* name;
    std::map<std::string, std::string> parameters;
    Code code;
  };
  const Case cases[] = {
      {"more disks", {{"stripes", "2"}}, Code::kAlreadyExists},
      {"all disks", {{"lvmType", "striping"}}, Code::kAlreadyExists},
      {"its content is to be wiped", {{"wipeOnDelete", "zero"}}, Code::kAlreadyExists},
      {"a tag that it lacks", {{"lvTags", "gold"}}, Code::kAlreadyExists},
      {"a file system for which it is too small", {{"fsType", "xfs"}}, Code::kOutOfRange},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      VolumeRequest other = first;
      other.parameters = parameters(c.parameters);
      refuses(volumes.create(other, kNow), c.code);
    }
  }
  REQUIRE(volumes.create(first, kNow).has_value());
}

TEST_CASE_METHOD(Node, "a volume of all disks is the same when there are more of them", "[lvm volumes]") {
  VolumeRequest wanted = request("pvc-1", 52 * kMiB);
  wanted.parameters = parameters({{"lvmType", "striping"}});
  REQUIRE(volumes.create(wanted, kNow).has_value());
  lvm.add_disk("/dev/vdz", 100);
  REQUIRE(lvm.extend_group({.group = "vg", .devices = {"/dev/vdz"}}, kNow).has_value());
  REQUIRE(volumes.create(wanted, kNow).has_value());
}

TEST_CASE_METHOD(Node, "a volume that is larger than the limit is not grown", "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", 52 * kMiB), kNow).has_value());
  refuses(volumes.extend("pvc-1", 10 * kMiB, 20 * kMiB, kNow), Code::kOutOfRange);
  refuses(volumes.extend("pvc-1", 0, 20 * kMiB, kNow), Code::kOutOfRange);
  CHECK(volumes.extend("pvc-1", 10 * kMiB, 52 * kMiB, kNow).value() == 52 * kMiB);
}

TEST_CASE_METHOD(Node, "a volume grows to whole extents, and once", "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", 5 * kMiB), kNow).has_value());
  CHECK(volumes.extend("pvc-1", 9 * kMiB, 0, kNow) == 12 * kMiB);
  CHECK(volumes.extend("pvc-1", 9 * kMiB, 0, kNow) == 12 * kMiB);
  refuses(volumes.extend("pvc-1", 13 * kMiB, 14 * kMiB, kNow), Code::kOutOfRange);
  refuses(volumes.extend("pvc-1", 201 * kExtent, 0, kNow), Code::kResourceExhausted);
  refuses(volumes.extend("pvc-2", 201 * kExtent, 0, kNow), Code::kNotFound);
}

TEST_CASE_METHOD(Node,
                 "what an earlier tenant left does not pass for the content of a volume that grew unused",
                 "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", kMiB), kNow).has_value());
  REQUIRE(lvm.deactivate({"vg", "pvc-1"}, kNow).has_value());
  cleaner.done.clear();
  cleaner.fault = Error{Code::kUnavailable, 0, "cut off"};
  refuses(volumes.extend("pvc-1", 2 * kExtent, 0, kNow), Code::kUnavailable);
  cleaner.fault.reset();
  CHECK(volumes.extend("pvc-1", 2 * kExtent, 0, kNow) == 2 * kExtent);
  CHECK(cleaner.done == std::vector<std::string>{"zero vg/pvc-1"});
  REQUIRE(lvm.change_tags({"vg", "pvc-1"}, {"csi.fs=new"}, {"csi.fs=formatting"}, kNow).has_value());
  CHECK(volumes.extend("pvc-1", 3 * kExtent, 0, kNow) == 3 * kExtent);
  CHECK(cleaner.done.size() == 1);
}

TEST_CASE_METHOD(Node, "a snapshot is of its volume's size, and knows its volume and its time",
                 "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", 100 * kMiB), kNow).has_value());
  const LocalVolume taken = volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow).value();
  CHECK(taken.size_bytes == 100 * kMiB);
  CHECK(taken.source == "pvc-1");
  CHECK(taken.taken == clock.now().time_since_epoch().count());
  CHECK(volume("snap-1")->size_bytes == 20 * kMiB);
  CHECK(volume("snap-1")->tag_value(kContentTag) == "new");
  const LocalVolume again = volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow).value();
  CHECK(again.taken == taken.taken);
  CHECK(again.size_bytes == taken.size_bytes);
  REQUIRE(volumes.create(request("pvc-2", kMiB), kNow).has_value());
  refuses(volumes.snapshot("snap-1", "pvc-2", SnapshotRoom{}, kNow), Code::kAlreadyExists);
  refuses(volumes.snapshot("pvc-2", "pvc-1", SnapshotRoom{}, kNow), Code::kAlreadyExists);
  refuses(volumes.snapshot("snap-2", "pvc-3", SnapshotRoom{}, kNow), Code::kNotFound);
  refuses(volumes.snapshot("snap-2", "snap-1", SnapshotRoom{}, kNow), Code::kInvalidArgument);
  refuses(volumes.extend("snap-1", 300 * kMiB, 0, kNow), Code::kNotFound);
  refuses(volumes.extend("pvc-1", 300 * kMiB, 0, kNow), Code::kFailedPrecondition);
}

TEST_CASE_METHOD(Node, "volumes and snapshots are listed, not what others made", "[lvm volumes]") {
  NewVolume foreign;
  foreign.name = {"vg", "root"};
  foreign.size_bytes = kExtent;
  REQUIRE(lvm.create(foreign, kNow).has_value());
  REQUIRE(volumes.create(request("pvc-2", kMiB), kNow).has_value());
  REQUIRE(volumes.create(request("pvc-1", kMiB), kNow).has_value());
  REQUIRE(volumes.snapshot("a-snap", "pvc-1", SnapshotRoom{}, kNow).has_value());
  const std::vector<LocalVolume> all = volumes.list(kNow).value();
  REQUIRE(all.size() == 3);
  CHECK(all[0].name.volume == "a-snap");
  CHECK(all[0].size_bytes == kExtent);
  CHECK(all[2].name.volume == "pvc-2");
  CHECK(volumes.find("root", kNow)->size_bytes == kExtent);
  REQUIRE(volumes.recover(kNow).has_value());
  CHECK(volume("root") != nullptr);
}

TEST_CASE_METHOD(Node, "two groups with a volume of one name are not guessed between", "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", kMiB), kNow).has_value());
  lvm.add_group("other", {10});
  NewVolume twin;
  twin.name = {"other", "pvc-1"};
  twin.size_bytes = kExtent;
  REQUIRE(lvm.create(twin, kNow).has_value());
  refuses(volumes.remove("pvc-1", kNow), Code::kFailedPrecondition);
  refuses(volumes.extend("pvc-1", 8 * kMiB, 0, kNow), Code::kFailedPrecondition);
  refuses(volumes.find("pvc-1", kNow), Code::kFailedPrecondition);
  CHECK(volume("pvc-1") != nullptr);
}

TEST_CASE_METHOD(Node, "what another cluster left half made is not removed", "[lvm volumes]") {
  for (const char* cluster : {"csi.cluster=cluster-2", "csi.cluster=cluster-1"}) {
    NewVolume half;
    half.name = {"vg", std::string("pvc-") + cluster[std::string_view(cluster).size() - 1]};
    half.size_bytes = kExtent;
    half.tags = {tag(kStateTag, kCreating), cluster};
    REQUIRE(lvm.create(half, kNow).has_value());
  }
  REQUIRE(volumes.recover(kNow).has_value());
  CHECK(volume("pvc-2") != nullptr);
  CHECK(volume("pvc-1") == nullptr);
}

TEST_CASE("a create that is cut off anywhere is finished by asking again, or leaves nothing after a start",
          "[lvm volumes]") {
  for (int at = 1; at <= 2; ++at) {
    for (const bool done : {false, true}) {
      for (const bool restart : {false, true}) {
        DYNAMIC_SECTION("change " << at << (done ? " done" : " not done")
                                  << (restart ? ", start" : ", again")) {
          Node node;
          CutOff cut;
          cut.arm(node.lvm, at, done, Code::kAborted);
          const auto first = node.volumes.create(Node::request("pvc-1", 50 * kMiB), kNow);
          REQUIRE_FALSE(first.has_value());
          CHECK(first.error().code == Code::kAborted);
          CutOff::disarm(node.lvm);
          if (restart) {
            REQUIRE(node.volumes.recover(kNow).has_value());
            const LogicalVolume* left = node.volume("pvc-1");
            CHECK((left == nullptr || left->tag_value(kStateTag) == kReady));
          }
          CHECK(node.volumes.create(Node::request("pvc-1", 50 * kMiB), kNow)->size_bytes == 52 * kMiB);
          CHECK(node.volume("pvc-1")->tag_value(kStateTag) == kReady);
          CHECK(node.free_extents() == 200 - 13);
          CHECK_FALSE(node.cleaner.done.empty());
        }
      }
    }
  }
}

TEST_CASE("a snapshot that is cut off anywhere is taken when it is asked for again", "[lvm volumes]") {
  for (int at = 1; at <= 2; ++at) {
    for (const bool done : {false, true}) {
      DYNAMIC_SECTION("change " << at << (done ? " done" : " not done")) {
        Node node;
        REQUIRE(node.volumes.create(Node::request("pvc-1", 40 * kMiB), kNow).has_value());
        CutOff cut;
        cut.arm(node.lvm, at, done, Code::kAborted);
        CHECK(node.volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow).error().code == Code::kAborted);
        CutOff::disarm(node.lvm);
        CHECK(node.volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow)->size_bytes == 40 * kMiB);
        CHECK(node.volume("snap-1")->tag_value(kStateTag) == kReady);
        CHECK(node.free_extents() == 200 - 10 - 2);
      }
    }
  }
}

TEST_CASE("a removal that is cut off anywhere is finished by asking again, or by a start", "[lvm volumes]") {
  for (int at = 1; at <= 3; ++at) {
    for (const bool done : {false, true}) {
      for (const bool restart : {false, true}) {
        DYNAMIC_SECTION("change " << at << (done ? " done" : " not done")
                                  << (restart ? ", start" : ", again")) {
          Node node;
          VolumeRequest wanted = Node::request("pvc-1", 50 * kMiB);
          wanted.parameters = Node::parameters({{"wipeOnDelete", "zero"}});
          REQUIRE(node.volumes.create(wanted, kNow).has_value());
          CutOff cut;
          cut.arm(node.lvm, at, done, Code::kDeadlineExceeded);
          CHECK(node.volumes.remove("pvc-1", kNow).error().code == Code::kDeadlineExceeded);
          CutOff::disarm(node.lvm);
          const bool begun = at > 1 || done;
          if (begun && node.volume("pvc-1") != nullptr) {
            CHECK(node.volumes.create(wanted, kNow).error().code == Code::kAborted);
            CHECK(node.volumes.find("pvc-1", kNow).error().code == Code::kNotFound);
          }
          if (restart && begun) {
            REQUIRE(node.volumes.recover(kNow).has_value());
          } else {
            REQUIRE(node.volumes.remove("pvc-1", kNow).has_value());
          }
          CHECK(node.volume("pvc-1") == nullptr);
          CHECK(node.free_extents() == 200);
        }
      }
    }
  }
}

TEST_CASE_METHOD(Node, "a volume whose extents cannot be cleaned is never ready", "[lvm volumes]") {
  cleaner.fault = Error{.code = Code::kDataLoss, .sys_errno = 5, .message = "write at 0: Input/output error"};
  refuses(volumes.create(request("pvc-1", kMiB), kNow), Code::kAborted);
  CHECK(volume("pvc-1")->tag_value(kStateTag) == kCreating);
  CHECK(volumes.list(kNow)->empty());
  cleaner.fault.reset();
  REQUIRE(volumes.create(request("pvc-1", kMiB), kNow).has_value());
  CHECK(volume("pvc-1")->tag_value(kStateTag) == kReady);
}

TEST_CASE("a device that waits for the rest of a change is brought to what the metadata say",
          "[lvm volumes]") {
  struct Case {
    const char* name;
    std::function<Status(Node&)> call;
  };
  const Case cases[] = {
      {"at a start", [](Node& node) { return node.volumes.recover(kNow); }},
      {"before it has the size that it is to have",
       [](Node& node) { return only_status(node.volumes.extend("pvc-1", 40 * kMiB, 0, kNow)); }},
      {"before a snapshot is removed",
       [](Node& node) { return node.volumes.remove_snapshot("snap-1", kNow); }},
      {"when it is looked for", [](Node& node) { return only_status(node.volumes.find("pvc-1", kNow)); }},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Node node;
      REQUIRE(node.volumes.create(Node::request("pvc-1", 40 * kMiB), kNow).has_value());
      REQUIRE(node.volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow).has_value());
      node.lvm.change({"vg", "pvc-1"}, [](LogicalVolume& volume) { volume.unsettled = true; });
      CHECK(c.call(node).has_value());
      CHECK_FALSE(node.volume("pvc-1")->unsettled);
    }
  }
}

TEST_CASE_METHOD(Node, "a device of another maker's volume that waits is his to resume", "[lvm volumes]") {
  NewVolume other;
  other.name = {"vg", "data"};
  other.size_bytes = kExtent;
  REQUIRE(lvm.create(other, kNow).has_value());
  lvm.change(other.name, [](LogicalVolume& volume) { volume.unsettled = true; });
  REQUIRE(volumes.recover(kNow).has_value());
  CHECK(volume("data")->unsettled);
}

TEST_CASE_METHOD(Node, "devices that are left over stand in the way of a snapshot once only",
                 "[lvm volumes]") {
  REQUIRE(volumes.create(request("pvc-1", 40 * kMiB), kNow).has_value());
  lvm.strays = {"snap-1"};
  refuses(volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow), Code::kAborted);
  CHECK(volumes.snapshot("snap-1", "pvc-1", SnapshotRoom{}, kNow)->size_bytes == 40 * kMiB);
  CHECK(volume("snap-1")->tag_value(kStateTag) == kReady);
  lvm.strays = {"snap-2"};
  REQUIRE(volumes.recover(kNow).has_value());
  CHECK(lvm.strays.empty());
}

TEST_CASE_METHOD(Node, "a volume that was made and not activated is cleaned all the same", "[lvm volumes]") {
  NewVolume half;
  half.name = {"vg", "pvc-1"};
  half.size_bytes = 52 * kMiB;
  half.tags = {tag(kStateTag, kCreating)};
  REQUIRE(lvm.create(half, kNow).has_value());
  REQUIRE(lvm.deactivate(half.name, kNow).has_value());
  REQUIRE(volumes.create(request("pvc-1", 50 * kMiB), kNow).has_value());
  CHECK(volume("pvc-1")->active);
  CHECK(cleaner.done == std::vector<std::string>{"zero vg/pvc-1"});
}

TEST_CASE_METHOD(Node, "room and pools that somebody else has made are found when they are asked for",
                 "[lvm volumes]") {
  NewVolume theirs{.name = {"vg", "data"}, .size_bytes = 190 * kExtent, .pool = {}, .tags = {}};
  REQUIRE(lvm.create(theirs, kNow).has_value());
  REQUIRE(volumes.recover(kNow).has_value());
  refuses(volumes.create(request("pvc-1", 20 * kExtent), kNow), Code::kResourceExhausted);
  REQUIRE(lvm.remove(theirs.name, kNow).has_value());
  lvm.looks = 0;
  // LVM has just been asked.
  refuses(volumes.create(request("pvc-1", 20 * kExtent), kNow), Code::kResourceExhausted);
  CHECK(lvm.looks == 0);
  clock.advance(std::chrono::seconds(1));
  REQUIRE(volumes.create(request("pvc-1", 20 * kExtent), kNow).has_value());
  CHECK(lvm.looks == 1);
  REQUIRE(
      lvm.create_pool({.name = {"vg", "theirs"}, .size_bytes = 20 * kExtent, .tags = {}}, kNow).has_value());
  VolumeRequest thin = request("pvc-2", kExtent);
  thin.parameters = parameters({{"thinPool", "theirs"}});
  REQUIRE(volumes.create(thin, kNow).has_value());
}

TEST_CASE_METHOD(Node, "the last room goes to one of two, and LVM is not asked for the other",
                 "[lvm volumes]") {
  int created = 0;
  lvm.before = [&](std::string_view verb, const VolumeName&) -> Status {
    if (verb != "create" || ++created > 1) return {};
    // While the first is under way, another thread asks.
    const auto other = book.promise({.group = "vg", .size_bytes = 60 * kExtent, .pool = {}});
    CHECK_FALSE(other.has_value());
    return {};
  };
  REQUIRE(volumes.create(request("pvc-1", 150 * kExtent), kNow).has_value());
  CHECK(created == 1);
}

}  // namespace
}  // namespace holdfast::lvm
