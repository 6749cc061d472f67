#include "common/csi/profile.h"

namespace holdfast::csi {

// Source: manifests and source of the public drivers, 2026.
const std::vector<Profile>& known_profiles() {
  static const std::vector<Profile> known = {
      {.driver_name = "localplugin.csi.alibabacloud.com",
       .kind = DriverKind::kLocal,
       .plugins_folder = "csi-plugins",
       .topology_keys = {"kubernetes.io/hostname"}},
      {.driver_name = "nasplugin.csi.alibabacloud.com",
       .kind = DriverKind::kNas,
       .plugins_folder = "csi-plugins"},
      {.driver_name = "com.tencent.cloud.csi.cfs", .kind = DriverKind::kNas},
      {.driver_name = "com.tencent.cloud.csi.cfsturbo", .kind = DriverKind::kNas},
      {.driver_name = "diskplugin.csi.alibabacloud.com",
       .kind = DriverKind::kDisk,
       .plugins_folder = "csi-plugins",
       .topology_keys = {"topology.diskplugin.csi.alibabacloud.com/zone", "topology.kubernetes.io/region",
                         "topology.kubernetes.io/zone", "alibabacloud.com/ecs-instance-id"},
       .handle_prefix = "d-",
       .device_links = {"virtio-{serial}", "nvme-Alibaba_Cloud_Elastic_Block_Storage_{serial}"},
       .handle_serial = HandleSerial::kBehindPrefix,
       .attach_limit = 16},
      {.driver_name = "ensplugin.csi.alibabacloud.com",
       .kind = DriverKind::kDisk,
       .plugins_folder = "csi-plugins",
       .topology_keys = {"topology.ensplugin.csi.alibabacloud.com/region"},
       .handle_prefix = "d-",
       .device_links = {"virtio-{serial}"},
       .handle_serial = HandleSerial::kBehindPrefix},
      // How its devices are named is not public: a profile in a file says it where it is used.
      {.driver_name = "eck.csi.k8s.io",
       .kind = DriverKind::kDisk,
       .topology_keys = {"topology.csi.esx.eck.ctyun.cn/region"},
       .handle_prefix = "cd-",
       .attach_limit = 100,
       .region_in_node_name = true},
      {.driver_name = "com.tencent.cloud.csi.cbs",
       .kind = DriverKind::kDisk,
       .topology_keys = {"topology.com.tencent.cloud.csi.cbs/zone"},
       .handle_prefix = "disk-",
       .device_links = {"virtio-{serial}"},
       .handle_serial = HandleSerial::kWhole,
       .attach_limit = 20},
      // Disks of the simulator disk-sim.
      {.driver_name = "sim.disk.csi.holdfast.dev",
       .kind = DriverKind::kDisk,
       .topology_keys = {"topology.sim.disk.csi.holdfast.dev/zone"},
       .handle_prefix = "d-",
       .device_links = {"virtio-{serial}"},
       .handle_serial = HandleSerial::kBehindPrefix,
       .loop_devices = true},
  };
  return known;
}

}  // namespace holdfast::csi
