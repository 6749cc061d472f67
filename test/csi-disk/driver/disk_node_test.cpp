#include "csi-disk/driver/disk_node.h"

#include <fstream>

#include "test/csi-disk/driver/disk_scene.h"

namespace holdfast::disk {
namespace {

using csi::test::refuses;
using test::DiskScene;

TEST_CASE_METHOD(DiskScene, "a node tells the cloud's name for it, its place and its room", "[disk driver]") {
  csi::v1::NodeGetInfoResponse info;
  REQUIRE(node.info(call, {}, info).has_value());
  CHECK(info.node_id() == "i-1");
  CHECK(info.max_volumes_per_node() == 15);
  CHECK(info.accessible_topology().segments().at("zone") == "z-1");
  csi::v1::NodeGetCapabilitiesResponse capabilities;
  REQUIRE(node.capabilities(call, {}, capabilities).has_value());
  CHECK(capabilities.capabilities_size() == 6);
}

TEST_CASE_METHOD(DiskScene, "a new disk is formatted once, also when the same word comes again",
                 "[disk driver]") {
  REQUIRE(stage_new().has_value());
  CHECK(content() == "formatted:u-1");
  CHECK(decider.formatted.size() == 1);
  CHECK(grown == std::vector<std::string>{"ext4 vdb 0"});
  REQUIRE(stage_new().has_value());
  CHECK(decider.asked.size() == 1);
  REQUIRE(unstage().has_value());
  CHECK(content() == "maybe");
  REQUIRE(stage_new().has_value());
  CHECK(decider.formatted.size() == 1);
  CHECK(decider.whole_reads.empty());
}

TEST_CASE_METHOD(DiskScene, "a new disk that is not blank is mounted, and never formatted", "[disk driver]") {
  decider.contents[dev("vdb")] = block::Signature{"ext4", "u-9"};
  REQUIRE(stage_new().has_value());
  CHECK(decider.formatted.empty());
  CHECK(content() == "maybe");
}

TEST_CASE_METHOD(DiskScene, "a new disk that holds something else is refused, and is not new any more",
                 "[disk driver]") {
  decider.contents[dev("vdb")] = block::Signature{"xfs", "u-9"};
  for (int again = 0; again < 2; ++again) refuses(stage_new(), Code::kFailedPrecondition);
  CHECK(content() == "maybe");
  CHECK(decider.formatted.empty());
  CHECK(mounter.mounts().value()->empty());
}

TEST_CASE_METHOD(DiskScene, "mkfs that was cut off is done again, whatever it left", "[disk driver]") {
  decider.dies_in_mkfs = true;
  refuses(stage_new(), Code::kUnavailable);
  CHECK(content() == "formatting");
  decider.dies_in_mkfs = false;
  decider.contents[dev("vdb")] = block::HoldsData{4096, "half a file system"};
  REQUIRE(stage_new().has_value());
  CHECK(content() == "formatted:u-1");
}

TEST_CASE_METHOD(DiskScene, "mkfs that was cut off is done again on a disk that never left",
                 "[disk driver]") {
  const std::string again = use("mount {}") + attachment("1", "maybe");
  decider.dies_in_mkfs = true;
  refuses(stage(again), Code::kUnavailable);
  CHECK(content() == "formatting");
  decider.dies_in_mkfs = false;
  decider.contents[dev("vdb")] = block::HoldsData{4096, "half a file system"};
  SECTION("in the same boot") {
    REQUIRE(stage(again).has_value());
    CHECK(content() == "formatted:u-1");
  }
  SECTION("but not after another: it may have been elsewhere") {
    boot_id = "another-boot";
    DiskNode booted(node_parts(), profile);
    csi::v1::NodeStageVolumeResponse response;
    const Status staged =
        booted.stage_volume(call,
                            csi::test::message<csi::v1::NodeStageVolumeRequest>(
                                "volume_id: 'd-1' staging_target_path: '" + kStaging + "' " + again),
                            response);
    refuses(staged, Code::kFailedPrecondition);
    CHECK_THAT(staged.error().message, Catch::Contains("holdfast volume allow-format"));
    CHECK(decider.formatted.empty());
  }
}

TEST_CASE_METHOD(DiskScene, "mkfs that was cut off is not done again on a disk that was elsewhere since",
                 "[disk driver]") {
  decider.dies_in_mkfs = true;
  refuses(stage_new(), Code::kUnavailable);
  decider.dies_in_mkfs = false;
  const bool sees_it_leave = GENERATE(false, true);
  unplug("vdb", 16);
  if (sees_it_leave) {
    REQUIRE(node.forget_detached().has_value());
    CHECK(content() == "maybe");
  }
  plug("vdb", "1", 16);
  const std::string later = use("mount {}") + attachment("1", "maybe");
  SECTION("and has another node's files") {
    decider.contents[dev("vdb")] = block::Signature{"ext4", "u-9"};
    REQUIRE(stage(later).has_value());
    CHECK(content() == "maybe");
  }
  SECTION("and holds something else") {
    decider.contents[dev("vdb")] = block::HoldsData{4096, "a database"};
    refuses(stage(later), Code::kFailedPrecondition);
  }
  CHECK(decider.formatted.empty());
}

TEST_CASE_METHOD(DiskScene, "nobody's word but new lets a disk be formatted over", "[disk driver]") {
  decider.contents[dev("vdb")] = block::HoldsData{4096, "a database"};
  const std::string word = GENERATE("formatting", "maybe", "formatted:u-1", "");
  refuses(stage(use("mount {}") + attachment("1", word)), Code::kFailedPrecondition);
  CHECK(decider.formatted.empty());
}

TEST_CASE_METHOD(DiskScene, "what we formatted and then reads blank is an incident while it is staged",
                 "[disk driver]") {
  REQUIRE(stage_new().has_value());
  REQUIRE(mounter.unpublish(kStaging).has_value());  // a boot
  decider.contents[dev("vdb")] = block::Blank{};
  refuses(stage_new(), Code::kFailedPrecondition);
  CHECK(decider.formatted.size() == 1);
}

TEST_CASE_METHOD(DiskScene, "a record that is torn, or of another disk, is never taken for new",
                 "[disk driver]") {
  REQUIRE(stage_new().has_value());
  REQUIRE(unstage().has_value());
  SECTION("torn") {
    const auto file = *std::filesystem::directory_iterator(state / "");
    std::ofstream(file.path()) << "x";
  }
  SECTION("of another disk") {
    REQUIRE(records.write({.volume = "d-1", .identity = {"9"}, .content = "formatting"}).has_value());
  }
  decider.contents[dev("vdb")] = block::Blank{};
  REQUIRE(stage_new().has_value());
  CHECK(decider.whole_reads.size() == 1);
}

TEST_CASE_METHOD(DiskScene, "a disk is staged by its serial number, whatever its name has become",
                 "[disk driver]") {
  REQUIRE(stage_new().has_value());
  REQUIRE(unstage().has_value());
  unplug("vdb", 16);
  plug("vdb", "2", 16);
  plug("vdc", "1", 32);
  decider.contents[dev("vdc")] = decider.contents[dev("vdb")];
  REQUIRE(stage_new().has_value());
  CHECK(mounter.entry_at(kStaging).value()->source == dev("vdc"));
  CHECK(mounter.mounts_of(dev("vdb")).value().empty());
}

TEST_CASE_METHOD(DiskScene, "what is not attached is not staged, and the next attempt finds it",
                 "[disk driver]") {
  refuses(stage(use("mount {}") + attachment("7", "new"), "d-7"), Code::kUnavailable);
  CHECK_FALSE(records.read("d-7")->record.has_value());
  CHECK(mounter.mounts().value()->empty());
  plug("vdc", "7", 32);
  CHECK(stage(use("mount {}") + attachment("7", "new"), "d-7").has_value());
}

TEST_CASE_METHOD(DiskScene, "a disk is told by its attachment, its PersistentVolume or its handle",
                 "[disk driver]") {
  plug("vdc", "bp1", 32);
  struct Case {
    const char* name;
    std::string id;
    std::string more;
    const char* device;
  };
  const Case cases[] = {
      {"attachment", "my-data", attachment("1", "maybe"), "vdb"},
      {"attachment before attribute", "d-bp1", attachment("1", "maybe") + attribute("serial", "bp1"), "vdb"},
      {"attribute before handle", "d-bp1", attribute("serial", "1"), "vdb"},
      {"handle", "d-bp1", "", "vdc"},
      {"path", "my-data", attribute("devicePath", "/dev/disk/by-path/pci-1"), "vdb"},
      {"path before handle", "d-bp1", attribute("devicePath", "/dev/disk/by-path/pci-1"), "vdb"},
  };
  files.aliases["/dev/disk/by-path/pci-1"] = dev("vdb");
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      REQUIRE(stage(use("mount {}") + c.more, c.id).has_value());
      CHECK(mounter.entry_at(kStaging).value()->source == dev(c.device));
    }
  }
  refuses(stage(use("mount {}"), "pv-1"), Code::kInvalidArgument);
  refuses(stage(use("mount {}") + attribute("serial", "../../sda")), Code::kInvalidArgument);
  for (const char* path : {"vdb", "/etc/passwd", "/dev/../etc/passwd"}) {
    refuses(stage(use("mount {}") + attribute("devicePath", path)), Code::kInvalidArgument);
  }
  refuses(stage(use("mount {}") + attribute("devicePath", "/dev/disk/none")), Code::kNotFound);
}

