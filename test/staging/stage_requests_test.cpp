#include "common/staging/stage_requests.h"

#include <sys/mount.h>

#include "common/staging/ailments.h"
#include "test/csi/driver_tests.h"

namespace holdfast::staging {
namespace {

using csi::test::message;
using csi::test::refuses;
using csi::v1::VolumeCapability;

VolumeCapability capability(const std::string& mount, const std::string& mode = "SINGLE_NODE_WRITER") {
  return message<VolumeCapability>("mount { " + mount + " } access_mode { mode: " + mode + " }");
}

TEST_CASE("a volume is mounted with its own options, and those of its mode and making", "[staging]") {
  struct Case {
    const char* name;
    VolumeCapability wanted;
    const char* fs_type;
    MountHints hints;
    mount::MountOptions options;
  };
  constexpr const char* kOnErrors =
      "errors=remount-ro";  // what ext is mounted with where nothing else is said
  const Case cases[] = {
      {"as it is", capability(""), "ext4", {}, {0, kOnErrors}},
      {"flags of the class",
       capability("mount_flags: 'noatime' mount_flags: 'commit=5'"),
       "ext4",
       {},
       {MS_NOATIME, std::string("commit=5,") + kOnErrors}},
      {"for a reader", capability("", "SINGLE_NODE_READER_ONLY"), "ext4", {}, {MS_RDONLY, kOnErrors}},
      {"for readers on many nodes",
       capability("", "MULTI_NODE_READER_ONLY"),
       "ext4",
       {},
       {MS_RDONLY, kOnErrors}},
      {"read-only by its class", capability(""), "ext4", {.read_only = true}, {MS_RDONLY, kOnErrors}},
      {"a group on vfat, which has no owners",
       capability("volume_mount_group: '2000'"),
       "vfat",
       {},
       {0, "gid=2000,umask=0007"}},
      {"a group elsewhere", capability("volume_mount_group: '2000'"), "ext4", {}, {0, kOnErrors}},
      {"an xfs that was made of another", capability(""), "xfs", {.copy = true}, {0, "nouuid"}},
      {"an xfs of its own", capability(""), "xfs", {}, {}},
      {"an ext4 that was made of another", capability(""), "ext4", {.copy = true}, {0, kOnErrors}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(mount_options_of(c.wanted, c.fs_type, c.hints).value() == c.options); }
  }
  refuses(mount_options_of(capability("mount_flags: 'loop'"), "ext4", {}), Code::kInvalidArgument);
}

TEST_CASE("what a volume is prepared with comes from its capability and its attributes", "[staging]") {
  const auto prepared = [](const std::string& attributes, const std::string& mount = {}) {
    auto request = message<csi::v1::NodeStageVolumeRequest>("volume_id: 'pvc-1' " + attributes);
    *request.mutable_volume_capability() = capability(mount);
    return prepare_request_of(request, {}).value();
  };
  const auto attribute = [](const std::string& key, const std::string& value) {
    return "volume_context { key: '" + key + "' value: '" + value + "' } ";
  };
  const block::PrepareRequest plain = prepared("");
  CHECK(plain.volume == "pvc-1");
  CHECK(plain.fs_type == "ext4");
  CHECK(plain.format_if_blank);
  CHECK_FALSE(plain.omit_fsck);
  CHECK_FALSE(plain.read_only);
  CHECK(prepared("", "fs_type: 'xfs'").fs_type == "xfs");
  CHECK(prepared(attribute("fsType", "ext3")).fs_type == "ext3");
  CHECK(prepared(attribute("fsType", "ext3"), "fs_type: 'xfs'").fs_type == "xfs");
  CHECK(prepared(attribute("mkfsOptions", "-m 0")).mkfs_options == std::vector<std::string>{"-m", "0"});
  CHECK_FALSE(prepared(attribute("formatIfBlank", "false")).format_if_blank);
  CHECK(prepared(attribute("omitfsck", "True")).omit_fsck);
  CHECK(prepared("", "mount_flags: 'ro'").read_only);
  refuses(prepare_request_of(
              message<csi::v1::NodeStageVolumeRequest>("volume_capability { mount { mount_flags: 'loop' } }"),
              {}),
          Code::kInvalidArgument);
}

TEST_CASE("the group of a volume is a number", "[staging]") {
  CHECK_FALSE(group_of(capability("")).value().has_value());
  CHECK(group_of(capability("volume_mount_group: '2000'")).value() == 2000U);
  for (const char* wrong : {"users", "-1", "20x", "4294967295", "99999999999"}) {
    CAPTURE(wrong);
    refuses(group_of(capability("volume_mount_group: '" + std::string(wrong) + "'")), Code::kInvalidArgument);
  }
}

TEST_CASE("whatever is wrong with a volume is told in the words of both versions of CSI", "[staging]") {
  struct Case {
    const char* name;
    VolumeSigns signs;
    const char* reason;
    csi::v1::VolumeHealthErrorType type;
  };
  VolumeSigns broken;
  broken.broken_mount = true;
  VolumeSigns silent;
  silent.trouble = "the file system at /x has not answered for 9 s";
  VolumeSigns read_only;
  read_only.turned_read_only = true;
  VolumeSigns errors;
  errors.io_errors = 3;
  const Case cases[] = {
      {"the device is gone", broken, "DeviceGone", csi::v1::INACCESSIBLE},
      {"no answer", silent, "NoAnswer", csi::v1::INACCESSIBLE},
      {"turned read-only", read_only, "ReadOnly", csi::v1::DEGRADED},
      {"errors", errors, "Errors", csi::v1::DEGRADED},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Ailments ailments = ailments_of(c.signs);
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
  broken.io_errors = 1;
  csi::v1::VolumeCondition both;
  tell(ailments_of(broken), both);
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
}  // namespace holdfast::staging
