#include "csi-lvm/lvm/devices_file.h"

#include <string>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::lvm {
namespace {

constexpr const char* kId = "nH7HzeM3ZFhh3iqW2ls7wgmMnUZoTZxG";
constexpr const char* kOther = "roLvvC7Ht4PdWbsvJ9mCsnjOApvTa1OX";

TEST_CASE("a devices file names physical volumes by their ids, whatever else is in it", "[lvm]") {
  struct Case {
    const char* name;
    std::string text;
    std::set<std::string> ids;
  };
  const Case cases[] = {
      {"empty", "", {}},
      {"as LVM writes it",
       "# LVM uses devices listed in this file.\nVERSION=1.1.1\n"
       "IDTYPE=sys_wwid IDNAME=naa.5 DEVNAME=/dev/sda PVID=" +
           std::string(kId) + "\nIDTYPE=devname IDNAME=/dev/sdb1 DEVNAME=/dev/sdb1 PVID=" + kOther +
           " PART=1\n",
       {kId, kOther}},
      {"with hyphens, and no end of line", "PVID=nH7Hze-M3ZF-hh3i-qW2l-s7wg-mMnU-ZoTZxG", {kId}},
      {"a disk that is no physical volume", "IDTYPE=devname DEVNAME=/dev/sdc PVID=.\nPVID=\n", {}},
      {"a remark", "# PVID=" + std::string(kId) + "\n", {}},
      {"noise", std::string("\x06\0\xff=PVID PVID\nXPVID=a\r\n", 21), {}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(disks_named_by(c.text) == c.ids); }
  }
}

TEST_CASE("of other devices files the host's own does not count, nor what is none", "[lvm]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  const auto write = [&](const char* name) {
    REQUIRE(files.overwrite(folder / name, "PVID=" + std::string(name).substr(0, 2), 0600).has_value());
  };
  for (const char* name : {"our.devices", "system.devices", "a1.devices", "b2.devices-backup"}) write(name);
  CHECK(disks_of_others(files, folder.path(), "our.devices").value() == std::set<std::string>{"a1"});
  CHECK(disks_of_others(files, folder / "absent", "our.devices").value().empty());
}

TEST_CASE("unseen are disks of which nothing is told, not those that a group lacks", "[lvm]") {
  const auto disk = [](const char* uuid) {
    PhysicalVolume out;
    out.uuid = uuid;
    return out;
  };
  VolumeGroup group;
  group.disks = {disk("a-a"), disk("b-b")};
  group.disks.back().missing = true;
  const Inventory seen{.groups = {group}, .loose_disks = {disk("c-c")}};
  CHECK(unseen_of({"aa", "bb", "cc", "dd"}, seen) == std::vector<std::string>{"dd"});
  CHECK(unseen_of({"aa", "bb", "cc"}, seen).empty());
}

TEST_CASE("lost are groups of ours that only the host sees, with the disks that are there", "[lvm]") {
  const auto disk = [](const char* device, const char* uuid, bool missing) {
    PhysicalVolume out;
    out.device = device;
    out.uuid = uuid;
    out.missing = missing;
    return out;
  };
  VolumeGroup group;
  group.name = "vg";
  group.disks = {disk("/dev/sda", "a-a", false), disk("[unknown]", "b-b", true)};
  const Inventory host{.groups = {group}, .loose_disks = {}};
  const auto lost = [&](const Inventory& ours, const std::set<std::string>& claimed, bool is_ours) {
    return lost_groups(ours, host, claimed, [is_ours](const VolumeGroup&) { return is_ours; });
  };
  const auto found = lost({}, {"c"}, true);
  REQUIRE(found.size() == 1);
  CHECK(found[0].group == "vg");
  CHECK(found[0].devices == std::vector<std::string>{"/dev/sda"});
  CHECK(lost(host, {}, true).empty());
  CHECK(lost({}, {"bb"}, true).empty());
  CHECK(lost({}, {}, false).empty());
}

}  // namespace
}  // namespace holdfast::lvm
