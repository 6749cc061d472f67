#include "csi-lvm/lvm/inventory.h"

#include <map>

#include "common/base/files.h"
#include "csi-lvm/lvm/lvm_command.h"
#include "csi-lvm/lvm/mapped_devices.h"
#include "test/catch.h"

namespace holdfast::lvm {
namespace {

// Left by LVM 2.03.16: two disks in a group with one volume of each kind, one loose disk.
std::string recorded(const std::string& name) {
  return PosixFiles().read(std::string(HOLDFAST_FIXTURES) + "/lvm/" + name, 1 << 20).value().value();
}

std::string report(const std::string& part) { return R"({"report":[{)" + part + "}]}"; }

TEST_CASE("a group is told with its disks and what is free on each", "[lvm]") {
  const Inventory inventory = parse_inventory(recorded("full.json")).value();
  REQUIRE(inventory.groups.size() == 1);
  const VolumeGroup& group = inventory.groups[0];
  CHECK(group.name == "volumegroup1");
  CHECK(group.extent_bytes == 4194304);
  CHECK(group.size_bytes == 2139095040);
  CHECK(group.free_bytes == 1547698176);
  CHECK(group.missing_disks == 0);
  CHECK(group.sequence == 12);
  CHECK(group.tags == std::vector<std::string>{"csi.nrm=1"});
  REQUIRE(group.disks.size() == 2);
  CHECK(group.disks[0].device == "/dev/loop0");
  CHECK(group.disks[0].extents == 255);
  CHECK(group.disks[0].free_extents == 120);
  CHECK(group.disks[1].free_extents == 249);
  REQUIRE(inventory.loose_disks.size() == 1);
  CHECK(inventory.loose_disks[0].device == "/dev/loop2");
  CHECK(inventory.group("volumegroup1") == &group);
  CHECK(inventory.group("volumegroup") == nullptr);
}

TEST_CASE("each kind of volume is known", "[lvm]") {
  const Inventory inventory = parse_inventory(recorded("full.json")).value();
  const VolumeGroup& group = inventory.groups[0];
  REQUIRE(group.volumes.size() == 6);
  const LogicalVolume& linear = *group.volume("pvc-lin");
  CHECK(linear.layout == Layout::kLinear);
  CHECK(linear.size_bytes == 104857600);
  CHECK(linear.has_tag("csi.state=ready"));
  CHECK(linear.tag_value("csi.fs") == "formatted:6b2c0e5e-3a4b-4d7e-9a43-0f5f3d5a6a11");
  CHECK(linear.tag_value("csi") == "");
  CHECK(linear.active);
  CHECK_FALSE(linear.open);
  CHECK(linear.major == 254);
  const LogicalVolume& striped = *group.volume("pvc-str");
  CHECK(striped.layout == Layout::kStriped);
  CHECK(striped.stripes == 2);
  CHECK_FALSE(striped.active);
  const LogicalVolume& pool = *group.volume("pool0");
  CHECK(pool.layout == Layout::kThinPool);
  CHECK(pool.zeroes);
  CHECK(pool.data_percent == 0.0);
  CHECK(pool.metadata_percent > 10.0);
  CHECK(pool.metadata_bytes == 4194304);
  const LogicalVolume& thin = *group.volume("pvc-thin");
  CHECK(thin.layout == Layout::kThin);
  CHECK(thin.pool == "pool0");
  CHECK(thin.size_bytes == 1073741824);
  CHECK(group.volume("snap-lin")->origin == "pvc-lin");
  CHECK(group.volume("snap-thin")->origin == "pvc-thin");
  CHECK(group.volume("pvc") == nullptr);
}

TEST_CASE("a pool that does not zero what it gives is known", "[lvm]") {
  std::string text = recorded("full.json");
  const std::string zeroes = "twi-aotz--";
  text.replace(text.find(zeroes), zeroes.size(), "twi-aot---");
  const VolumeGroup group = parse_inventory(text).value().groups.at(0);
  CHECK_FALSE(group.volume("pool0")->zeroes);
  CHECK_FALSE(group.volume("pvc-thin")->zeroes);
}

TEST_CASE("what LVM says in the middle of a report is no part of it", "[lvm]") {
  // As it is after a command that was killed when one of two disks had the new metadata.
  std::string text = recorded("full.json");
  const std::size_t inside = text.find("\"report\"");
  text.insert(text.find('\n', inside) + 1,
              "  WARNING: ignoring metadata seqno 339 on /dev/loop1 for seqno 340 on /dev/loop0 for VG g.\n"
              "  WARNING: Inconsistent metadata found for VG g.\n"
              "  See vgck --updatemetadata to correct inconsistency.\n");
  CHECK(parse_inventory(text)->groups.at(0).volumes.size() == 6);
}

TEST_CASE("a device that waits is told, and what LVM keeps for itself apart", "[lvm]") {
  const auto row = [](const std::string& name, const std::string& suspended, const std::string& waiting) {
    return R"({"lv_name":")" + name + R"(","lv_uuid":"u-)" + name +
           R"(","lv_layout":"linear","lv_attr":"","lv_size":"4","lv_tags":"","pool_lv":"","origin":"","lv_active":"active",)"
           R"("lv_device_open":"0","lv_health_status":"","lv_snapshot_invalid":"-1","lv_suspended":")" +
           suspended + R"(","lv_inactive_table":")" + waiting +
           R"(","lv_kernel_major":"1","lv_kernel_minor":"1","data_percent":"","metadata_percent":"","lv_metadata_size":""})";
  };
  const std::string rows = row("plain", "0", "0") + "," + row("held", "1", "0") + "," +
                           row("loaded", "0", "1") + "," + row("away", "-1", "-1") + "," +
                           row("[pool_tdata]", "0", "0");
  const std::string group =
      R"("vg":[{"vg_name":"g","vg_uuid":"u","vg_extent_size":"4","vg_size":"4","vg_free":"4","vg_missing_pv_count":"0",)"
      R"("vg_seqno":"1","vg_tags":""}],"lv":[)" +
      rows + "]";
  const Inventory inventory = parse_inventory(report(group)).value();
  REQUIRE(inventory.groups.size() == 1);
  const VolumeGroup& found = inventory.groups[0];
  CHECK(found.volumes.size() == 4);
  CHECK_FALSE(found.volume("plain")->unsettled);
  CHECK(found.volume("held")->unsettled);
  CHECK(found.volume("loaded")->unsettled);
  CHECK_FALSE(found.volume("away")->unsettled);
  CHECK(found.parts == std::vector<std::string>{"u-[pool_tdata]"});
}

