#include "csi-lvm/lvm/inventory.h"

#include "common/base/files.h"
#include "csi-lvm/lvm/lvm_command.h"
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
}

}  // namespace
}  // namespace holdfast::lvm
