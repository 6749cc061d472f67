#include "common/csi/profile.h"

#include <nlohmann/json.hpp>
#include <set>

#include "test/catch.h"

namespace holdfast::csi {
namespace {

using nlohmann::json;

TEST_CASE("The drivers that users have in their clusters are known", "[csi]") {
  struct Row {
    const char* driver;
    DriverKind kind;
    const char* first_topology_key;
    const char* handle_prefix;
  };
  const auto row = GENERATE(values<Row>({
      {"localplugin.csi.alibabacloud.com", DriverKind::kLocal, "kubernetes.io/hostname", ""},
      {"nasplugin.csi.alibabacloud.com", DriverKind::kNas, "", ""},
      {"diskplugin.csi.alibabacloud.com", DriverKind::kDisk, "topology.diskplugin.csi.alibabacloud.com/zone",
       "d-"},
      {"ensplugin.csi.alibabacloud.com", DriverKind::kDisk, "topology.ensplugin.csi.alibabacloud.com/region",
       "d-"},
      {"eck.csi.k8s.io", DriverKind::kDisk, "topology.csi.esx.eck.ctyun.cn/region", "cd-"},
      {"com.tencent.cloud.csi.cbs", DriverKind::kDisk, "topology.com.tencent.cloud.csi.cbs/zone", "disk-"},
      {"sim.disk.csi.holdfast.dev", DriverKind::kDisk, "topology.sim.disk.csi.holdfast.dev/zone", "d-"},
      {"com.tencent.cloud.csi.cfs", DriverKind::kNas, "", ""},
      {"com.tencent.cloud.csi.cfsturbo", DriverKind::kNas, "", ""},
  }));
  DYNAMIC_SECTION(row.driver) {
    const std::optional<Profile> profile = known_profile(row.driver);
    REQUIRE(profile.has_value());
    CHECK(profile->kind == row.kind);
    CHECK((profile->topology_keys.empty() ? "" : profile->topology_keys.front()) == row.first_topology_key);
    CHECK(profile->handle_prefix == row.handle_prefix);
    CHECK(parse_profile(json{{"driverName", row.driver}}).value() == *profile);
  }
}

TEST_CASE("Sockets stand where kubelet and the public manifests look for them", "[csi]") {
  const Profile ali = known_profile("diskplugin.csi.alibabacloud.com").value();
  const Profile cbs = known_profile("com.tencent.cloud.csi.cbs").value();
  CHECK(csi_socket("/var/lib/kubelet", ali) ==
        "/var/lib/kubelet/csi-plugins/diskplugin.csi.alibabacloud.com/csi.sock");
  CHECK(csi_socket("/var/lib/k0s/kubelet", cbs) ==
        "/var/lib/k0s/kubelet/plugins/com.tencent.cloud.csi.cbs/csi.sock");
  CHECK(registration_socket("/var/lib/kubelet", cbs) ==
        "/var/lib/kubelet/plugins_registry/com.tencent.cloud.csi.cbs-reg.sock");
}

TEST_CASE("A profile in a file tells what differs from the known one, or all of a new one", "[csi]") {
  const Profile eck = parse_profile(json{{"driverName", "eck.csi.k8s.io"},
                                         {"deviceLinks", {"virtio-{serial}"}},
                                         {"topologyKeys", json::array()}})
                          .value();
  CHECK(eck.handle_prefix == "cd-");
  CHECK(eck.device_links == std::vector<std::string>{"virtio-{serial}"});
  CHECK(eck.topology_keys.empty());
  CHECK(eck.handle_serial == HandleSerial::kNone);
  CHECK(eck.attach_limit == 100);
  CHECK_FALSE(eck.loop_devices);
  CHECK(eck.region_in_node_name);
  const Profile told = parse_profile(json{{"driverName", "eck.csi.k8s.io"},
                                          {"handleSerial", "behindPrefix"},
                                          {"loopDevices", true},
                                          {"attachLimit", 16},
                                          {"regionInNodeName", false}})
                           .value();
  CHECK(told.handle_serial == HandleSerial::kBehindPrefix);
  CHECK(told.loop_devices);
  CHECK(told.attach_limit == 16);
  CHECK_FALSE(told.region_in_node_name);

  const Profile own = parse_profile(json{{"driverName", "nas.example.com"}, {"kind", "nas"}}).value();
  CHECK(own == Profile{.driver_name = "nas.example.com", .kind = DriverKind::kNas});
}

TEST_CASE("A profile that cannot be is refused with the key that is wrong", "[csi]") {
  struct Row {
    const char* name;
    json document;
    const char* error;
  };
  const auto row = GENERATE(values<Row>({
      {"no name", json::object(), "driverName: is missing"},
      {"a name with a slash",
       {{"driverName", "../evil"}, {"kind", "nas"}},
       "driverName: '../evil' is not a driver's name: letters, digits, '-', '.', at most 63"},
      {"a new driver without a kind", {{"driverName", "a.b"}}, "kind: is missing"},
      {"no such kind", {{"driverName", "a.b"}, {"kind", "tape"}}, "kind: 'tape' is none of local, nas, disk"},
      {"no such part of a handle",
       {{"driverName", "a.b"}, {"kind", "disk"}, {"handleSerial", "half"}},
       "handleSerial: 'half' is none of none, whole, behindPrefix"},
      {"a folder that climbs",
       {{"driverName", "a.b"}, {"kind", "nas"}, {"pluginsFolder", ".."}},
       "pluginsFolder: '..' is not the name of a folder"},
  }));
  DYNAMIC_SECTION(row.name) {
    const Result<Profile> profile = parse_profile(row.document);
    REQUIRE_FALSE(profile.has_value());
    CHECK(profile.error().code == Code::kInvalidArgument);
    CHECK(profile.error().message == row.error);
  }
}

TEST_CASE("No driver is known twice, and none has a socket that is too long a path", "[csi]") {
  std::set<std::string> names;
  for (const Profile& profile : known_profiles()) {
    CHECK(names.insert(profile.driver_name).second);
    CHECK(csi_socket("/var/snap/microk8s/common/var/lib/kubelet", profile).native().size() <= 107);
  }
}

}  // namespace
}  // namespace holdfast::csi