TEST_CASE("what LVM has written down alone is read too, and devices tell the rest of plain volumes",
          "[lvm]") {
  const std::string gid = "gggggg-gggg-gggg-gggg-gggg-gggg-gggggg";
  const auto row = [](char of, const std::string& layout) {
    return R"({"lv_name":")" + std::string(1, of) + R"(","lv_uuid":")" + std::string(32, of) +
           R"(","lv_layout":")" + layout +
           R"(","lv_size":"4","lv_tags":"a=b","pool_lv":"","origin":"","lv_health_status":"partial",)"
           R"("lv_metadata_size":""})";
  };
  const std::string group = R"("vg":[{"vg_name":"g","vg_uuid":")" + gid +
                            R"(","vg_extent_size":"4","vg_size":"4","vg_free":"4","vg_missing_pv_count":"0",)"
                            R"("vg_seqno":"1","vg_tags":""}],"seg":[{"lv_uuid":")" +
                            std::string(32, 'h') + R"(","stripes":"2"}],"lv":[)" + row('o', "linear") + "," +
                            row('h', "striped") + "," + row('w', "linear") + "," + row('a', "linear") + "]";
  Inventory inventory = parse_inventory(report(group)).value();
  REQUIRE(is_plain(inventory));
  const auto device = [](char of, const std::string& layer = {}) {
    MappedDevice out;
    out.uuid = "LVM-" + std::string(32, 'g') + std::string(32, of) + layer;
    out.major = 254;
    out.minor = 7;
    return out;
  };
  MappedDevice open = device('o');
  open.open = true;
  MappedDevice held = device('h');
  held.suspended = true;
  MappedDevice waiting = device('w');
  waiting.waiting_table = true;
  tell_devices({open, held, waiting, device('a', "-cow"), device('x')}, inventory);
  const VolumeGroup& found = inventory.groups.at(0);
  const LogicalVolume& of_open = *found.volume("o");
  CHECK(of_open.active);
  CHECK(of_open.open);
  CHECK_FALSE(of_open.unsettled);
  CHECK(of_open.major == 254);
  CHECK(of_open.minor == 7);
  CHECK(of_open.partial);
  CHECK(of_open.has_tag("a=b"));
  CHECK(found.volume("h")->unsettled);
  CHECK_FALSE(found.volume("h")->open);
  CHECK(found.volume("h")->stripes == 2);
  CHECK(found.volume("w")->unsettled);
  CHECK_FALSE(found.volume("a")->active);
}

TEST_CASE("pools, snapshots and volumes of other kinds are not plain", "[lvm]") {
  CHECK(is_plain({}));
  const VolumeGroup group = parse_inventory(recorded("full.json")).value().groups.at(0);
  const std::map<std::string, bool> plain{{"pvc-lin", true},   {"pvc-str", true},   {"pool0", false},
                                          {"pvc-thin", false}, {"snap-lin", false}, {"snap-thin", false}};
  for (const LogicalVolume& volume : group.volumes) {
    INFO(volume.name);
    Inventory alone;
    alone.groups.emplace_back();
    alone.groups[0].volumes = {volume};
    CHECK(is_plain(alone) == plain.at(volume.name));
    alone.groups[0].volumes[0].layout = Layout::kOther;
    CHECK_FALSE(is_plain(alone));
  }
}