TEST_CASE_METHOD(DiskScene, "a disk that the attachment tells and the handle does not is not touched",
                 "[disk driver]") {
  plug("vdc", "2", 32);
  refuses(stage(use("mount {}") + attachment("2", "new")), Code::kFailedPrecondition);
  CHECK(decider.formatted.empty());
  CHECK(mounter.mounts().value()->empty());
}

TEST_CASE_METHOD(DiskScene, "a path is the disk that it led to first, wherever it leads later",
                 "[disk driver]") {
  files.aliases["/dev/sdx"] = dev("vdb");
  const std::string pinned = use("mount {}") + attribute("devicePath", "/dev/sdx");
  REQUIRE(stage(pinned, "my-data").has_value());
  REQUIRE(unstage("my-data").has_value());
  unplug("vdb", 16);  // a boot, after which the disks have other names
  plug("vdb", "2", 16);
  refuses(stage(pinned, "my-data"), Code::kUnavailable);
  CHECK(mounter.mounts().value()->empty());
  plug("vdc", "1", 32);
  decider.contents[dev("vdc")] = block::Signature{"ext4", "u-1"};
  REQUIRE(stage(pinned, "my-data").has_value());
  CHECK(mounter.entry_at(kStaging).value()->source == dev("vdc"));
}

TEST_CASE_METHOD(DiskScene, "a disk that is in use as one volume is not another", "[disk driver]") {
  const std::string kind = GENERATE("mount {}", "block {}");
  const auto stage_other = [&] {
    return stage(use("mount {}") + attribute("serial", "1"), "d-2", "/kubelet/plugins/csi/2/globalmount");
  };
  REQUIRE(stage(use(kind) + attachment("1", "new")).has_value());
  REQUIRE(publish(kTarget, use(kind)).has_value());
  refuses(stage_other(), Code::kFailedPrecondition);
  REQUIRE(unpublish(kTarget).has_value());
  REQUIRE(unstage().has_value());
  const Status other = stage_other();
  INFO((other ? "" : other.error().message));
  CHECK(other.has_value());
}

