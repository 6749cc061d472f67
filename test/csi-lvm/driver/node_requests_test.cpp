#include "csi-lvm/driver/node_requests.h"

#include <sys/mount.h>

#include "csi-lvm/driver/volume_condition.h"
#include "test/csi/driver_tests.h"

namespace holdfast::lvm {
namespace {

using csi::test::message;
using csi::test::refuses;
using csi::v1::VolumeCapability;

LocalVolume volume(const std::string& source = {}, const std::string& content = {}) {
  LocalVolume out;
  out.name = {"vg", "pvc-1"};
  out.source = source;
  out.content = content;
  return out;
}

VolumeCapability capability(const std::string& mount, const std::string& mode = "SINGLE_NODE_WRITER") {
  return message<VolumeCapability>("mount { " + mount + " } access_mode { mode: " + mode + " }");
}

TEST_CASE("a volume is mounted with its own options, and those of its mode and making", "[lvm driver]") {
  struct Case {
    const char* name;
    VolumeCapability wanted;
    const char* fs_type;
    const char* source;
    mount::MountOptions options;
  };
  const Case cases[] = {
      {"as it is", capability(""), "ext4", "", {}},
      {"flags of the class",
       capability("mount_flags: 'noatime' mount_flags: 'commit=5'"),
       "ext4",
       "",
       {MS_NOATIME, "commit=5"}},
      {"for a reader", capability("", "SINGLE_NODE_READER_ONLY"), "ext4", "", {MS_RDONLY, ""}},
      {"an xfs that was made of another", capability(""), "xfs", "snap-1", {0, "nouuid"}},
      {"an xfs of its own", capability(""), "xfs", "", {}},
      {"an ext4 that was made of another", capability(""), "ext4", "snap-1", {}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CHECK(mount_options_of(c.wanted, c.fs_type, volume(c.source)).value() == c.options);
    }
  }
  refuses(mount_options_of(capability("mount_flags: 'loop'"), "ext4", volume()), Code::kInvalidArgument);
}

TEST_CASE("what a volume is prepared with comes from its tag, its capability and its attributes",
          "[lvm driver]") {
  const auto prepared = [](const std::string& attributes, const std::string& mount = {},
                           const std::string& content = {}) {
    auto request = message<csi::v1::NodeStageVolumeRequest>("volume_id: 'pvc-1' " + attributes);
    *request.mutable_volume_capability() = capability(mount);
    return prepare_request_of(request, volume({}, content)).value();
  };
  const auto attribute = [](const std::string& key, const std::string& value) {
    return "volume_context { key: '" + key + "' value: '" + value + "' } ";
  };
  const block::PrepareRequest plain = prepared("");
  CHECK(plain.device == "/dev/vg/pvc-1");
  CHECK(plain.fs_type == "ext4");
  CHECK(plain.provenance.kind == block::Provenance::Kind::kNone);
  CHECK(plain.format_if_blank);
  CHECK_FALSE(plain.omit_fsck);
  CHECK_FALSE(plain.read_only);
  CHECK(prepared("", "", "new").provenance.kind == block::Provenance::Kind::kNew);
  CHECK(prepared("", "", "formatted:u-1").provenance.uuid == "u-1");
  CHECK(prepared("", "fs_type: 'xfs'").fs_type == "xfs");
  CHECK(prepared(attribute("fsType", "ext3")).fs_type == "ext3");
  CHECK(prepared(attribute("fsType", "ext3"), "fs_type: 'xfs'").fs_type == "xfs");
  CHECK(prepared(attribute("mkfsOptions", "-m 0")).mkfs_options == std::vector<std::string>{"-m", "0"});
  CHECK_FALSE(prepared(attribute("formatIfBlank", "false")).format_if_blank);
  CHECK(prepared(attribute("omitfsck", "True")).omit_fsck);
  CHECK(prepared("", "mount_flags: 'ro'").read_only);
  CHECK(prepared(attribute("volumeType", "LVM") + attribute("vgName", "vg")).device == "/dev/vg/pvc-1");
  refuses(prepare_request_of(message<csi::v1::NodeStageVolumeRequest>(attribute("volumeType", "QuotaPath")),
                             volume()),
          Code::kInvalidArgument);
}

TEST_CASE("the group of a volume is a number", "[lvm driver]") {
  CHECK_FALSE(group_of(capability("")).value().has_value());
  CHECK(group_of(capability("volume_mount_group: '2000'")).value() == 2000U);
  for (const char* wrong : {"users", "-1", "20x", "4294967295", "99999999999"}) {
    CAPTURE(wrong);
    refuses(group_of(capability("volume_mount_group: '" + std::string(wrong) + "'")), Code::kInvalidArgument);
  }
}

TEST_CASE("the source of a mount names its volume in either of two ways", "[lvm driver]") {
  struct Case {
    const char* source;
    const char* id;
    bool named;
  };
  const Case cases[] = {
      {"/dev/vg/pvc-1", "pvc-1", true},
      {"/dev/mapper/vg-pvc--1", "pvc-1", true},
      {"/dev/mapper/my--vg-pvc--1", "pvc-1", true},
      {"/dev/vg/pvc-11", "pvc-1", false},
      {"/dev/vg/my-pvc-1", "pvc-1", false},
      {"/dev/mapper/vg-a--b", "b", false},
      {"/dev/mapper/vg--b", "b", false},
      {"/dev/mapper/vg---b", "b", true},
      {"/srv/share/pvc-1", "pvc-1", false},
      {"tmpfs", "tmpfs", false},
      {"", "", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.source, c.id);
    CHECK(is_named_by(c.source, c.id) == c.named);
  }
}

TEST_CASE("whatever is wrong with a volume is told in the words of both versions of CSI", "[lvm driver]") {
  struct Case {
    const char* name;
    VolumeSigns signs;
    const char* reason;
    csi::v1::VolumeHealthErrorType type;
  };
  VolumeSigns missing;
  missing.missing_disk = true;
  VolumeSigns broken;
  broken.broken_mount = true;
  VolumeSigns silent;
  silent.trouble = "the file system at /x has not answered for 9 s";
  VolumeSigns read_only;
  read_only.turned_read_only = true;
  VolumeSigns errors;
  errors.io_errors = 3;
  const Case cases[] = {
      {"a disk is missing", missing, "DiskMissing", csi::v1::INACCESSIBLE},
      {"the device is gone", broken, "DeviceGone", csi::v1::INACCESSIBLE},
      {"no answer", silent, "NoAnswer", csi::v1::INACCESSIBLE},
      {"turned read-only", read_only, "ReadOnly", csi::v1::DEGRADED},
      {"errors", errors, "Errors", csi::v1::DEGRADED},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const std::vector<Ailment> ailments = ailments_of(c.signs);
      REQUIRE(ailments.size() == 1);
      csi::v1::VolumeCondition condition;
      csi::v1::VolumeHealth health;
      tell(ailments, condition);
      tell("pvc-1", ailments, health);
      CHECK(condition.abnormal());
      CHECK(condition.message() == ailments[0].message);
      CHECK(health.volume_id() == "pvc-1");
      REQUIRE(health.health_statuses_size() == 1);
      CHECK(health.health_statuses(0).reason() == c.reason);
      CHECK(health.health_statuses(0).status() == c.type);
    }
  }
  missing.io_errors = 1;
  csi::v1::VolumeCondition both;
  tell(ailments_of(missing), both);
  CHECK(both.message().find("; the file system has met 1") != std::string::npos);
  csi::v1::VolumeCondition well;
  csi::v1::VolumeHealth no_news;
  tell(ailments_of({}), well);
  tell("pvc-1", ailments_of({}), no_news);
  CHECK_FALSE(well.abnormal());
  CHECK_FALSE(well.message().empty());
  CHECK(no_news.health_statuses().empty());
}

}  // namespace
}  // namespace holdfast::lvm
