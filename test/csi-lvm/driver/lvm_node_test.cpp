#include "csi-lvm/driver/lvm_node.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <vector>

#include "csi-lvm/driver/node_requests.h"
#include "csi-lvm/volumes/volume_tags.h"
#include "test/csi-lvm/lvm/fake_lvm.h"
#include "test/csi-lvm/volumes/fake_node.h"
#include "test/csi/driver_tests.h"
#include "test/fakes/fake_clock.h"
#include "test/mount/fake_mounter.h"

namespace holdfast::lvm {
namespace {

using csi::test::message;
using csi::test::refuses;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr Lvm::Patience kNow{1000};
const std::string kStaging = "/kubelet/plugins/csi/1/globalmount";
const std::string kTarget = "/kubelet/pods/a";
const std::string kOther = "/kubelet/pods/b";

/// Formats what is new, and remembers what it was asked for.
class FakePreparer final : public block::VolumePreparer {
 public:
  Result<std::string> prepare(const block::PrepareRequest& request, block::ProvenanceRecord& record,
                              std::chrono::milliseconds, const std::function<bool()>&) override {
    asked.push_back(request);
    if (fault) return tl::unexpected(*fault);
    if (request.provenance.kind == block::Provenance::Kind::kNew ||
        request.provenance.kind == block::Provenance::Kind::kFormatting) {
      HOLDFAST_CHECK(record.write({block::Provenance::Kind::kFormatting, {}}));
      HOLDFAST_CHECK(record.write({block::Provenance::Kind::kFormatted, "u-1"}));
    }
    return request.fs_type;
  }
  std::vector<block::PrepareRequest> asked;
  std::optional<Error> fault;
};

/// Remembers what it was asked for.
class FakeEncryption final : public block::DiskEncryption {
 public:
  Status format(const std::string&, const std::string&, const std::string&,
                std::chrono::milliseconds) override {
    return {};
  }
  Status open(const std::string&, const std::string&, const std::string&,
              std::chrono::milliseconds) override {
    return {};
  }
  Status close(const std::string& mapping, std::chrono::milliseconds) override {
    if (fault) return tl::unexpected(*fault);
    closed.push_back(mapping);
    return {};
  }
  Status grow(const std::string& mapping, std::chrono::milliseconds) override {
    grown.push_back(mapping);
    return {};
  }
  std::vector<std::string> closed;
  std::vector<std::string> grown;
  std::optional<Error> fault;
};

class FakeProbe final : public block::VolumeProbe {
 public:
  Result<block::VolumeLook> look(const std::string& path) override {
    if (dead) return fail(Code::kInternal, "statvfs " + path + ": Input/output error");
    return block::VolumeLook{.usage = {.total_bytes = 100,
                                       .available_bytes = 60,
                                       .used_bytes = 40,
                                       .total_inodes = 10,
                                       .available_inodes = 7,
                                       .used_inodes = 3},
                             .io_errors = 0};
  }
  std::atomic<bool> dead{false};
};

// Node "edge-1" with the group "vg", and the volume pvc-1 of 8 MiB in it.
struct NodeScene {
  NodeScene() {
    lvm.add_group("vg", {100, 100});
    make("pvc-1");
    mounter.make_folder("/kubelet/pods");
  }

  void make(const std::string& name, const std::string& encrypted = "false", bool raw = false) {
    VolumeRequest wanted;
    wanted.name = name;
    wanted.block = raw;
    wanted.parameters = parse_parameters({{"vgName", "vg"}, {"encrypted", encrypted}}, raw).value();
    wanted.required_bytes = 8 * kMiB;
    REQUIRE(volumes.create(wanted, kNow).has_value());
    mounter.devices["/dev/vg/" + name] = ++last_minor;
  }
  static std::string use(const std::string& kind, const std::string& mode) {
    return " volume_capability { " + kind + " access_mode { mode: " + mode + " } } ";
  }
  Status stage(const std::string& id, const std::string& capability = use("mount {}", "SINGLE_NODE_WRITER"),
               const std::string& path = kStaging) {
    csi::v1::NodeStageVolumeResponse response;
    return node.stage_volume(call,
                             message<csi::v1::NodeStageVolumeRequest>(
                                 "volume_id: '" + id + "' staging_target_path: '" + path + "' " + capability),
                             response);
  }
  Status unstage(const std::string& id, const std::string& path = kStaging) {
    csi::v1::NodeUnstageVolumeResponse response;
    return node.unstage_volume(call,
                               message<csi::v1::NodeUnstageVolumeRequest>(
                                   "volume_id: '" + id + "' staging_target_path: '" + path + "'"),
                               response);
  }
  Status publish(const std::string& id, const std::string& target,
                 const std::string& more = use("mount {}", "SINGLE_NODE_WRITER"),
                 const std::string& path = kStaging) {
    csi::v1::NodePublishVolumeResponse response;
    return node.publish_volume(
        call,
        message<csi::v1::NodePublishVolumeRequest>("volume_id: '" + id + "' staging_target_path: '" + path +
                                                   "' target_path: '" + target + "' " + more),
        response);
  }
  Status unpublish(const std::string& id, const std::string& target) {
    csi::v1::NodeUnpublishVolumeResponse response;
    return node.unpublish_volume(
        call,
        message<csi::v1::NodeUnpublishVolumeRequest>("volume_id: '" + id + "' target_path: '" + target + "'"),
        response);
  }
  Result<csi::v1::NodeGetVolumeStatsResponse> usage(const std::string& id, const std::string& path) {
    csi::v1::NodeGetVolumeStatsResponse response;
    HOLDFAST_CHECK(node.volume_stats(
        call,
        message<csi::v1::NodeGetVolumeStatsRequest>("volume_id: '" + id + "' volume_path: '" + path + "'"),
        response));
    return response;
  }
  Result<std::int64_t> expand(const std::string& id, const std::string& path, std::uint64_t bytes) {
    csi::v1::NodeExpandVolumeResponse response;
    HOLDFAST_CHECK(
        node.expand_volume(call,
                           message<csi::v1::NodeExpandVolumeRequest>(
                               "volume_id: '" + id + "' volume_path: '" + path +
                               "' capacity_range { required_bytes: " + std::to_string(bytes) + " }"),
                           response));
    return response.capacity_bytes();
  }
  void set_content(const std::string& id, const std::string& content) {
    REQUIRE(
        lvm.change_tags({"vg", id}, {tag(kContentTag, content_tag(id))}, {tag(kContentTag, content)}, kNow)
            .has_value());
  }
  std::string content_tag(const std::string& id) {
    return std::string(lvm.look(kNow)->group("vg")->volume(id)->tag_value(kContentTag));
  }

