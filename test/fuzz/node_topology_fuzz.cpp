#include "csi-lvm/nrm/topology.h"
#include "test/fuzz/fuzz_text.h"

// Whatever a ConfigMap holds, what is read of it can be given to LVM and mount, and the rest is told with a
// reason.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  const auto config = holdfast::nrm::parse_config_file(holdfast::fuzz::text_of(data, size));
  if (!config) return 0;
  const holdfast::nrm::Topology topology = holdfast::nrm::parse_topology(*config);
  for (const auto& group : topology.groups) {
    require(!group.name.empty() && group.name.front() != '-' && !group.devices.empty());
    for (const auto& device : group.devices) {
      require(!device.text.empty());
      require(device.kind != holdfast::nrm::DeviceSelector::Kind::kPath || device.value.starts_with("/dev/"));
    }
  }
  for (const auto& path : topology.quota_paths) {
    require(path.path.starts_with('/') && path.path.find("/..") == std::string::npos);
  }
  for (const auto& rejected : topology.rejected) require(!rejected.why.empty());
  return 0;
}