TEST_CASE_METHOD(DiskScene, "a disk that the host uses is no volume", "[disk driver]") {
  const std::string kind = GENERATE("mount {}", "block {}");
  add_partition("vdb", "vdb1", 17);
  mounter.devices[dev("vdb1")] = 17;
  std::string named;
  SECTION("mounted as a whole") {
    mounter.mount_elsewhere(dev("vdb"), "/data");
    named = "/data";
  }
  SECTION("its only partition is the host's root, of which kubelet shows folders to pods") {
    mounter.mount_elsewhere(dev("vdb1"), "/kubelet/pods/x/volume-subpaths/etc", "/etc");
    mounter.mount_elsewhere(dev("vdb1"), "/");
    named = "vdb1 is mounted at /";
  }
  SECTION("a device stands on it") {
    machine.put("sys/devices/vdb/holders/dm-0/x", "");
    named = "dm-0";
  }
  SECTION("a device stands on its partition") {
    machine.put("sys/devices/vdb/vdb1/holders/md0/x", "");
    named = "md0";
  }
  SECTION("somebody whom nothing names") {
    mounter.held.insert(dev("vdb"));
    named = "fuser -v " + dev("vdb");
  }
  const std::size_t before = mounter.mounts().value()->size();
  const Status done = stage(use(kind) + attachment("1", "maybe"));
  refuses(done, Code::kFailedPrecondition);
  INFO(done.error().message);
  CHECK(done.error().message.find(named) != std::string::npos);
  CHECK(mounter.mounts().value()->size() == before);
  CHECK(content() == "none");
  CHECK(decider.asked.empty());
}