  const std::string as_block = use("block {}", "SINGLE_NODE_WRITER");
  std::uint32_t last_minor = 0;
  csi::test::PatientCall call;
  test::FakeLvm lvm;
  test::RememberingCleaner cleaner;
  test::RememberingCopier copier;
  holdfast::test::FakeClock clock;
  CapacityBook book{PoolLimits{}, {}};
  LocalVolumes volumes{lvm, book, cleaner, copier, clock, ""};
  holdfast::test::FakeMounter mounter{"/kubelet"};
  FakePreparer preparer;
  FakeEncryption encryption;
  std::shared_ptr<FakeProbe> probe = std::make_shared<FakeProbe>();
  SystemClock real_clock;
  block::VolumeStats stats{probe, real_clock};
  std::vector<std::string> grown;
  std::vector<std::string> given;
  std::optional<Error> fault_of_grow;
  std::optional<Error> fault_of_group;
  LvmNode node{{volumes, book, lvm, mounter, preparer, encryption, stats,
                [this](const std::string& type, const std::string& path, const std::string& device,
                       std::uint64_t bytes) -> Status {
                  grown.push_back(type + " " + path + " " + device + " " + std::to_string(bytes / kMiB));
                  return fault_of_grow ? Status(tl::unexpected(*fault_of_grow)) : Status();
                },
                [this](const std::string& folder, gid_t group, const std::function<bool()>&) -> Status {
                  given.push_back(folder + " " + std::to_string(group));
                  return fault_of_group ? Status(tl::unexpected(*fault_of_group)) : Status();
                },
                "/kubelet/plugins/driver/inline"},
               "kubernetes.io/hostname",
               "edge-1"};
};

TEST_CASE_METHOD(NodeScene, "a node tells where it is and what it can do", "[lvm driver]") {
  csi::v1::NodeGetInfoResponse info;
  REQUIRE(node.info(call, {}, info).has_value());
  CHECK(info.node_id() == "edge-1");
  CHECK(info.accessible_topology().segments().at("kubernetes.io/hostname") == "edge-1");
  csi::v1::NodeGetCapabilitiesResponse capabilities;
  REQUIRE(node.capabilities(call, {}, capabilities).has_value());
  CHECK(capabilities.capabilities_size() == 6);
}

TEST_CASE_METHOD(NodeScene, "a volume is formatted and staged once, and its tag tells", "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  CHECK(content_tag("pvc-1") == "formatted:u-1");
  CHECK(grown == std::vector<std::string>{"ext4 " + kStaging + " /dev/vg/pvc-1 8"});
  REQUIRE(stage("pvc-1").has_value());
  CHECK(preparer.asked.size() == 1);
  CHECK(mounter.mounts_of("/dev/vg/pvc-1").value().size() == 1);
}

TEST_CASE_METHOD(NodeScene, "what cannot be staged is refused, and nothing is mounted", "[lvm driver]") {
  REQUIRE(volumes.snapshot("snap-1", "pvc-1", {}, kNow).has_value());
  const std::string context = "volume_context { key: 'volumeType' value: 'Device' }";
  struct Case {
    const char* name;
    const char* id;
    std::string more;
    Code code;
  };
  const Case cases[] = {
      {"not there", "pvc-9", use("mount {}", "SINGLE_NODE_WRITER"), Code::kNotFound},
      {"no name", "not/a/name", use("mount {}", "SINGLE_NODE_WRITER"), Code::kNotFound},
      {"a snapshot", "snap-1", use("mount {}", "SINGLE_NODE_WRITER"), Code::kNotFound},
      {"many nodes", "pvc-1", use("mount {}", "MULTI_NODE_MULTI_WRITER"), Code::kInvalidArgument},
      {"another file system", "pvc-1", use("mount { fs_type: 'ntfs' }", "SINGLE_NODE_WRITER"),
       Code::kInvalidArgument},
      {"an option", "pvc-1", use("mount { mount_flags: 'loop' }", "SINGLE_NODE_WRITER"),
       Code::kInvalidArgument},
      {"a group", "pvc-1", use("mount { volume_mount_group: 'users' }", "SINGLE_NODE_WRITER"),
       Code::kInvalidArgument},
      {"another kind", "pvc-1", use("mount {}", "SINGLE_NODE_WRITER") + context, Code::kInvalidArgument},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      refuses(stage(c.id, c.more), c.code);
      CHECK(preparer.asked.empty());
      CHECK(mounter.mounts().value()->empty());
    }
  }
}

TEST_CASE_METHOD(NodeScene,
                 "a copy is marked as used before a pod gets it, and other volumes by their content",
                 "[lvm driver]") {
  const auto mark = [this](const std::string& id) {
    return std::string(lvm.look(kNow)->group("vg")->volume(id)->tag_value(kPublishedTag));
  };
  REQUIRE(stage("pvc-1").has_value());
  CHECK(mark("pvc-1").empty());
  VolumeRequest copy;
  copy.parameters = parse_parameters({{"vgName", "vg"}}, false).value();
  copy.source = ContentSource{.id = "pvc-1", .snapshot = false};
  for (const std::string name : {"copy-1", "copy-2"}) {
    copy.name = name;
    REQUIRE(volumes.create(copy, kNow).has_value());
    mounter.devices["/dev/vg/" + name] = ++last_minor;
    CHECK(mark(name).empty());
  }
  REQUIRE(stage("copy-1", use("mount {}", "SINGLE_NODE_WRITER"), kStaging + std::string("-1")).has_value());
  CHECK(mark("copy-1") == kYes);
  lvm.before = [](std::string_view, const VolumeName&) { return fail(Code::kUnavailable, "cut off"); };
  refuses(stage("copy-2", use("mount {}", "SINGLE_NODE_WRITER"), kStaging + std::string("-2")),
          Code::kUnavailable);
  CHECK(mark("copy-2").empty());
}

TEST_CASE_METHOD(NodeScene, "a volume that may not be formatted is not mounted", "[lvm driver]") {
  preparer.fault = Error{Code::kFailedPrecondition, 0, "holds something else"};
  refuses(stage("pvc-1"), Code::kFailedPrecondition);
  CHECK(mounter.mounts().value()->empty());
}

TEST_CASE_METHOD(NodeScene, "a volume that is staged otherwise is not staged again", "[lvm driver]") {
  make("pvc-2");
  REQUIRE(stage("pvc-1").has_value());
  refuses(stage("pvc-2"), Code::kAlreadyExists);
  refuses(stage("pvc-1", use("mount { fs_type: 'xfs' }", "SINGLE_NODE_WRITER")), Code::kAlreadyExists);
  refuses(stage("pvc-1", use("mount {}", "SINGLE_NODE_READER_ONLY")), Code::kAlreadyExists);
  CHECK(mounter.mounts_of("/dev/vg/pvc-1").value().size() == 1);
}

TEST_CASE_METHOD(NodeScene, "a volume that somebody has mounted is staged without being looked at",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(publish("pvc-1", kTarget).has_value());
  REQUIRE(mounter.unpublish(kStaging).has_value());
  REQUIRE(stage("pvc-1").has_value());
  CHECK(preparer.asked.size() == 1);
  CHECK(mounter.entry_at(kStaging).value().has_value());
}

// Another mkfs may make what can be mounted, and nobody has seen what this one has made.
TEST_CASE_METHOD(NodeScene, "a volume whose first mount is refused may be formatted again", "[lvm driver]") {
  mounter.before = [](std::string_view verb, const std::string&) -> Status {
    if (verb == "mount") return fail(Code::kInvalidArgument, "mount: Invalid argument");
    return {};
  };
  for (int i = 0; i < 2; ++i) {
    refuses(stage("pvc-1"), Code::kInvalidArgument);
    CHECK(content_tag("pvc-1") == "formatting");
  }
  mounter.before = [](auto&&...) { return Status{}; };
  REQUIRE(stage("pvc-1").has_value());
  CHECK(content_tag("pvc-1") == "formatted:u-1");
  CHECK(preparer.asked.size() == 3);
}

TEST_CASE_METHOD(NodeScene, "what may have been mounted is not formatted again", "[lvm driver]") {
  const auto refuse_stage = [this](Code code) {
    mounter.before = [code](std::string_view verb, const std::string&) -> Status {
      if (verb == "mount") return fail(code, "mount");
      return {};
    };
  };
  SECTION("the mount is late") {
    refuse_stage(Code::kDeadlineExceeded);
    refuses(stage("pvc-1"), Code::kDeadlineExceeded);
  }
  SECTION("it was formatted before") {
    set_content("pvc-1", "formatted:u-1");
    refuse_stage(Code::kInvalidArgument);
    refuses(stage("pvc-1"), Code::kInvalidArgument);
  }
  SECTION("it is mounted, and did not grow") {
    fault_of_grow = Error{Code::kInternal, 0, "resize"};
    refuses(stage("pvc-1"), Code::kInternal);
  }
  CHECK(content_tag("pvc-1") == "formatted:u-1");
}

TEST_CASE_METHOD(NodeScene, "what is mounted is none that may be formatted, whatever its tag says",
                 "[lvm driver]") {
  const std::string unused = GENERATE("new", "formatting");
  REQUIRE(stage("pvc-1").has_value());
  set_content("pvc-1", unused);
  REQUIRE(stage("pvc-1").has_value());
  CHECK(content_tag("pvc-1") == "maybe");
}

TEST_CASE_METHOD(NodeScene, "a volume that could not be grown is grown when it is staged again",
                 "[lvm driver]") {
  fault_of_grow = Error{Code::kUnavailable, 0, "not now"};
  refuses(stage("pvc-1"), Code::kUnavailable);
  fault_of_grow.reset();
  REQUIRE(stage("pvc-1").has_value());
  CHECK(grown.size() == 2);
  REQUIRE(unstage("pvc-1").has_value());
  REQUIRE(stage("pvc-1", use("mount {}", "SINGLE_NODE_READER_ONLY")).has_value());
  CHECK(grown.size() == 2);
}

TEST_CASE_METHOD(NodeScene, "a mount whose device is gone is taken away and made anew", "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(publish("pvc-1", kTarget).has_value());
  mounter.devices["/dev/vg/pvc-1"] = 77;  // it came back under another number
  REQUIRE(stage("pvc-1").has_value());
  CHECK(mounter.entry_at(kStaging).value()->minor == 77);
  REQUIRE(publish("pvc-1", kTarget).has_value());
  CHECK(mounter.entry_at(kTarget).value()->minor == 77);
}

TEST_CASE_METHOD(NodeScene, "a volume without its device is activated", "[lvm driver]") {
  REQUIRE(lvm.deactivate({"vg", "pvc-1"}, kNow).has_value());
  REQUIRE(stage("pvc-1").has_value());
  CHECK(lvm.look(kNow)->group("vg")->volume("pvc-1")->active);
}

TEST_CASE_METHOD(NodeScene, "a second publish is answered by the table of the specification",
                 "[lvm driver]") {
  struct Case {
    const char* name;
    const char* mode;
    std::string target;
    bool read_only;
    std::optional<Code> code;
  };
  const Case cases[] = {
      {"the same again", "SINGLE_NODE_WRITER", kTarget, false, std::nullopt},
      {"otherwise", "SINGLE_NODE_WRITER", kTarget, true, Code::kAlreadyExists},
      {"elsewhere", "SINGLE_NODE_WRITER", kOther, false, Code::kFailedPrecondition},
      {"elsewhere, one writer", "SINGLE_NODE_SINGLE_WRITER", kOther, false, Code::kFailedPrecondition},
      {"the same again, of many", "SINGLE_NODE_MULTI_WRITER", kTarget, false, std::nullopt},
      {"otherwise, of many", "SINGLE_NODE_MULTI_WRITER", kTarget, true, Code::kAlreadyExists},
      {"elsewhere, of many", "SINGLE_NODE_MULTI_WRITER", kOther, false, std::nullopt},
      {"elsewhere and otherwise, of many", "SINGLE_NODE_MULTI_WRITER", kOther, true, std::nullopt},
  };
  for (const char* kind : {"mount {}", "block {}"}) {
    const bool raw = std::string_view(kind) == "block {}";
    for (const Case& c : cases) {
      if (raw && c.read_only) continue;  // the node of a raw volume is the same for both
      DYNAMIC_SECTION(kind << " " << c.name) {
        const std::string id = raw ? "raw-1" : "pvc-1";
        if (raw) make(id, "false", true);
        REQUIRE(stage(id, use(kind, c.mode)).has_value());
        REQUIRE(publish(id, kTarget, use(kind, c.mode)).has_value());
        const Status again = publish(id, c.target, use(kind, c.mode) + (c.read_only ? "readonly: true" : ""));
        if (c.code)
          refuses(again, *c.code);
        else
          CHECK(again.has_value());
        CHECK(mounter.entry_at(kOther).value().has_value() == (!c.code && c.target == kOther));
      }
    }
  }
}

TEST_CASE_METHOD(NodeScene, "what was staged read-only is published read-only", "[lvm driver]") {
  const std::string reader = use("mount {}", "SINGLE_NODE_READER_ONLY");
  REQUIRE(stage("pvc-1", reader).has_value());
  for (int again = 0; again < 2; ++again) REQUIRE(publish("pvc-1", kTarget, reader).has_value());
  CHECK(mounter.entry_at(kTarget).value()->read_only());
}

TEST_CASE_METHOD(NodeScene, "only what is staged is published, and only from there", "[lvm driver]") {
  make("pvc-2");
  refuses(publish("pvc-1", kTarget), Code::kFailedPrecondition);
  REQUIRE(stage("pvc-2").has_value());
  refuses(publish("pvc-1", kTarget), Code::kFailedPrecondition);
  refuses(publish("pvc-9", kTarget), Code::kNotFound);
  refuses(publish("pvc-2", "/kubelet/pods/none/mount"), Code::kNotFound);
  CHECK_FALSE(mounter.entry_at(kTarget).value().has_value());
}

TEST_CASE_METHOD(NodeScene, "a part of a volume that is bound for a container is no publication",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  mount::Mounts mounts = mounter.mounts_of("/dev/vg/pvc-1").value();
  REQUIRE(mounts.size() == 1);
  mounts.push_back(mounts[0]);
  mounts.back().root = "/sub";
  mounts.back().target = "/kubelet/pods/a/volume-subpaths/0";
  CHECK(staging::publications(mounts, kStaging).empty());
}

TEST_CASE_METHOD(NodeScene, "a group gets the volume before a pod sees it, unless it is read-only",
                 "[lvm driver]") {
  const std::string grouped = use("mount { volume_mount_group: '2000' }", "SINGLE_NODE_WRITER");
  REQUIRE(stage("pvc-1", grouped).has_value());
  fault_of_group = Error{Code::kAborted, 0, "ask again"};
  refuses(publish("pvc-1", kTarget, grouped), Code::kAborted);
  CHECK_FALSE(mounter.entry_at(kTarget).value().has_value());
  fault_of_group.reset();
  REQUIRE(publish("pvc-1", kTarget, grouped).has_value());
  CHECK(given == std::vector<std::string>(2, kStaging + " 2000"));
  REQUIRE(unpublish("pvc-1", kTarget).has_value());
  REQUIRE(unstage("pvc-1").has_value());
  const std::string reader = use("mount { volume_mount_group: '2000' }", "SINGLE_NODE_READER_ONLY");
  REQUIRE(stage("pvc-1", reader).has_value());
  REQUIRE(publish("pvc-1", kTarget, reader).has_value());
  CHECK(given.size() == 2);
}

TEST_CASE_METHOD(NodeScene, "unpublishing takes away what is the volume's, without asking LVM",
                 "[lvm driver]") {
  make("pvc-2");
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(publish("pvc-1", kTarget).has_value());
  const int looks = lvm.looks;
  refuses(unpublish("pvc-2", kTarget), Code::kFailedPrecondition);
  for (int again = 0; again < 2; ++again) CHECK(unpublish("pvc-1", kTarget).has_value());
  CHECK(unpublish("pvc-9", kTarget).has_value());
  refuses(unpublish("pvc-1", "/etc"), Code::kInvalidArgument);
  CHECK(lvm.looks == looks);
  CHECK_FALSE(mounter.entry_at(kTarget).value().has_value());
}

// As after an update of kubelet, which has moved its folder for staging.
TEST_CASE_METHOD(NodeScene, "a volume that is staged at two paths is unstaged at both, behind its pods",
                 "[lvm driver]") {
  const std::string moved = "/kubelet/plugins/kubernetes.io/csi/driver/2/globalmount";
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(stage("pvc-1", use("mount {}", "SINGLE_NODE_WRITER"), moved).has_value());
  REQUIRE(publish("pvc-1", kTarget, use("mount {}", "SINGLE_NODE_WRITER"), moved).has_value());
  refuses(unstage("pvc-1", moved), Code::kFailedPrecondition);
  CHECK(mounter.mounts_of("/dev/vg/pvc-1").value().size() == 3);
  REQUIRE(unpublish("pvc-1", kTarget).has_value());
  REQUIRE(unstage("pvc-1", moved).has_value());
  CHECK(mounter.mounts_of("/dev/vg/pvc-1").value().empty());
  CHECK(unstage("pvc-1").has_value());
}

// As where kubelet's folder is bound from another disk.
TEST_CASE_METHOD(NodeScene, "what mounts are called outside kubelet's folder does not count",
                 "[lvm driver]") {
  const std::string second = "/data/pods/x/mount";
  const auto lonely = use("mount {}", "SINGLE_NODE_SINGLE_WRITER");
  REQUIRE(stage("pvc-1", lonely).has_value());
  mounter.mount_elsewhere("/dev/vg/pvc-1", "/data/plugins/kubernetes.io/csi/driver/1/globalmount");
  for (int again = 0; again < 2; ++again) {
    REQUIRE(publish("pvc-1", kTarget, lonely).has_value());
    if (again == 0) mounter.mount_elsewhere("/dev/vg/pvc-1", second);
  }
  refuses(unstage("pvc-1"), Code::kFailedPrecondition);
  CHECK(mounter.entry_at(kStaging).value().has_value());
  REQUIRE(unpublish("pvc-1", kTarget).has_value());
  // A name that does not go with the mount is somebody's own.
  refuses(unstage("pvc-1"), Code::kFailedPrecondition);
  CHECK_FALSE(mounter.entry_at(kStaging).value().has_value());
}

// A late call of a kubelet that has moved its folder.
TEST_CASE_METHOD(NodeScene, "unstaging where a volume is not staged leaves it where it is", "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(unstage("pvc-1", "/kubelet/plugins/kubernetes.io/csi/driver/2/globalmount").has_value());
  CHECK(mounter.entry_at(kStaging).value().has_value());
  REQUIRE(publish("pvc-1", kTarget).has_value());
  refuses(unstage("pvc-1", "/kubelet/plugins/kubernetes.io/csi/driver/2/globalmount"),
          Code::kFailedPrecondition);
}

TEST_CASE_METHOD(NodeScene, "unstaging succeeds when nobody has the device any more", "[lvm driver]") {
  make("pvc-2");
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(publish("pvc-1", kTarget).has_value());
  refuses(unstage("pvc-2"), Code::kFailedPrecondition);
  refuses(unstage("pvc-1"), Code::kFailedPrecondition);
  CHECK(mounter.entry_at(kStaging).value().has_value());
  REQUIRE(unpublish("pvc-1", kTarget).has_value());
  mounter.held.insert("/dev/vg/pvc-1");
  refuses(unstage("pvc-1"), Code::kFailedPrecondition);
  mounter.held.clear();
  for (int again = 0; again < 2; ++again) CHECK(unstage("pvc-1").has_value());
  CHECK_FALSE(stats.latest("pvc-1").has_value());
  CHECK(lvm.look(kNow)->group("vg")->volume("pvc-1")->active);
  CHECK(unstage("pvc-9").has_value());
}

struct RawScene : NodeScene {
  RawScene() { make("raw-1", "false", true); }
};

// Only superblocks were zeroed when it was made.
TEST_CASE_METHOD(NodeScene, "a volume for a file system is not given raw, with what earlier volumes left",
                 "[lvm driver]") {
  refuses(stage("pvc-1", as_block), Code::kFailedPrecondition);
  REQUIRE(stage("pvc-1").has_value());
  refuses(publish("pvc-1", kTarget, as_block), Code::kFailedPrecondition);
  CHECK_FALSE(mounter.entry_at(kTarget).value().has_value());
  REQUIRE(unstage("pvc-1").has_value());
  refuses(publish("pvc-1", kTarget, as_block), Code::kFailedPrecondition);
  CHECK_FALSE(mounter.entry_at(kTarget).value().has_value());
}

TEST_CASE_METHOD(NodeScene, "volumes of a pool and of other makers are given raw", "[lvm driver]") {
  REQUIRE(lvm.create_pool({.name = {"vg", "pool"}, .size_bytes = 40 * kMiB, .tags = {}}, kNow).has_value());
  REQUIRE(lvm.create({.name = {"vg", "thin"},
                      .size_bytes = 8 * kMiB,
                      .pool = "pool",
                      .tags = {tag(kStateTag, kReady)}},
                     kNow)
              .has_value());
  REQUIRE(lvm.create({.name = {"vg", "theirs"}, .size_bytes = 8 * kMiB, .pool = {}, .tags = {}}, kNow)
              .has_value());
  for (const std::string id : {"thin", "theirs"}) {
    mounter.devices["/dev/vg/" + id] = ++last_minor;
    REQUIRE(stage(id, as_block).has_value());
    REQUIRE(publish(id, kTarget + id, as_block).has_value());
  }
}

TEST_CASE_METHOD(RawScene, "a raw volume is published as its device, and unstaged behind that",
                 "[lvm driver]") {
  REQUIRE(stage("raw-1", as_block).has_value());
  CHECK(preparer.asked.empty());
  CHECK(content_tag("raw-1") == "maybe");  // whatever the pod writes
  REQUIRE(publish("raw-1", kTarget, as_block).has_value());
  CHECK(mounter.entry_at(kTarget).value()->type == "devtmpfs");
  const auto told = usage("raw-1", kTarget).value();
  REQUIRE(told.usage_size() == 1);
  CHECK(told.usage(0).total() == 100);
  CHECK(told.usage(0).used() == 0);
  CHECK(expand("raw-1", kTarget, kMiB).value() == 8 * kMiB);
  CHECK(grown.empty());
  refuses(unstage("raw-1"), Code::kFailedPrecondition);
  REQUIRE(unpublish("raw-1", kTarget).has_value());
  CHECK(unstage("raw-1").has_value());
}

// What the pod has written would be formatted over when the volume is next staged for files.
TEST_CASE_METHOD(RawScene, "a volume that was given raw is never formatted without being asked",
                 "[lvm driver]") {
  const std::string unused = GENERATE("new", "formatting");
  const bool staged = GENERATE(true, false);
  CAPTURE(unused, staged);
  if (unused != "new") set_content("raw-1", unused);
  if (staged) REQUIRE(stage("raw-1", as_block).has_value());
  REQUIRE(publish("raw-1", kTarget, as_block).has_value());
  CHECK(content_tag("raw-1") == "maybe");
  REQUIRE(unpublish("raw-1", kTarget).has_value());
  const int looks = lvm.looks;
  REQUIRE(publish("raw-1", kTarget, as_block).has_value());
  CHECK(lvm.looks == looks);
}

TEST_CASE_METHOD(RawScene, "a failed format does not hide that a volume was given raw after it",
                 "[lvm driver]") {
  preparer.fault = Error{Code::kInternal, 0, "mkfs"};
  refuses(stage("raw-1"), Code::kInternal);
  set_content("raw-1", "formatting");  // as the real one leaves it
  REQUIRE(stage("raw-1", as_block).has_value());
  CHECK(content_tag("raw-1") == "maybe");
}

TEST_CASE_METHOD(RawScene, "a volume is not used raw and by its file system at a time", "[lvm driver]") {
  REQUIRE(stage("raw-1", as_block).has_value());
  REQUIRE(publish("raw-1", kTarget, as_block).has_value());
  refuses(stage("raw-1"), Code::kFailedPrecondition);
  CHECK(preparer.asked.empty());
  REQUIRE(unpublish("raw-1", kTarget).has_value());
  REQUIRE(stage("raw-1").has_value());
  refuses(publish("raw-1", kTarget, as_block), Code::kFailedPrecondition);
  REQUIRE(publish("raw-1", kTarget).has_value());
}

TEST_CASE_METHOD(RawScene, "a raw volume is not unpublished where another one is", "[lvm driver]") {
  make("pvc-2", "false", true);
  const std::string other = kTarget + "-2";
  for (const char* id : {"raw-1", "pvc-2"}) REQUIRE(stage(id, as_block).has_value());
  REQUIRE(publish("raw-1", kTarget, as_block).has_value());
  REQUIRE(publish("pvc-2", other, as_block).has_value());
  refuses(unpublish("raw-1", other), Code::kFailedPrecondition);
  CHECK(mounter.entry_at(other).value().has_value());
  REQUIRE(unpublish("pvc-2", other).has_value());
  REQUIRE(unpublish("raw-1", kTarget).has_value());
}

struct EncryptedScene : NodeScene {
  EncryptedScene() {
    make("pvc-2", "true");
    mounter.devices[clear] = 70;
  }
  const std::string mapping = "luks-vg-pvc--2";
  const std::string clear = "/dev/mapper/luks-vg-pvc--2";
  const std::string secret = " secrets { key: 'encryptionPassphrase' value: 'open sesame' } ";
};

TEST_CASE_METHOD(EncryptedScene, "an encrypted volume is not staged without its passphrase", "[lvm driver]") {
  refuses(stage("pvc-2"), Code::kInvalidArgument);
  refuses(stage("pvc-2", as_block), Code::kInvalidArgument);
  CHECK(preparer.asked.empty());
}

TEST_CASE_METHOD(EncryptedScene, "what a pod gets of an encrypted volume is its clear device",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-2", use("mount {}", "SINGLE_NODE_WRITER") + secret).has_value());
  REQUIRE(preparer.asked.size() == 1);
  CHECK(preparer.asked[0].device == "/dev/vg/pvc-2");
  CHECK(preparer.asked[0].mapping == mapping);
  CHECK(preparer.asked[0].passphrase == "open sesame");
  CHECK_FALSE(preparer.asked[0].raw);
  CHECK(grown == std::vector<std::string>{"ext4 " + kStaging + " " + clear + " 0"});
  CHECK(mounter.mounts_of(clear).value().size() == 1);
  REQUIRE(publish("pvc-2", kTarget).has_value());
  CHECK(usage("pvc-2", kTarget).has_value());
  grown.clear();
  REQUIRE(expand("pvc-2", kTarget, kMiB).has_value());
  CHECK(encryption.grown == std::vector<std::string>{mapping});
  CHECK(grown == std::vector<std::string>{"ext4 " + kStaging + " " + clear + " 0"});
  refuses(unstage("pvc-2"), Code::kFailedPrecondition);
  CHECK(encryption.closed.empty());
  REQUIRE(unpublish("pvc-2", kTarget).has_value());
  REQUIRE(unstage("pvc-2").has_value());
  CHECK(encryption.closed == std::vector<std::string>{mapping});
}

TEST_CASE_METHOD(EncryptedScene, "an encrypted volume is unstaged when it is closed, and not before",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-2", use("mount {}", "SINGLE_NODE_WRITER") + secret).has_value());
  encryption.fault = Error{Code::kUnavailable, 0, "in use"};
  refuses(unstage("pvc-2"), Code::kUnavailable);
  CHECK(mounter.mounts().value()->empty());
  encryption.fault.reset();
  REQUIRE(unstage("pvc-2").has_value());
  CHECK(encryption.closed == std::vector<std::string>{mapping});
}

TEST_CASE_METHOD(EncryptedScene, "an encrypted volume that could not be staged is closed again",
                 "[lvm driver]") {
  const std::string with_secret = use("mount {}", "SINGLE_NODE_WRITER") + secret;
  mounter.before = [](std::string_view verb, const std::string&) -> Status {
    if (verb == "mount") return fail(Code::kInvalidArgument, "mount: Invalid argument");
    return {};
  };
  refuses(stage("pvc-2", with_secret), Code::kInvalidArgument);
  CHECK(encryption.closed == std::vector<std::string>{mapping});
  mounter.before = [](auto&&...) { return Status{}; };
  REQUIRE(stage("pvc-2", with_secret).has_value());
  // It is in use: what fails now leaves it open.
  refuses(stage("pvc-2", use("mount { fs_type: 'xfs' }", "SINGLE_NODE_WRITER") + secret),
          Code::kAlreadyExists);
  CHECK(encryption.closed.size() == 1);
}

TEST_CASE_METHOD(EncryptedScene, "a raw volume that is encrypted is published as its clear device",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-2", as_block + secret).has_value());
  CHECK(preparer.asked.at(0).raw);
  CHECK(content_tag("pvc-2") == "formatted:u-1");
  REQUIRE(publish("pvc-2", kTarget, as_block).has_value());
  CHECK(mounter.mounts_of(clear).value().size() == 1);
  CHECK(mounter.mounts_of("/dev/vg/pvc-2").value().empty());
  REQUIRE(expand("pvc-2", kTarget, kMiB).has_value());
  CHECK(encryption.grown == std::vector<std::string>{mapping});
  REQUIRE(unpublish("pvc-2", kTarget).has_value());
  REQUIRE(unstage("pvc-2").has_value());
  CHECK(encryption.closed == std::vector<std::string>{mapping});
}

TEST_CASE_METHOD(NodeScene, "usage is told at once, of what is at the path, without asking LVM again",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(publish("pvc-1", kTarget).has_value());
  const int looks = lvm.looks;
  for (const std::string& path : {kTarget, kStaging}) {
    const auto told = usage("pvc-1", path).value();
    REQUIRE(told.usage_size() == 2);
    CHECK(told.usage(0).unit() == csi::v1::VolumeUsage::BYTES);
    CHECK(told.usage(0).total() == 100);
    CHECK(told.usage(0).available() == 60);
    CHECK(told.usage(1).unit() == csi::v1::VolumeUsage::INODES);
    CHECK(told.usage(1).used() == 3);
    CHECK_FALSE(told.volume_condition().abnormal());
  }
  for (const char* path : {"/kubelet/pods/b", "/etc", "relative", "/"}) {
    CAPTURE(path);
    refuses(usage("pvc-1", path), Code::kNotFound);
  }
  CHECK(lvm.looks == looks);
  refuses(usage("pvc-9", kTarget), Code::kNotFound);
}

TEST_CASE_METHOD(NodeScene, "a file system that turned read-only is told as an abnormal condition",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  mounter.turn_read_only("/dev/vg/pvc-1");
  CHECK(usage("pvc-1", kStaging)->volume_condition().abnormal());
  csi::v1::NodeGetVolumeHealthResponse health;
  REQUIRE(node.volume_health(call, message<csi::v1::NodeGetVolumeHealthRequest>("volume_id: 'pvc-1'"), health)
              .has_value());
  REQUIRE(health.volume_health().health_statuses_size() == 1);
  CHECK(health.volume_health().health_statuses(0).reason() == "ReadOnly");
}

TEST_CASE_METHOD(NodeScene, "what LVM tells of a volume's pool is told with its usage", "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  LogicalVolume pool;
  pool.name = "pool0";
  pool.layout = Layout::kThinPool;
  pool.data_percent = 100.0;
  LogicalVolume volume = *lvm.look(kNow)->group("vg")->volume("pvc-1");
  volume.pool = "pool0";
  Inventory told = lvm.look(kNow).value();
  told.groups[0].volumes = {pool, volume};
  book.update(told);
  const auto condition = usage("pvc-1", kStaging)->volume_condition();
  CHECK(condition.abnormal());
  CHECK(condition.message().find("full") != std::string::npos);
}

TEST_CASE_METHOD(NodeScene, "a volume that never answered is unavailable", "[lvm driver]") {
  probe->dead = true;
  REQUIRE(stage("pvc-1").has_value());
  refuses(usage("pvc-1", kStaging), Code::kUnavailable);
}

TEST_CASE_METHOD(NodeScene, "what is on a volume grows when the volume has grown", "[lvm driver]") {
  REQUIRE(stage("pvc-1").has_value());
  REQUIRE(publish("pvc-1", kTarget).has_value());
  grown.clear();
  refuses(expand("pvc-1", kOther, kMiB), Code::kNotFound);
  refuses(expand("pvc-9", kTarget, kMiB), Code::kNotFound);
  refuses(expand("pvc-1", kTarget, 16 * kMiB), Code::kUnavailable);
  CHECK(grown.empty());
  REQUIRE(volumes.extend("pvc-1", 16 * kMiB, 0, kNow).has_value());
  CHECK(expand("pvc-1", kTarget, 16 * kMiB).value() == 16 * kMiB);
  CHECK(grown == std::vector<std::string>{"ext4 " + kStaging + " /dev/vg/pvc-1 16"});
}

TEST_CASE_METHOD(NodeScene, "a volume that is mounted read-only grows when it is written to again",
                 "[lvm driver]") {
  REQUIRE(stage("pvc-1", use("mount {}", "SINGLE_NODE_READER_ONLY")).has_value());
  REQUIRE(volumes.extend("pvc-1", 16 * kMiB, 0, kNow).has_value());
  CHECK(expand("pvc-1", kStaging, 16 * kMiB).value() == 16 * kMiB);
  CHECK(grown.empty());
  REQUIRE(unstage("pvc-1").has_value());
  REQUIRE(stage("pvc-1").has_value());
  CHECK(grown == std::vector<std::string>{"ext4 " + kStaging + " /dev/vg/pvc-1 16"});
}

const std::string kInlineId = "csi-" + std::string(64, 'a');

std::string attribute(const std::string& key, const std::string& value) {
  return " volume_context { key: '" + key + "' value: '" + value + "' } ";
}

struct InlineScene : NodeScene {
  InlineScene() { mounter.devices["/dev/vg/" + kInlineId] = 50; }
  Status begin(const std::string& more = attribute("size", "8Mi")) {
    return publish(kInlineId, kTarget,
                   use("mount {}", "SINGLE_NODE_WRITER") + attribute("csi.storage.k8s.io/ephemeral", "true") +
                       attribute("csi.storage.k8s.io/pod.name", "a") + attribute("vgName", "vg") + more,
                   "");
  }
  const LogicalVolume* volume() {
    state = lvm.look(kNow).value();
    return state.group("vg")->volume(kInlineId);
  }
  const std::string staged = "/kubelet/plugins/driver/inline/" + kInlineId;
  Inventory state;
};

TEST_CASE_METHOD(InlineScene, "a volume that a pod's definition asks for begins and ends with the pod",
                 "[lvm driver]") {
  for (int again = 0; again < 2; ++again) REQUIRE(begin().has_value());
  REQUIRE(volume() != nullptr);
  CHECK(volume()->tag_value(kLifeTag) == kPodsLife);
  CHECK(volume()->tag_value(kContentTag) == "formatted:u-1");
  CHECK(preparer.asked.size() == 1);
  CHECK(mounter.mounts_of("/dev/vg/" + kInlineId).value().size() == 2);
  CHECK(usage(kInlineId, kTarget)->usage(0).total() == 100);
  for (int again = 0; again < 2; ++again) REQUIRE(unpublish(kInlineId, kTarget).has_value());
  CHECK(volume() == nullptr);
  CHECK_FALSE(mounter.exists(staged));
}

TEST_CASE_METHOD(InlineScene, "a pod's own volume has an id of kubelet's, and is nobody else's",
                 "[lvm driver]") {
  const std::string more = use("mount {}", "SINGLE_NODE_WRITER") +
                           attribute("csi.storage.k8s.io/ephemeral", "true") + attribute("vgName", "vg") +
                           attribute("size", "8Mi");
  for (const char* id : {"my-own", "pvc-1"}) {
    refuses(publish(id, kTarget, more, ""), Code::kInvalidArgument);
    CHECK_FALSE(mounter.entry_at(kTarget).value().has_value());
  }
  CHECK(lvm.look(kNow)->group("vg")->volume("my-own") == nullptr);
  make(kInlineId);
  refuses(begin(), Code::kAlreadyExists);
  CHECK(mounter.mounts_of("/dev/vg/" + kInlineId).value().empty());
}

TEST_CASE_METHOD(InlineScene, "a pod's own volume gets the file system that its definition names",
                 "[lvm driver]") {
  const auto begin_with = [this](const std::string& size) {
    return publish(kInlineId, kTarget,
                   use("mount { fs_type: 'xfs' }", "SINGLE_NODE_WRITER") +
                       attribute("csi.storage.k8s.io/ephemeral", "true") + attribute("vgName", "vg") +
                       attribute("mkfsOptions", "-m reflink=1") + attribute("size", size),
                   "");
  };
  refuses(begin_with("0"), Code::kInvalidArgument);
  refuses(begin_with("50Mi"), Code::kOutOfRange);
  CHECK(volume() == nullptr);
  REQUIRE(begin_with("320Mi").has_value());
  CHECK(preparer.asked.at(0).fs_type == "xfs");
}

TEST_CASE_METHOD(InlineScene, "a pod's volume that was cut off anywhere is finished by the same call again",
                 "[lvm driver]") {
  const std::string verb = GENERATE("create", "change_tags", "remove");
  CAPTURE(verb);
  int faults = 1;
  lvm.after = [&](std::string_view done, const VolumeName&) -> Status {
    if (done == verb && faults-- > 0) return fail(Code::kAborted, "cut off");
    return {};
  };
  const bool at_begin = verb != "remove";
  CHECK(begin().has_value() != at_begin);
  REQUIRE(begin().has_value());
  CHECK(unpublish(kInlineId, kTarget).has_value() == at_begin);
  REQUIRE(unpublish(kInlineId, kTarget).has_value());
  CHECK(volume() == nullptr);
}

TEST_CASE_METHOD(InlineScene, "who may make a pod may not choose everything of its volume", "[lvm driver]") {
  struct Case {
    const char* name;
    std::string attributes;
  };
  const Case cases[] = {
      {"no size", ""},
      {"no size that is one", attribute("size", "much")},
      {"tags", attribute("size", "8Mi") + attribute("lvTags", "csi.state=deleting")},
      {"what becomes of it", attribute("size", "8Mi") + attribute("wipeOnDelete", "none")},
      {"what is not known", attribute("size", "8Mi") + attribute("iops", "5")},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      refuses(begin(c.attributes), Code::kInvalidArgument);
      CHECK(volume() == nullptr);
    }
  }
}

TEST_CASE_METHOD(InlineScene, "a volume of a claim outlives its unpublish, whatever its name",
                 "[lvm driver]") {
  make(kInlineId);
  REQUIRE(stage(kInlineId).has_value());
  REQUIRE(publish(kInlineId, kTarget).has_value());
  REQUIRE(unpublish(kInlineId, kTarget).has_value());
  CHECK(volume() != nullptr);
  CHECK(mounter.entry_at(kStaging).value().has_value());
}

}  // namespace
}  // namespace holdfast::lvm
