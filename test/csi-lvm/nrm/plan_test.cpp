#include "csi-lvm/nrm/plan.h"

#include <algorithm>

#include "test/catch.h"

namespace holdfast::nrm {
namespace {

using block::Blank;
using block::DeviceIdentity;
using block::Signature;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// A node's disks as the plan sees them; every disk is 10 GiB, blank and unused until it is told otherwise.
struct Node {
  DeviceIdentity& disk(const std::string& name, const std::string& wwn) {
    DeviceIdentity device;
    device.kernel_name = name;
    device.wwn = wwn.empty() ? "" : "naa." + wwn;
    device.size_bytes = 10 * kGiB;
    facts.devices.push_back(device);
    facts.links["/dev/" + name] = name;
    holds(name, Blank{});
    return facts.devices.back();
  }
  void partition(const std::string& disk_name, const std::string& name, const std::string& uuid) {
    DeviceIdentity device = *facts.device(disk_name);
    device.partitions.clear();
    for (DeviceIdentity& whole : facts.devices) {
      if (whole.kernel_name == disk_name) whole.partitions.push_back(name);
    }
    device.kernel_name = name;
    device.whole_disk = disk_name;
    device.partition_uuid = uuid;
    facts.devices.push_back(device);
    facts.links["/dev/" + name] = name;
    holds(name, Blank{});
  }
  void holds(const std::string& name, block::Content content) {
    facts.probes[name].content = std::move(content);
  }
  /// A group of LVM's with this disk, and more of them when it is told again.
  void member(const std::string& name, const std::string& group, const std::string& uuid, bool ours = true) {
    facts.members[name] = {.uuid = uuid, .group = group, .ours = ours};
    if (group.empty()) return;
    const auto known = std::ranges::find_if(
        facts.groups, [&](const GroupFacts& each) { return each.name == group && each.ours == ours; });
    GroupFacts& of = known != facts.groups.end() ? *known : facts.groups.emplace_back();
    of.name = group;
    of.ours = ours;
    of.devices.push_back("/dev/" + name);
  }
  /// What the plan remembers is remembered.
  Plan plan(const std::vector<GroupEntry>& entries) {
    Plan made = plan_groups(entries, facts, pins);
    pins = made.pins;
    return made;
  }

