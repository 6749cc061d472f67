#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/block/device_identity.h"
#include "common/mount/mount_table.h"
#include "csi-lvm/nrm/node_facts.h"

namespace holdfast::nrm {

/// The block devices of a node. The tests' one is test/csi-lvm/nrm/fake_disks.h.
class NodeDisks {
 public:
  NodeDisks() = default;
  NodeDisks(const NodeDisks&) = delete;
  NodeDisks& operator=(const NodeDisks&) = delete;
  virtual ~NodeDisks() = default;

  /// Whole disks and their partitions.
  virtual Result<std::vector<block::DeviceIdentity>> list() = 0;
  /// What a path leads to. Errors: kNotFound; kInvalidArgument when it is no block device.
  virtual Result<block::DeviceIdentity> identify(const std::string& path) = 0;
  /// Who uses the device, and when nobody does, what is on it. Reads some hundred places of it.
  virtual Probe probe(const block::DeviceIdentity& device) = 0;
};

/// The real one. Sees mounts of its own mount namespace by name, and those of others as "in use". May block
/// as long as a disk does.
class SystemNodeDisks final : public NodeDisks {
 public:
  /// `system_paths`: folders whose devices, and those below them, are the system's.
  explicit SystemNodeDisks(std::vector<std::string> system_paths = default_system_paths());

  /// The root, kubelet's and the container runtimes' folders.
  [[nodiscard]] static std::vector<std::string> default_system_paths();

  Result<std::vector<block::DeviceIdentity>> list() override;
  Result<block::DeviceIdentity> identify(const std::string& path) override;
  Probe probe(const block::DeviceIdentity& device) override;

 private:
  [[nodiscard]] Result<std::string> user_of(const block::DeviceIdentity& device) const;
  [[nodiscard]] std::string system_path_on(const block::DeviceIdentity& device,
                                           const mount::Mounts& mounts) const;

  block::DeviceDirectory directory_;
  std::vector<std::string> system_paths_;
};

}  // namespace holdfast::nrm
