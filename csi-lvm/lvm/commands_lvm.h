#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "csi-lvm/lvm/lvm.h"
#include "csi-lvm/lvm/lvm_queue.h"
#include "csi-lvm/lvm/mapped_devices.h"

namespace holdfast::lvm {

/// How our commands differ from those of the host's administrator.
struct LvmSettings {
  /// A file of /etc/lvm/devices with the disks that are ours to look at. Never the host's system.devices,
  /// which pvcreate would make anew and so hide the host's own groups.
  std::string devices_file = "holdfast.devices";
  /// udevd makes the links below /dev, and LVM waits for it, for ever, by a semaphore of its IPC namespace,
  /// which must be udevd's too. Else LVM makes what is not there at once (docs/decisions/0016).
  bool udev = false;
  /// Where LVM keeps a group's metadata from before its changes, two weeks and twenty files at least; "" for
  /// nowhere.
  std::string archive_folder;
  /// For so long after a group's metadata were kept its changes keep none: for each that does LVM looks at
  /// all files that are there, so that changes would become slower from day to day.
  std::chrono::milliseconds between_archives = std::chrono::minutes{10};
  /// Where LVM keeps the metadata of each group as it is after each change, a file a group; "": they are not
  /// kept.
  std::string backup_folder;
  /// Which groups of the host become ours again when our devices file does not name them: it was emptied or
  /// damaged. Null: none, nor those of `known_disks`.
  std::function<bool(const VolumeGroup& group)> is_ours;
  /// A file to keep the disks in that our devices file names, so that groups become ours again also that are
  /// empty; "" for none.
  std::string known_disks;
  /// The devices that volumes have; tests tell others.
  std::function<Result<std::vector<MappedDevice>>()> devices = mapped_devices;
};

/// Which disks LVM looks at.
enum class Scope { kOurs, kHost };

/// The settings as LVM takes them on its command line.
[[nodiscard]] std::string settings_text(const LvmSettings& settings, Scope scope = Scope::kOurs);

/// LVM by its commands. commands_lvm.cpp has how each is run and its history kept; commands_look.cpp what is
/// told of groups and volumes, commands_volume.cpp what is done to volumes and their tags, commands_join.cpp
/// one that grows by another's extents, commands_devices.cpp what is done to their devices, and
/// commands_group.cpp what is done to groups and disks.
class CommandsLvm final : public Lvm {
 public:
  /// `queue` outlives it.
  CommandsLvm(LvmQueue& queue, LvmSettings settings);

  /// What people should hear of that made no call fail, since this was last called: that metadata could not
  /// be kept, that groups were lost from our devices file.
  [[nodiscard]] std::vector<std::string> take_warnings();

  /// When our devices file names no disk, or none that it named before, or no group is seen, groups that are
  /// ours by LvmSettings::is_ours or by the disks that it named are taken back; when it names some of these
  /// only, those of is_ours; and when a group that it names in part lacks disks, those that the host has,
  /// looked for every half minute at most. Without a file nothing is ours, although LVM tells of all that the
  /// host has. Errors: also kUnavailable when groups cannot be taken back.
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
  Status change_group(std::vector<std::string> words, const GroupDisks& wanted, Patience patience);
  // What LVM said of them.
  Result<std::string> switch_on(std::span<const VolumeName> names, Patience patience);
  // Of a pool whose activation was cut off the parts stay active, by which LVM activates it no more. Whether
  // there were any in the groups of these volumes.
  Result<bool> drop_loose_parts(const std::vector<VolumeName>& names, Patience patience);
  Result<std::vector<VolumeSegment>> segments_of(const VolumeName& name, Patience patience);
  Result<Inventory> report(LvmCommand command, Patience patience);
  Result<Inventory> look_once(Patience patience);
  /// What is seen, and the groups of ours that our devices file, which names these disks, has lost.
  Result<Inventory> with_lost_groups(Inventory seen, const std::set<std::string>& named, Patience patience);
  /// What LVM has written down, and what the devices say. Nothing where only LVM can tell all: volumes are
  /// not plain, or a device is unsettled, or devices cannot be looked at.
  Result<std::optional<Inventory>> look_at_plain(Patience patience);
  /// Whether a group that our devices file names lacks a disk, or the file names fewer disks than it did, and
  /// the host's were not searched for these in kBetweenSearches.
  [[nodiscard]] bool is_to_search(const Inventory& seen, bool fewer);
  /// Adds what is there of such disks to our devices file, which names these.
  Result<Inventory> search(const Inventory& seen, const std::set<std::string>& named, Patience patience);
  /// False when there was none. `known`: all groups on these disks are ours too.
  Result<bool> regain_groups(const Inventory& seen, const std::set<std::string>& known, Patience patience);
  Status regain(const GroupDisks& group, Patience patience);
  /// What our devices file named last; none where that cannot be told, of which people hear.
  std::set<std::string> known_disks();
  void keep_known_disks(const std::set<std::string>& named);
  void warn(std::string what);
  [[nodiscard]] LvmCommand command(Effect effect, std::vector<std::string> words,
                                   const std::string& settings) const;
  /// Instead of a group, for what leaves the metadata of all as they are.
  static constexpr const char* kNoMetadata = "";
  /// A change of the group. What LVM said when the command failed; "" when it succeeded. `joins` as in
  /// LvmCommand.
  Result<std::string> run(const std::string& group, std::vector<std::string> words, Patience patience,
                          bool joins = false);
  Result<std::string> run_with(const std::string& settings, std::vector<std::string> words, Patience patience,
                               bool joins);
  /// Whether the next change of the group is to keep what was before it. When true, the answer is false for
  /// between_archives_, or until forget_archive().
  bool begin_archive(const std::string& group);
  void forget_archive(const std::string& group);

  /// Runs a change that takes room of its group. `why` tells of the inventory after it why it failed; where
  /// nothing does it is run once more, as the look may have brought a missing disk back, or somebody has made
  /// room.
  using Why = std::function<Status(const Inventory& after, std::string_view said)>;
  Status take_room(const std::string& group, const std::vector<std::string>& words, Patience patience,
                   const Why& why);

  using SteadyClock = std::chrono::steady_clock;
  LvmQueue& queue_;
  std::string settings_;
  std::string archiving_settings_;
  std::string host_settings_;  // for looking at all of the host's disks
  std::string devices_file_;
  std::string archive_folder_;
  std::chrono::milliseconds between_archives_;
  std::function<bool(const VolumeGroup& group)> is_ours_;
  std::string known_disks_file_;
  std::function<Result<std::vector<MappedDevice>>()> devices_;
  std::atomic<bool> plain_{true};                            // what was seen last
  std::mutex mutex_;                                         // guards what follows
  std::map<std::string, SteadyClock::time_point> archived_;  // when, by group
  std::optional<SteadyClock::time_point> searched_;          // when the host's disks were, for missing ones
  std::optional<std::set<std::string>> known_disks_;         // what the file has, once it was read
  std::vector<std::string> warnings_;
};

}  // namespace holdfast::lvm
