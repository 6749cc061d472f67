#pragma once

#include <memory>
#include <string>

#include "csi-disk/controller/disk_volumes.h"
#include "test/csi-disk/controller/memory_disks.h"
#include "test/fakes/fake_clock.h"

namespace holdfast::disk {

inline constexpr Patience kPatience = std::chrono::seconds(15);

inline DiskSettings settings_of(const std::string& cloud, const std::string& cluster) {
  return {.cloud = known_cloud(cloud).value(),
          .keys = {.place = "test/zone", .also = {"topology.kubernetes.io/zone"}, .region = "test/region"},
          .handle_prefix = "d-",
          .region = "r",
          .place = "a",
          .cluster = cluster};
}

inline Accessibility reached_in(const std::vector<std::string>& places) {
  Accessibility reached;
  for (const std::string& place : places) reached.preferred.push_back({{"test/zone", place}});
  return reached;
}

/// A controller over a cloud in memory, and time that moves when it is slept.
struct DiskScene {
  explicit DiskScene(std::chrono::milliseconds settling = {}) : cloud(clock, settling) { restart(); }

  /// Another process: what was remembered is gone.
  void restart() { volumes = std::make_unique<DiskVolumes>(cloud, settings_of("alibaba", "uid-1"), clock); }

  NewDisk wanted(const std::string& name, const Parameters& parameters = {}) const {
    Parameters all = parameters;
    all.emplace("type", "cloud_essd");
    return {.name = name,
            .of_class = parse_disk_class(all, volumes->settings().cloud).value(),
            .size = {.required_bytes = 20 * kGiB}};
  }
  Result<Disk> create(const NewDisk& disk) { return volumes->maker().create(disk, kPatience); }
  Result<Disk> create(const std::string& name) { return create(wanted(name)); }
  Result<std::map<std::string, std::string>> attach(const std::string& disk, const std::string& node,
                                                    bool shared = false) {
    return volumes->attachments().attach(disk, node, shared, kPatience);
  }
  Status detach(const std::string& disk, const std::string& node) {
    return volumes->attachments().detach(disk, node, kPatience);
  }
  Result<Snapshot> snapshot(const std::string& name, const std::string& disk) {
    return volumes->snapshots().take(name, disk, {}, kPatience);
  }
  /// The disk as the cloud has it.
  Disk now(const std::string& id) {
    for (Disk& each : cloud.all_disks()) {
      if (each.id == id) return each;
    }
    return {};
  }

  test::FakeClock clock;
  MemoryDisks cloud;
  std::unique_ptr<DiskVolumes> volumes;
};

/// One whose works take a second.
struct SlowDiskScene : DiskScene {
  SlowDiskScene() : DiskScene(std::chrono::seconds(1)) {}
};

}  // namespace holdfast::disk