TEST_CASE_METHOD(DiskScene, "a disk that pods have is staged again, whoever has it open", "[disk driver]") {
  const std::string kind = GENERATE("mount {}", "block {}");
  REQUIRE(stage(use(kind) + attachment("1", "new")).has_value());
  REQUIRE(publish(kTarget, use(kind)).has_value());
  mounter.held.insert(dev("vdb"));
  CHECK(stage(use(kind) + attachment("1", "new")).has_value());
}

TEST_CASE_METHOD(DiskScene, "what cannot be staged is refused, and nothing is mounted", "[disk driver]") {
  const std::string here = attachment("1", "new");
  struct Case {
    const char* name;
    std::string more;
    Code code;
  };
  const Case cases[] = {
      {"a file system for many writers", use("mount {}", "MULTI_NODE_MULTI_WRITER"), Code::kInvalidArgument},
      {"another file system", use("mount { fs_type: 'ntfs' }"), Code::kInvalidArgument},
      {"an option", use("mount { mount_flags: 'loop' }"), Code::kInvalidArgument},
      {"a group", use("mount { volume_mount_group: 'users' }"), Code::kInvalidArgument},
      {"a setting", use("mount {}") + attribute("sysConfig", "/device/delete=1"), Code::kInvalidArgument},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      refuses(stage(c.more + here), c.code);
      CHECK(decider.formatted.empty());
      CHECK(mounter.mounts().value()->empty());
    }
  }
}

TEST_CASE_METHOD(DiskScene, "attributes of a volume tell how it is made and mounted", "[disk driver]") {
  REQUIRE(stage(use("mount {}") + attachment("1", "new") + attribute("fsType", "xfs") +
                attribute("mkfsOptions", "-K") + attribute("omitfsck", "1") +
                attribute("sysConfig", "/queue/read_ahead_kb=64"))
              .has_value());
  REQUIRE(decider.asked.size() == 1);
  CHECK(decider.asked[0].fs_type == "xfs");
  CHECK(decider.asked[0].mkfs_options == std::vector<std::string>{"-K"});
  CHECK(decider.asked[0].omit_fsck);
  CHECK(tuned == std::vector<std::string>{"vdb read_ahead_kb"});
  REQUIRE(unstage().has_value());
  REQUIRE(stage(use("mount {}") + attribute("readOnly", "true") + attribute("fsType", "xfs") +
                attachment("1", "maybe"))
              .has_value());
  CHECK(mounter.entry_at(kStaging).value()->read_only());
}

TEST_CASE_METHOD(DiskScene, "a new volume of a read-only class is made, and mounted read-only",
                 "[disk driver]") {
  const std::string more = use("mount {}") + attribute("readOnly", "true");
  REQUIRE(stage(more + attachment("1", "new")).has_value());
  CHECK(decider.formatted.size() == 1);
  CHECK(mounter.entry_at(kStaging).value()->read_only());
  CHECK(grown.empty());
  REQUIRE(unstage().has_value());
  REQUIRE(stage(more + attachment("1", "maybe")).has_value());
  CHECK(decider.asked.back().read_only);
}