TEST_CASE("devices that no metadata account for are strays", "[lvm]") {
  const auto id = [](char of) { return std::string(32, of); };
  VolumeGroup group;
  group.uuid = "gggggg-gggg-gggg-gggg-gggg-gggg-gggggg";
  const auto add = [&](const std::string& name, char of, const std::string& origin) {
    LogicalVolume volume;
    volume.name = name;
    volume.uuid = id(of);
    volume.origin = origin;
    group.volumes.push_back(volume);
  };
  add("plain", 'p', "");
  add("origin", 'o', "");
  add("snap", 's', "origin");
  group.parts = {id('d')};
  Inventory now;
  now.groups.push_back(group);
  struct Case {
    const char* name;
    std::string uuid;
    bool stray;
  };
  const std::string ours = "LVM-" + id('g');
  const Case cases[] = {
      {"a volume", ours + id('p'), false},
      {"a part of a pool", ours + id('d') + "-tdata", false},
      {"a layer of a pool", ours + id('p') + "-tpool", false},
      {"what an origin covers", ours + id('o') + "-real", false},
      {"a snapshot's room", ours + id('s') + "-cow", false},
      {"a volume that is none", ours + id('x'), true},
      {"the room of a snapshot that is none", ours + id('x') + "-cow", true},
      {"room of a plain volume", ours + id('p') + "-cow", true},
      {"cover of a volume without a snapshot", ours + id('p') + "-real", true},
      {"another group's", "LVM-" + id('h') + id('x'), false},
      {"no volume of LVM's", "CRYPT-LUKS2-" + id('x') + id('x'), false},
      {"cut off", ours + id('x').substr(1), false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      CHECK(strays({{.name = "d", .uuid = c.uuid}}, now).size() == (c.stray ? 1 : 0));
    }
  }
}

TEST_CASE("of a suspended pool, what it is made of comes before it", "[lvm]") {
  const auto id = [](char of) { return std::string(32, of); };
  VolumeGroup group;
  group.uuid = id('g');
  group.parts = {id('d'), id('m')};
  const auto add = [&](const std::string& name, char of, const std::string& pool) {
    LogicalVolume volume;
    volume.name = name;
    volume.uuid = id(of);
    volume.pool = pool;
    group.volumes.push_back(volume);
  };
  add("pool", 'p', "");
  add("thin", 't', "pool");
  add("plain", 'x', "");
  const auto device = [&](const std::string& name, char of, const std::string& layer, bool suspended) {
    MappedDevice out;
    out.name = name;
    out.uuid = "LVM-" + id('g') + id(of) + layer;
    out.suspended = suspended;
    return out;
  };
  const std::vector<MappedDevice> devices{device("pool", 'p', "", true), device("tpool", 'p', "-tpool", true),
                                          device("thin", 't', "", true), device("tmeta", 'm', "-tmeta", true),
                                          device("tdata", 'd', "-tdata", false)};
  const auto names = [&](const char* volume) {
    std::vector<std::string> out;
    for (const MappedDevice& each : suspended_pool_of(devices, group, *group.volume(volume))) {
      out.push_back(each.name);
    }
    return out;
  };
  CHECK(names("thin") == std::vector<std::string>{"tmeta", "tpool"});
  CHECK(names("plain").empty());
}

TEST_CASE("a thin volume that a pool has and LVM has not is found in what LVM says", "[lvm]") {
  const auto found = unnoted_thin(
      "device-mapper: message ioctl on  (254:2) failed: File exists\n"
      "Failed to process message \"create_snap 7 1\".\n"
      "Thin pool suite-pool--a-tpool (254:12) already contain thin device with device_id 7.\n"
      "Manual intervention may be required to remove device dev_id=7 in thin pool metadata.\n");
  REQUIRE(found.has_value());
  CHECK(found->major == 254);
  CHECK(found->minor == 12);
  CHECK(found->id == 7);
  for (const char* other : {"", "already contain thin device with device_id 7",
                            "Thin pool p already contain thin device with device_id 7.",
                            "p (254) already contain thin device with device_id 7.",
                            "p (254:x) already contain thin device with device_id 7.",
                            "p (254:2) already contain thin device with device_id .",
                            "p (254:2) already contain thin device with device_id -1.",
                            "p (254:2) x already contain thin device with device_id 7.",
                            "p (254:2) already contain thin device with device_id 99999999999."}) {
    INFO(other);
    CHECK_FALSE(unnoted_thin(other).has_value());
  }
}

