#include "csi-lvm/nrm/topology.h"

#include "test/catch.h"

namespace holdfast::nrm {
namespace {

using Operator = NodeRule::Operator;
using Kind = DeviceSelector::Kind;

// As clusters in the field have it.
constexpr const char* kManifest = R"(apiVersion: v1
kind: ConfigMap
metadata:
  name: node-resource-topo
  namespace: kube-system
data:
  volumegroup: |-
    volumegroup:
    - name: volumegroup1
      key: kubernetes.io/hostname        # node label
      operator: In                       # In | NotIn | Exists | DoesNotExist
      value: cn-zhangjiakou.192.168.3.114
      topology:
        type: device                     # device | alibabacloud-local-disk | pmem
        devices: [/dev/vdb, /dev/vdc]
    - name: volumegroup2
      key: kubernetes.io/storagetype
      operator: In
      value: lvm
      topology:
        type: device
        devices:
        - /dev/sdb1
        - /dev/sdb2
        - /dev/sdc
  quotapath: |-
    quotapath:
    - {name: /mnt/path1, key: a, operator: Exists, topology: {type: device, options: prjquota, fstype: ext4, devices: [/dev/vdb]}}
  memory: |-
    memory:
    - name: memory1
      key: kubernetes.io/hostname
      operator: In
      value: node-1
      topology: {type: pmem, regions: [region0]}
)";

Topology parse_groups(const std::string& list) {
  return parse_topology({{"volumegroup", "volumegroup:\n" + list}});
}

/// An entry whose rule holds everywhere.
Topology parse_devices(const std::string& devices) {
  return parse_groups("- {name: vg1, key: none, operator: DoesNotExist, topology: {type: device, devices: " +
                      devices + "}}\n");
}

TEST_CASE("The ConfigMap that clusters have is read as it is", "[nrm]") {
  const Topology topology = parse_topology(parse_config_file(kManifest).value());
  REQUIRE(topology.groups.size() == 2);
  const GroupEntry& first = topology.groups[0];
  CHECK(first.name == "volumegroup1");
  CHECK(first.rule.key == "kubernetes.io/hostname");
  CHECK(first.rule.op == Operator::kIn);
  CHECK(first.rule.value == "cn-zhangjiakou.192.168.3.114");
  REQUIRE(first.devices.size() == 2);
  CHECK(first.devices[0].kind == Kind::kPath);
  CHECK(first.devices[1].value == "/dev/vdc");
  CHECK(topology.groups[1].devices.size() == 3);
  REQUIRE(topology.quota_paths.size() == 1);
  CHECK(topology.quota_paths[0].path == "/mnt/path1");
  CHECK(topology.quota_paths[0].fs_type == "ext4");
  REQUIRE(topology.rejected.size() == 1);
  CHECK(topology.rejected[0].entry == "memory1");
  CHECK(topology.rejected[0].why.find("not supported") != std::string::npos);
}

TEST_CASE("A file may hold the ConfigMap's data alone, with and without the text around the lists", "[nrm]") {
  const char* const texts[] = {
      "volumegroup: |\n  volumegroup:\n  - {name: vg1, key: a, operator: Exists, topology: {type: device, "
      "devices: "
      "[/dev/vdb]}}\n",
      "volumegroup:\n- {name: vg1, key: a, operator: Exists, topology: {type: device, devices: "
      "[/dev/vdb]}}\n",
  };
  for (const char* text : texts) {
    const Topology topology = parse_topology(parse_config_file(text).value());
    REQUIRE(topology.groups.size() == 1);
    CHECK(topology.groups[0].name == "vg1");
    CHECK(topology.rejected.empty());
  }
  CHECK_FALSE(parse_config_file("{}").has_value());
  CHECK_FALSE(parse_config_file("a: [").has_value());
  CHECK(parse_config_file("kind: ConfigMap\n")->empty());
}

TEST_CASE("A rule compares one label of the node as Kubernetes does", "[nrm]") {
  const NodeLabels labels{{"disk", "ssd"}};
  struct Case {
    const char* name;
    NodeRule rule;
    bool holds;
  };
  const Case cases[] = {
      {"In, the value", {"disk", Operator::kIn, "ssd"}, true},
      {"In, another value", {"disk", Operator::kIn, "hdd"}, false},
      {"In, no label", {"zone", Operator::kIn, ""}, false},
      {"NotIn, the value", {"disk", Operator::kNotIn, "ssd"}, false},
      {"NotIn, another value", {"disk", Operator::kNotIn, "hdd"}, true},
      {"NotIn, no label", {"zone", Operator::kNotIn, "a"}, true},
      {"Exists", {"disk", Operator::kExists, ""}, true},
      {"Exists, no label", {"zone", Operator::kExists, ""}, false},
      {"DoesNotExist", {"disk", Operator::kDoesNotExist, ""}, false},
      {"DoesNotExist, no label", {"zone", Operator::kDoesNotExist, ""}, true},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) { CHECK(c.rule.holds(labels) == c.holds); }
  }
}

TEST_CASE("Devices are named by path, world-wide name or serial number, or described", "[nrm]") {
  const Topology topology = parse_devices(
      "[/dev/disk/by-id/wwn-0x5000c500a1, 'wwn:0x5000C500A1', 'wwn:naa.6001405-part2', 'serial:WD-1234', "
      "{minSize: 100Gi, maxSize: 2Ti, rotational: false}, {rotational: true}]");
  REQUIRE(topology.rejected.empty());
  const std::vector<DeviceSelector>& devices = topology.groups.at(0).devices;
  REQUIRE(devices.size() == 6);
  CHECK(devices[0].kind == Kind::kPath);
  CHECK(devices[1].kind == Kind::kWwn);
  CHECK(devices[1].value == "5000c500a1");
  CHECK(devices[2].value == "6001405");
  CHECK(devices[2].partition == 2);
  CHECK(devices[3].kind == Kind::kSerial);
  CHECK(devices[3].value == "WD-1234");
  CHECK(devices[4].least_bytes == std::uint64_t{100} << 30);
  CHECK(devices[4].most_bytes == std::uint64_t{2} << 40);
  CHECK(devices[4].rotational == false);
  CHECK(devices[5].rotational == true);
}