TEST_CASE_METHOD(DiskScene, "the only partition of a disk grows with it and is mounted", "[disk driver]") {
  add_partition("vdb", "vdb1", 17);
  mounter.devices[dev("vdb1")] = 17;
  decider.contents[dev("vdb1")] = block::Signature{"ext4", "u-9"};
  const std::string old = attachment("1", "maybe");
  REQUIRE(stage(use("mount {}") + old).has_value());
  CHECK(mounter.entry_at(kStaging).value()->source == dev("vdb1"));
  CHECK(grown == std::vector<std::string>{"partition of vdb", "ext4 vdb1 0"});
  REQUIRE(publish(kTarget).has_value());
  grown.clear();
  CHECK(expand(kTarget, 1 << 20).value() == 1 << 30);
  CHECK(grown == std::vector<std::string>{"partition of vdb", "ext4 vdb1 0"});
  REQUIRE(unpublish(kTarget).has_value());
  REQUIRE(unstage().has_value());
  add_partition("vdb", "vdb2", 18);
  refuses(stage(use("mount {}") + old), Code::kFailedPrecondition);
  CHECK(stage(use("block {}") + old).has_value());  // a pod may have made them
}

TEST_CASE_METHOD(DiskScene, "a raw volume is published as its device, and is new no longer",
                 "[disk driver]") {
  const std::string raw = use("block {}") + attachment("1", "new");
  REQUIRE(stage(raw).has_value());
  CHECK(decider.asked.empty());
  CHECK(content() == "maybe");
  REQUIRE(publish(kTarget, use("block {}")).has_value());
  CHECK(mounter.entry_at(kTarget).value()->type == "devtmpfs");
  CHECK(usage(kTarget)->usage(0).total() == 100);
  CHECK(expand(kTarget, 1 << 20).value() == 1 << 30);
  CHECK(grown.empty());
  refuses(unstage(), Code::kFailedPrecondition);
  REQUIRE(unpublish(kTarget).has_value());
  for (int again = 0; again < 2; ++again) CHECK(unstage().has_value());
}

TEST_CASE_METHOD(DiskScene, "unstaging succeeds when nobody has the disk any more", "[disk driver]") {
  REQUIRE(stage_new().has_value());
  REQUIRE(publish(kTarget).has_value());
  refuses(unstage(), Code::kFailedPrecondition);
  CHECK(mounter.entry_at(kStaging).value().has_value());
  REQUIRE(unpublish(kTarget).has_value());
  mounter.held.insert(dev("vdb"));
  refuses(unstage(), Code::kFailedPrecondition);
  mounter.held.clear();
  for (int again = 0; again < 2; ++again) CHECK(unstage().has_value());
  CHECK(unstage("d-9").has_value());
  CHECK_FALSE(stats.latest("d-1").has_value());
}

TEST_CASE_METHOD(DiskScene, "a raw volume whose record is lost is unstaged when nobody has the disk",
                 "[disk driver]") {
  plug("vdc", "bp1", 32);
  REQUIRE(stage(use("block {}"), "d-bp1").has_value());
  REQUIRE(publish(kTarget, use("block {}"), "d-bp1").has_value());
  SECTION("gone") { REQUIRE(records.remove("d-bp1").has_value()); }
  SECTION("damaged") {
    std::ofstream(std::filesystem::directory_iterator(state / "")->path()) << "x";
    REQUIRE(records.read("d-bp1")->damaged);
  }
  refuses(unstage("d-bp1"), Code::kFailedPrecondition);
  REQUIRE(unpublish(kTarget, "d-bp1").has_value());
  mounter.held.insert(dev("vdc"));
  refuses(unstage("d-bp1"), Code::kFailedPrecondition);
  mounter.held.clear();
  CHECK(unstage("d-bp1").has_value());
}