TEST_CASE("a missing disk is told, and which volumes it takes a part of", "[lvm]") {
  const Inventory inventory = parse_inventory(recorded("missing_disk.json")).value();
  const VolumeGroup& group = inventory.groups.at(0);
  CHECK(group.missing_disks == 1);
  REQUIRE(group.disks.size() == 2);
  CHECK(group.disks[1].missing);
  CHECK(group.disks[1].device == "[unknown]");
  CHECK(group.volume("pvc-str")->partial);
  CHECK_FALSE(group.volume("pvc-lin")->partial);
}

TEST_CASE("a node without LVM disks has an empty inventory", "[lvm]") {
  const Inventory inventory = parse_inventory("  {\n  \"report\": [\n ]\n }\n").value();
  CHECK(inventory.groups.empty());
  CHECK(inventory.loose_disks.empty());
}

TEST_CASE("what is no report is an error and says where", "[lvm]") {
  struct Case {
    const char* name;
    std::string text;
    const char* told;
  };
  const Case cases[] = {
      {"nothing", "", "1"},
      {"talk alone", "  WARNING: nothing works\n", "1"},
      {"half a report", recorded("full.json").substr(0, 900), "line"},
      {"no report", "{}", "report: is missing"},
      {"a list of words", R"({"report":["a"]})", "report[0]"},
      {"a size that is no number", report(R"("pv":[{"pv_uuid":"u","pv_name":"n","pv_size":"1g"}])"),
       "pv_size"},
      {"a negative size", report(R"("pv":[{"pv_uuid":"u","pv_name":"n","pv_size":"-5"}])"), "pv_size"},
      {"a field that is missing", report(R"("pv":[{"pv_uuid":"u"}])"), "pv_name: is missing"},
      {"two groups in one part",
       report(
           R"("vg":[)" +
           std::string(
               R"({"vg_name":"a","vg_uuid":"","vg_extent_size":"","vg_size":"","vg_free":"","vg_missing_pv_count":"",)"
               R"("vg_seqno":"","vg_tags":""},)"
               R"({"vg_name":"b","vg_uuid":"","vg_extent_size":"","vg_size":"","vg_free":"","vg_missing_pv_count":"",)"
               R"("vg_seqno":"","vg_tags":""}])")),
       "more than one"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto read = parse_inventory(c.text);
      REQUIRE_FALSE(read.has_value());
      CHECK(read.error().code == Code::kInternal);
      CHECK(read.error().message.find("what LVM reports cannot be read") == 0);
      CHECK(read.error().message.find(c.told) != std::string::npos);
    }
  }
}

TEST_CASE("the inventory's own command is one that the runners take", "[lvm]") {
  CHECK(check_command({Effect::kReports, inventory_command()}).has_value());
  CHECK(check_command({Effect::kReports, metadata_command()}).has_value());
}

// One segment of a volume, as volume_command() has it told.
std::string segment(const std::string& layout, int stripes) {
  return R"({"lv_name":"pvc-1","lv_uuid":"u","lv_layout":")" + layout +
         R"(","lv_attr":"-wi-a-----","lv_size":"8388608","lv_tags":"csi.state=ready","pool_lv":"","origin":"","lv_active":"active",)"
         R"("lv_device_open":"0","lv_health_status":"","lv_snapshot_invalid":"-1","lv_suspended":"0",)"
         R"("lv_inactive_table":"0","lv_kernel_major":"253",)"
         R"("lv_kernel_minor":"4","data_percent":"","metadata_percent":"","lv_metadata_size":"","stripes":")" +
         std::to_string(stripes) + "\"}";
}

TEST_CASE("a volume alone is told by a row of each of its segments", "[lvm]") {
  for (const char* table : {"lv", "seg"}) {
    DYNAMIC_SECTION(table) {
      const auto rows = [table](const std::string& text) {
        return parse_volume("WARNING: x\n" + report("\"" + std::string(table) + "\":[" + text + "]")).value();
      };
      const auto striped = rows(segment("striped", 3) + "," + segment("striped", 2));
      REQUIRE(striped.has_value());
      CHECK(striped->name == "pvc-1");
      CHECK(striped->layout == Layout::kStriped);
      CHECK(striped->stripes == 3);
      CHECK(striped->size_bytes == 8388608);
      CHECK(striped->tag_value("csi.state") == "ready");
      CHECK(striped->active);
      CHECK(striped->minor == 4);
      CHECK(rows(segment("linear", 1))->stripes == 1);
      CHECK_FALSE(rows("").has_value());
    }
  }
  CHECK_FALSE(parse_volume("").has_value());
  CHECK_FALSE(parse_volume(report(R"("lv":[{"lv_name":"pvc-1"}])")).has_value());
  CHECK(volume_command("vg/pvc-1").back() == "vg/pvc-1");
}

}  // namespace
}  // namespace holdfast::lvm
