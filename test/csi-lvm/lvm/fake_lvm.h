#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "csi-lvm/lvm/lvm.h"

namespace holdfast::lvm::test {

/// LVM in memory: groups with disks of whole extents, and what the driver does to them. What it refuses it
/// refuses by the real one's rules (csi-lvm/lvm/lvm_faults.h); lvm_contract.cpp holds it against the real
/// one. Thread-safe.
class FakeLvm final : public Lvm {
 public:
  /// Called before each change, with its verb and volume: an error is answered, and nothing done.
  std::function<Status(std::string_view verb, const VolumeName& name)> before;
  /// Called after each change: an error is answered although it was done.
  std::function<Status(std::string_view verb, const VolumeName& name)> after;

  int looks = 0;  ///< how often look() was called
  /// Names of devices that a change that was cut off has left. A volume of such a name is made, and the
  /// change fails nevertheless.
  std::set<std::string> strays;

  void add_group(const std::string& name, const std::vector<std::uint64_t>& extents_of_disks,
                 std::uint64_t extent_bytes = 4 << 20);
  /// A blank disk that a group can take: "/dev/vdb".
  void add_disk(const std::string& device, std::uint64_t extents);
  /// A group of one disk that only the host's LVM sees.
  void add_host_group(const std::string& name, const std::string& device);
  /// The group is one that only the host's LVM sees from now on.
  void lose_group(const std::string& name);
  /// The disks of the group are pulled: nobody sees them, nor the group.
  void pull_disks_of(const std::string& name);
  void plug_disks_again();
  /// What happens to a volume without our doing: a pool fills, a snapshot is lost, a disk goes.
  void change(const VolumeName& name, const std::function<void(LogicalVolume&)>& happens);
  /// As a mount or a pod's file descriptor does.
  void set_open(const VolumeName& name, bool open);

  Result<Inventory> look(Patience patience) override;
  Result<LogicalVolume> look_at(const VolumeName& name, Patience patience) override;
  Status create(const NewVolume& wanted, Patience patience) override;
  Status create_snapshot(const NewSnapshot& wanted, Patience patience) override;
  Status create_pool(const NewPool& wanted, Patience patience) override;
  Status extend(const VolumeName& name, std::uint64_t size_bytes, Patience patience) override;
  Status join(const VolumeName& volume, const std::string& part, Patience patience) override;
  Status extend_metadata(const VolumeName& pool, std::uint64_t size_bytes, Patience patience) override;
  Status change_tags(const VolumeName& name, const std::vector<std::string>& remove,
                     const std::vector<std::string>& add, Patience patience) override;
  Status change_group_tags(const std::string& group, const std::vector<std::string>& remove,
                           const std::vector<std::string>& add, Patience patience) override;
  Status activate(const VolumeName& name, Patience patience) override;
  Status activate_all(const std::vector<VolumeName>& names, Patience patience) override;
  Status deactivate(const VolumeName& name, Patience patience) override;
  Status refresh(const VolumeName& name, Patience patience) override;
  Status drop_strays(const Inventory& seen, Patience patience) override;
  Status remove(const VolumeName& name, Patience patience) override;
  Result<Inventory> look_around(Patience patience) override;
  Status create_group(const GroupDisks& wanted, Patience patience) override;
  Status extend_group(const GroupDisks& wanted, Patience patience) override;
  Status adopt_group(const GroupDisks& wanted, Patience patience) override;

 private:
  // Moves blank disks into a group; false, and nothing is moved, when one is none.
  bool take_disks(VolumeGroup& group, const std::vector<std::string>& devices);
  Status perform_group(std::string_view verb, const GroupDisks& wanted,
                       const std::function<Status()>& change);

  // Of each disk of a volume's group, by its place, the extents that the volume takes.
  using Share = std::vector<std::uint64_t>;

  Status perform(std::string_view verb, const VolumeName& name, const std::function<Status()>& change);
  VolumeGroup* group(const std::string& name);
  LogicalVolume* volume(const VolumeName& name);
  // Gives the volume room on the disks; false when there is none.
  bool allocate(VolumeGroup& group, const std::string& volume_name, std::uint64_t extents,
                std::uint32_t stripes);
  Status switch_to(const VolumeName& name, bool active);

  std::mutex mutex_;
  Inventory state_;
  Inventory host_;  // what is not ours to look at
  std::vector<VolumeGroup> pulled_;
  std::map<std::string, PhysicalVolume> blank_;  // by path
  std::map<std::string, Share> shares_;          // by "group/volume"
};

}  // namespace holdfast::lvm::test