TEST_CASE("What of an entry cannot be used is told, and the others stand", "[nrm]") {
  struct Case {
    const char* name;
    const char* entry;
    const char* why;
  };
  const Case cases[] = {
      {"no name", "{key: a, operator: Exists, topology: {type: device, devices: [/dev/vdb]}}", "name"},
      {"a name that LVM would not take",
       "{name: '../x', key: a, operator: Exists, topology: {type: device, devices: [/dev/vdb]}}", "../x"},
      {"no such operator", "{name: x, key: a, operator: Gt, topology: {type: device, devices: [/dev/vdb]}}",
       "none of In, NotIn"},
      {"no value to compare",
       "{name: x, key: a, operator: In, topology: {type: device, devices: [/dev/vdb]}}", "value"},
      {"a list of values",
       "{name: x, key: a, operator: In, value: [b], topology: {type: device, devices: [/dev/vdb]}}",
       "not a list"},
      {"a value that YAML takes for a fraction",
       "{name: x, key: a, operator: In, value: 1.10, topology: {type: device, devices: [/dev/vdb]}}",
       "quotes"},
      {"disks of the cloud's machine type",
       "{name: x, key: a, operator: Exists, topology: {type: alibabacloud-local-disk}}", "not supported"},
      {"persistent memory", "{name: x, key: a, operator: Exists, topology: {type: pmem, regions: [r]}}",
       "not supported"},
      {"no devices", "{name: x, key: a, operator: Exists, topology: {type: device, devices: []}}",
       "is empty"},
      {"a path that leads out of /dev",
       "{name: x, key: a, operator: Exists, topology: {type: device, devices: [/dev/../etc/x]}}",
       "plain path below /dev"},
      {"a word for LVM",
       "{name: x, key: a, operator: Exists, topology: {type: device, devices: ['/dev/x --yes']}}",
       "plain path below /dev"},
      {"a description of nothing",
       "{name: x, key: a, operator: Exists, topology: {type: device, devices: [{minSize: 2Gi, maxSize: "
       "1Gi}]}}",
       "no disk can be meant"},
      {"a description by something else",
       "{name: x, key: a, operator: Exists, topology: {type: device, devices: [{minsize: 2Gi}]}}",
       "none of minSize"},
      {"no entry at all", "5", "volumegroup[0]"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Topology topology =
          parse_groups("- " + std::string(c.entry) +
                       "\n- {name: vg2, key: a, operator: Notin, value: true, topology: {type: device, "
                       "devices: [/dev/vdc]}}\n");
      REQUIRE(topology.rejected.size() == 1);
      const std::string told = topology.rejected[0].entry + ": " + topology.rejected[0].why;
      INFO(told);
      CHECK(told.find(c.why) != std::string::npos);
      REQUIRE(topology.groups.size() == 1);
      CHECK(topology.groups[0].name == "vg2");
      CHECK(topology.groups[0].rule.value == "true");
    }
  }
}

TEST_CASE("Folders of the system are no quotapaths", "[nrm]") {
  for (const char* path :
       {"/", "/usr", "/quota", "/etc/x", "mnt", "/mnt/../etc", "/mnt/", "/proc", "/mnt/a b"}) {
    DYNAMIC_SECTION(path) {
      const Topology topology =
          parse_topology({{"quotapath", "quotapath:\n- {name: '" + std::string(path) +
                                            "', key: a, operator: Exists, topology: {type: device, devices: "
                                            "[/dev/vdb]}}\n"}});
      CHECK(topology.quota_paths.empty());
      CHECK(topology.rejected.size() == 1);
    }
  }
}

TEST_CASE("A key that cannot be read holds up no other", "[nrm]") {
  const Topology topology = parse_topology({{"volumegroup", "volumegroup: ["},
                                            {"quotapath",
                                             "quotapath:\n- {name: /mnt/a, key: a, operator: Exists, "
                                             "topology: {type: device, devices: [/dev/vdb]}}"},
                                            {"volumegroups", ""}});
  CHECK(topology.quota_paths.size() == 1);
  REQUIRE(topology.rejected.size() == 2);
  CHECK(topology.rejected[0].entry == "volumegroup");
  CHECK(topology.rejected[1].entry == "volumegroups");
}

TEST_CASE("A node is told of what is for it", "[nrm]") {
  const Topology all = parse_topology(parse_config_file(kManifest).value());
  const Topology own = all.of_node({{"kubernetes.io/storagetype", "lvm"}});
  REQUIRE(own.groups.size() == 1);
  CHECK(own.groups[0].name == "volumegroup2");
  CHECK(own.quota_paths.empty());
  CHECK(own.rejected.empty());
  CHECK(all.of_node({{"kubernetes.io/hostname", "node-1"}}).rejected.size() == 1);
}

TEST_CASE("Labels are read from a flag and from a file", "[nrm]") {
  const NodeLabels wanted{{"a/b", "c"}, {"d", ""}};
  CHECK(parse_labels("a/b=c,d=").value() == wanted);
  CHECK(parse_labels("# labels\na/b = c\n\nd=\n").value() == wanted);
  CHECK(parse_labels("").value().empty());
  CHECK_FALSE(parse_labels("a/b=c,d").has_value());
  CHECK_FALSE(parse_labels("=x").has_value());
}

}  // namespace
}  // namespace holdfast::nrm