  NodeFacts facts;
  Pins pins;
};

GroupEntry entry(const std::string& name, const std::vector<std::string>& devices) {
  std::string list;
  for (const std::string& device : devices) list += "'" + device + "',";
  const Topology topology =
      parse_topology({{"volumegroup", "volumegroup:\n- {name: " + name +
                                          ", key: a, operator: Exists, topology: {type: device, devices: [" +
                                          list + "]}}"}});
  return topology.groups.at(0);
}

GroupEntry fitting(const std::string& name, const std::string& description) {
  const Topology topology =
      parse_topology({{"volumegroup", "volumegroup:\n- {name: " + name +
                                          ", key: a, operator: Exists, topology: {type: device, devices: [" +
                                          description + "]}}"}});
  return topology.groups.at(0);
}

void check_row(const Plan& plan, std::size_t row, Action action, const std::string& part = "") {
  REQUIRE(plan.rows.size() > row);
  INFO(plan.rows[row].selector << ": " << to_string(plan.rows[row].action) << " " << plan.rows[row].reason);
  CHECK(plan.rows[row].action == action);
  CHECK(plan.rows[row].reason.find(part) != std::string::npos);
}

/// The only change.
void check_change(const Plan& plan, Action action, const std::string& group,
                  const std::vector<std::string>& devices) {
  REQUIRE(plan.changes.size() == 1);
  CHECK(plan.changes[0].action == action);
  CHECK(plan.changes[0].group == group);
  CHECK(plan.changes[0].devices == devices);
}

TEST_CASE("A group that is not there is made of the disks that are", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.disk("vdc", "c");
  const Plan plan = node.plan({entry("vg1", {"/dev/vdb", "/dev/vdc", "/dev/vdd"})});
  check_change(plan, Action::kCreate, "vg1", {"vdb", "vdc"});
  check_row(plan, 0, Action::kCreate);
  CHECK(plan.rows[0].identity == "wwn b");
  check_row(plan, 2, Action::kMissing, "is not there");
  CHECK(plan.pins.size() == 2);
}

TEST_CASE("A group that has its disks is left alone, and their marks are remembered", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.member("vdb", "vg1", "pv-b");
  node.facts.probes.clear();  // LVM's own disks are not looked at
  const Plan plan = node.plan({entry("vg1", {"/dev/vdb"})});
  CHECK(plan.changes.empty());
  check_row(plan, 0, Action::kKept);
  REQUIRE(plan.pins.size() == 1);
  CHECK(plan.pins[0].pv_uuid == "pv-b");
  CHECK(plan.pins[0].wwn == "b");
}

TEST_CASE("A disk that came later extends the group, and none is ever taken out of it", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.disk("vdc", "c");
  node.member("vdb", "vg1", "pv-b");
  check_change(node.plan({entry("vg1", {"/dev/vdb", "/dev/vdc"})}), Action::kExtend, "vg1", {"vdc"});
  node.member("vdc", "vg1", "pv-c");
  CHECK(node.plan({entry("vg1", {"/dev/vdb"})}).changes.empty());
}

TEST_CASE("Disks that swapped their names stay in their groups", "[nrm]") {
  Node node;
  const bool lasting = GENERATE(true, false);  // else the physical volumes' marks must tell
  node.disk("vdb", lasting ? "b" : "");
  node.disk("vdc", lasting ? "c" : "");
  node.member("vdb", "vg1", "pv-b");
  node.member("vdc", "vg2", "pv-c");
  const std::vector<GroupEntry> entries{entry("vg1", {"/dev/vdb"}), entry("vg2", {"/dev/vdc"})};
  node.plan(entries);

  Node swapped;
  swapped.disk("vdb", lasting ? "c" : "");
  swapped.disk("vdc", lasting ? "b" : "");
  swapped.member("vdb", "vg2", "pv-c");
  swapped.member("vdc", "vg1", "pv-b");
  SECTION("with the pins") {
    swapped.pins = node.pins;
    const Plan plan = swapped.plan(entries);
    CHECK(plan.changes.empty());
    check_row(plan, 0, Action::kKept);
    CHECK(plan.rows[0].device == "/dev/vdc");
    check_row(plan, 1, Action::kKept);
  }
  SECTION("with the pins lost") {
    const Plan plan = swapped.plan(entries);
    CHECK(plan.changes.empty());
    check_row(plan, 0, Action::kRefuse, "is in the volume group vg2");
    check_row(plan, 1, Action::kRefuse, "is in the volume group vg1");
  }
}

TEST_CASE("Disks of one serial number are told apart by what is on them", "[nrm]") {
  Node node;
  node.disk("ubdb", "").serial = "(null)";
  node.disk("ubdc", "").serial = "(null)";
  const std::vector<GroupEntry> entries{entry("vg1", {"/dev/ubdb"}), entry("vg2", {"/dev/ubdc"})};
  CHECK(node.plan(entries).changes.size() == 2);
  node.member("ubdb", "vg1", "pv-b");
  node.member("ubdc", "vg2", "pv-c");
  check_row(node.plan(entries), 0, Action::kKept);
  node.facts.members.clear();
  node.member("ubdb", "vg2", "pv-c");
  node.member("ubdc", "vg1", "pv-b");
  const Plan plan = node.plan(entries);
  CHECK(plan.changes.empty());
  check_row(plan, 0, Action::kKept);
  check_row(plan, 1, Action::kKept);
}

TEST_CASE("A blank disk that took the name of a taken one is not taken in its place", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.member("vdb", "vg1", "pv-b");
  node.plan({entry("vg1", {"/dev/vdb"})});

  Node later;
  later.pins = node.pins;
  later.disk("vdb", "new");
  SECTION("the taken one is gone") {
    const Plan plan = later.plan({entry("vg1", {"/dev/vdb"})});
    CHECK(plan.changes.empty());
    check_row(plan, 0, Action::kMissing, "wwn b");
  }
  SECTION("it has the other's name, which is named too") {
    later.disk("vdc", "b");
    later.member("vdc", "vg1", "pv-b");
    const Plan plan = later.plan({entry("vg1", {"/dev/vdb", "/dev/vdc"})});
    CHECK(plan.changes.empty());
    check_row(plan, 0, Action::kKept);
    check_row(plan, 1, Action::kRefuse, "is the disk that /dev/vdb was");
  }
}

TEST_CASE("A disk that was taken and is marked no more is not taken again", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.member("vdb", "vg1", "pv-b");
  node.plan({entry("vg1", {"/dev/vdb"})});
  node.facts.members.clear();
  node.facts.groups.clear();
  const Plan plan = node.plan({entry("vg1", {"/dev/vdb"})});
  CHECK(plan.changes.empty());
  check_row(plan, 0, Action::kRefuse, "its data may be lost");
}

TEST_CASE("A disk with another mark than the one that was taken is told", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.member("vdb", "vg1", "pv-b");
  node.plan({entry("vg1", {"/dev/vdb"})});
  node.facts.members["vdb"].uuid = "pv-other";
  check_row(node.plan({entry("vg1", {"/dev/vdb"})}), 0, Action::kRefuse, "was pv-b when it was taken");
}

TEST_CASE("Devices are refused for what is on them or who uses them, and the others are taken", "[nrm]") {
  struct Case {
    const char* name;
    void (*is)(Node& node, DeviceIdentity& vdb);
    const char* why;
  };
  const Case cases[] = {
      {"a file system",
       [](Node& n, DeviceIdentity&) {
         n.holds("vdb", Signature{"ext4", "1-2"});
       },
       "bytes of wwn:naa.b may be lost, run on this node: holdfast volume allow-format wwn:naa.b "
       "--lose-content"},
      {"a file system, on a disk that has a name that lasts",
       [](Node& n, DeviceIdentity& vdb) {
         vdb.by_id = {"virtio-vol-1"};
         n.holds("vdb", Signature{"ext4", "1-2"});
       },
       "holdfast volume allow-format /dev/disk/by-id/virtio-vol-1 --lose-content"},
      {"LVM's mark",
       [](Node& n, DeviceIdentity& vdb) {
         vdb.by_id = {"virtio-vol-1"};
         n.holds("vdb", Signature{"LVM2_member", ""});
       },
       "take LVM's mark off it by pvremove /dev/disk/by-id/virtio-vol-1; after that"},
      {"a partition table",
       [](Node& n, DeviceIdentity&) {
         n.holds("vdb", Signature{"gpt", ""});
       },
       "name a partition"},
      {"an encrypted container",
       [](Node& n, DeviceIdentity&) {
         n.holds("vdb", Signature{"crypto_LUKS", ""});
       },
       "crypto_LUKS"},
      {"data of no known kind",
       [](Node& n, DeviceIdentity&) {
         n.holds("vdb", block::HoldsData{4096, "data of no known format"});
       },
       "data of no known format"},
      {"a backup superblock",
       [](Node& n, DeviceIdentity&) {
         n.holds("vdb", block::HoldsData{1 << 27, "a backup superblock of ext2/3/4"});
       },
       "backup superblock"},
      {"a bad sector",
       [](Node& n, DeviceIdentity&) {
         n.holds("vdb", block::Unreadable{0, 5});
       },
       "may be failing"},
      {"a device that cannot be opened",
       [](Node& n, DeviceIdentity&) {
         n.facts.probes["vdb"].content = fail(Code::kUnavailable, "open: busy");
       },
       "open: busy"},
      {"nobody looked at it", [](Node& n, DeviceIdentity&) { n.facts.probes.erase("vdb"); }, "not looked at"},
      {"a mark of LVM's that LVM does not list",
       [](Node& n, DeviceIdentity&) {
         n.holds("vdb", Signature{"LVM2_member", "x"});
       },
       "does not list"},
      {"a mount", [](Node& n, DeviceIdentity&) { n.facts.probes["vdb"].in_use = "is mounted at /data"; },
       "mounted at /data"},
      {"the system",
       [](Node& n, DeviceIdentity&) { n.facts.probes["vdb"].in_use = "carries the system (/)"; },
       "carries the system"},
      {"a holder", [](Node&, DeviceIdentity& vdb) { vdb.holders = {"dm-0"}; }, "held by dm-0"},
      {"somebody's logical volume", [](Node&, DeviceIdentity& vdb) { vdb.mapper_uuid = "LVM-abc"; },
       "is a logical volume"},
      {"a device on a logical volume",
       [](Node& n, DeviceIdentity& vdb) {
         n.facts.devices[1].mapper_uuid = "LVM-abc";
         vdb.mapper_uuid = "CRYPT-LUKS2-abc-luks-vg-pvc";
         vdb.stands_on = {"vdc"};
       },
       "stands on one"},
      {"partitions", [](Node&, DeviceIdentity& vdb) { vdb.partitions = {"vdb1"}; }, "has partitions (vdb1)"},
      {"write protection", [](Node&, DeviceIdentity& vdb) { vdb.read_only = true; }, "read-only"},
      {"its size", [](Node&, DeviceIdentity& vdb) { vdb.size_bytes = 1 << 20; }, "less than"},
      {"a second path", [](Node&, DeviceIdentity& vdb) { vdb.wwn = "naa.c"; }, "paths of one disk"},
      {"another group", [](Node& n, DeviceIdentity&) { n.member("vdb", "data", "pv-b"); },
       "in the volume group data"},
      {"another group of the host's",
       [](Node& n, DeviceIdentity&) { n.member("vdb", "data", "pv-b", false); }, "in the volume group data"},
      {"a mark of somebody's for no group",
       [](Node& n, DeviceIdentity&) { n.member("vdb", "", "pv-b", false); }, "of no group"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Node node;
      node.facts.devices.reserve(4);
      DeviceIdentity& vdb = node.disk("vdb", "b");
      node.disk("vdc", "c");
      node.disk("vdd", "d");
      c.is(node, vdb);
      const Plan plan = node.plan({entry("vg1", {"/dev/vdb", "/dev/vdd"})});
      check_row(plan, 0, Action::kRefuse, c.why);
      check_change(plan, Action::kCreate, "vg1", {"vdd"});
      CHECK(plan.pins.size() == 1);
    }
  }
}

TEST_CASE("Every entry is planned, whatever became of those before it", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.disk("vdc", "c");
  node.holds("vdb", Signature{"xfs", ""});
  const Plan plan =
      node.plan({entry("vg1", {"/dev/vdb"}), entry("vg2", {"/dev/nowhere"}), entry("vg3", {"/dev/vdc"})});
  check_row(plan, 0, Action::kRefuse, "holds xfs");
  check_row(plan, 1, Action::kMissing);
  check_change(plan, Action::kCreate, "vg3", {"vdc"});
}

TEST_CASE("Entries of one name make one group, and a disk that two groups want goes to the first", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.disk("vdc", "c");
  const Plan plan =
      node.plan({entry("vg1", {"/dev/vdb"}), entry("vg1", {"/dev/vdc"}), entry("vg2", {"wwn:0xC"})});
  check_change(plan, Action::kCreate, "vg1", {"vdb", "vdc"});
  check_row(plan, 2, Action::kRefuse, "named by the entry vg1 too");
}

TEST_CASE("One disk by two names is taken once, now and in later passes", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.facts.links["/dev/disk/by-id/wwn-0xb"] = "vdb";
  const std::vector<GroupEntry> entries{entry("vg1", {"/dev/vdb", "/dev/disk/by-id/wwn-0xb", "wwn:b"})};
  check_change(node.plan(entries), Action::kCreate, "vg1", {"vdb"});
  node.member("vdb", "vg1", "pv-b");
  const Plan plan = node.plan(entries);
  CHECK(plan.changes.empty());
  for (std::size_t row = 0; row < 3; ++row) check_row(plan, row, Action::kKept);
}

TEST_CASE("A partition that is named is taken, and found again by its disk and its own mark", "[nrm]") {
  Node node;
  node.disk("sda", "a");
  node.partition("sda", "sda1", "uuid-1");
  node.partition("sda", "sda2", "uuid-2");
  check_row(node.plan({entry("vg0", {"/dev/sda"})}), 0, Action::kRefuse, "has partitions");
  const std::vector<GroupEntry> entries{entry("vg1", {"/dev/sda2"})};
  check_change(node.plan(entries), Action::kCreate, "vg1", {"sda2"});
  check_change(node.plan({entry("vg2", {"wwn:0xa-part1"})}), Action::kCreate, "vg2", {"sda1"});

  Node renamed;
  renamed.pins = node.pins;
  renamed.disk("sda", "other");
  renamed.partition("sda", "sda2", "uuid-9");
  renamed.disk("sdb", "a");
  renamed.partition("sdb", "sdb2", "uuid-2");
  check_change(renamed.plan(entries), Action::kCreate, "vg1", {"sdb2"});
}

TEST_CASE("A description takes all disks that fit and can be used, and nothing that may be pulled out",
          "[nrm]") {
  Node node;
  node.facts.devices.reserve(8);
  node.disk("sda", "a");
  node.facts.probes["sda"].in_use = "carries the system (/)";
  node.disk("sdb", "b");
  node.disk("sdc", "c").rotational = true;
  node.disk("sdd", "d").removable = true;
  node.disk("sde", "");  // nothing tells it from others after a reboot
  node.disk("sdf", "f").size_bytes = kGiB;
  node.disk("sdg", "g");
  node.partition("sdg", "sdg1", "u");
  const std::vector<GroupEntry> entries{fitting("vg1", "{minSize: 5Gi, rotational: false}")};
  const Plan plan = node.plan(entries);
  check_change(plan, Action::kCreate, "vg1", {"sdb"});
  REQUIRE(plan.rows.size() == 3);
  check_row(plan, 0, Action::kSkip, "carries the system");
  check_row(plan, 2, Action::kSkip, "has partitions");
  node.member("sdb", "vg1", "pv-b");
  check_row(node.plan(entries), 0, Action::kKept);
}

TEST_CASE("A world-wide name that two disks have is refused by name", "[nrm]") {
  Node node;
  node.disk("sda", "a");
  node.disk("sdb", "a");
  check_row(node.plan({entry("vg1", {"wwn:a"})}), 0, Action::kMissing, "paths of one disk");
}

TEST_CASE("A group that the host's LVM has is taken in whole, and extended afterwards", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.disk("vdc", "c");
  node.disk("vdd", "d");
  node.member("vdb", "vg1", "pv-b", false);
  node.member("vdc", "vg1", "pv-c", false);
  const Plan plan = node.plan({entry("vg1", {"/dev/vdb", "/dev/vdd"})});
  check_change(plan, Action::kAdopt, "vg1", {"/dev/vdb", "/dev/vdc"});
  check_row(plan, 0, Action::kAdopt);
  check_row(plan, 1, Action::kWait);
}

TEST_CASE("A group of the host's with the same name on other disks is not touched, nor doubled", "[nrm]") {
  Node node;
  node.disk("vda", "a");
  node.disk("vdb", "b");
  node.member("vda", "vg1", "pv-a", false);
  const Plan plan = node.plan({entry("vg1", {"/dev/vdb"})});
  CHECK(plan.changes.empty());
  check_row(plan, 0, Action::kRefuse, "choose another name");
}

TEST_CASE("A group that lacks a disk is told and not extended", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.disk("vdc", "c");
  node.member("vdb", "vg1", "pv-b");
  node.facts.groups[0].missing_disks = 1;
  const Plan plan = node.plan({entry("vg1", {"/dev/vdb", "/dev/vdc"})});
  CHECK(plan.changes.empty());
  check_row(plan, 1, Action::kWait, "lacks a disk");
  check_row(plan, 2, Action::kDegraded, "lacks 1");
}

TEST_CASE("A disk that was marked when the making of its group was cut off is taken again", "[nrm]") {
  Node node;
  node.disk("vdb", "b");
  node.plan({entry("vg1", {"/dev/vdb"})});
  node.member("vdb", "", "pv-b");
  check_change(node.plan({entry("vg1", {"/dev/vdb"})}), Action::kCreate, "vg1", {"vdb"});
}

}  // namespace
}  // namespace holdfast::nrm