TEST_CASE_METHOD(DiskScene, "only the volume's own mounts are taken away", "[disk driver]") {
  plug("vdc", "2", 32);
  const std::string other = "/kubelet/plugins/csi/2/globalmount";
  REQUIRE(stage_new().has_value());
  REQUIRE(stage(use("mount {}") + attachment("2", "new"), "d-2", other).has_value());
  refuses(unstage("d-2"), Code::kFailedPrecondition);
  refuses(unpublish(kStaging, "d-2"), Code::kFailedPrecondition);
  CHECK(mounter.entry_at(kStaging).value().has_value());
  REQUIRE(unstage("d-2", other).has_value());
}

TEST_CASE_METHOD(DiskScene, "a volume whose record is lost is still unstaged, and not published",
                 "[disk driver]") {
  REQUIRE(stage_new().has_value());
  REQUIRE(records.remove("d-1").has_value());
  refuses(publish(kTarget), Code::kNotFound);
  CHECK(unstage().has_value());
  CHECK(mounter.mounts().value()->empty());
}

TEST_CASE_METHOD(DiskScene, "only what is staged is published, and a second time as the table says",
                 "[disk driver]") {
  refuses(publish(kTarget), Code::kNotFound);
  REQUIRE(stage_new().has_value());
  for (int again = 0; again < 2; ++again) REQUIRE(publish(kTarget).has_value());
  refuses(publish(kTarget, use("mount {}") + "readonly: true"), Code::kAlreadyExists);
  refuses(publish(kOther), Code::kFailedPrecondition);
  REQUIRE(unpublish(kTarget).has_value());
  REQUIRE(publish(kTarget, use("mount {}", "SINGLE_NODE_MULTI_WRITER")).has_value());
  REQUIRE(publish(kOther, use("mount {}", "SINGLE_NODE_MULTI_WRITER") + "readonly: true").has_value());
  CHECK(mounter.entry_at(kOther).value()->read_only());
}

TEST_CASE_METHOD(DiskScene, "a disk that was pulled is told as an abnormal condition", "[disk driver]") {
  REQUIRE(stage_new().has_value());
  CHECK_FALSE(usage(kStaging)->volume_condition().abnormal());
  unplug("vdb", 16);
  CHECK(usage(kStaging)->volume_condition().abnormal());
  refuses(usage("/kubelet/pods/none"), Code::kNotFound);
  csi::v1::NodeGetVolumeHealthResponse health;
  REQUIRE(node.volume_health(
                  call, csi::test::message<csi::v1::NodeGetVolumeHealthRequest>("volume_id: 'd-1'"), health)
              .has_value());
  CHECK(health.volume_health().health_statuses(0).reason() == "DiskGone");
  CHECK(unstage().has_value());
}

TEST_CASE_METHOD(DiskScene, "what is on a disk grows when the kernel knows that the disk has grown",
                 "[disk driver]") {
  refuses(expand(kTarget, 2), Code::kNotFound);
  REQUIRE(stage_new().has_value());
  refuses(expand(kOther, 2), Code::kNotFound);
  grown.clear();
  on_rescan = [this](const std::string& disk) { sizes[dev(disk)] = std::uint64_t{2} << 30; };
  CHECK(expand(kStaging, std::uint64_t{2} << 30).value() == std::int64_t{2} << 30);
  CHECK(grown == std::vector<std::string>{"ext4 vdb 2048"});
}

TEST_CASE_METHOD(DiskScene, "records of disks that are gone are forgotten, and no others", "[disk driver]") {
  REQUIRE(stage_new().has_value());
  REQUIRE(node.forget_detached().has_value());
  CHECK(content() == "formatted:u-1");
  REQUIRE(unstage().has_value());
  REQUIRE(node.forget_detached().has_value());
  CHECK(content() == "maybe");
  REQUIRE(records.write({.volume = "pinned", .identity = {"1"}, .device_path = "/dev/vdb"}).has_value());
  REQUIRE(stage(use("block {}") + attachment("1", "maybe")).has_value());
  unplug("vdb", 16);
  REQUIRE(node.forget_detached().has_value());
  CHECK(content() == "maybe");  // it was pulled in use
  REQUIRE(unstage().has_value());
  REQUIRE(node.forget_detached().has_value());
  CHECK(content() == "none");
  CHECK(records.read("pinned")->record.has_value());
}

}  // namespace
}  // namespace holdfast::disk
