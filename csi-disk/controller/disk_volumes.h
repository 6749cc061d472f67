#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "csi-disk/controller/disk_attachments.h"
#include "csi-disk/controller/disk_looks.h"
#include "csi-disk/controller/disk_maker.h"
#include "csi-disk/controller/disk_snapshots.h"

namespace holdfast::disk {

/// The disks of a cloud as volumes: all that a controller does, without CSI's messages. Nothing is kept on
/// this machine: names, tags and the cloud's own answers tell all, so that another process goes on where this
/// one was killed.
///
/// A cloud that cannot be reached, throttles, or locks what an account in arrears has, is asked again
/// (kUnavailable); nothing is deleted and nothing is called missing for it. A disk is missing when the cloud
/// says so. Thread-safe, but for one volume or snapshot at a time (common/csi/volume_holds.h).
class DiskVolumes {
 public:
  /// `backend` and `clock` outlive it.
  DiskVolumes(DiskBackend& backend, DiskSettings settings, Clock& clock)
      : settings_(std::move(settings)),
        looks_(backend, settings_, clock),
        maker_(looks_),
        attachments_(looks_),
        snapshots_(looks_) {}

  [[nodiscard]] const DiskSettings& settings() const { return settings_; }
  [[nodiscard]] Abilities abilities() const { return looks_.backend().abilities(); }
  [[nodiscard]] DiskMaker& maker() { return maker_; }
  [[nodiscard]] const DiskAttachments& attachments() const { return attachments_; }
  [[nodiscard]] DiskSnapshots& snapshots() { return snapshots_; }

  /// Deletes the disk, where its class says so after a last snapshot is ready. Succeeds when there is none.
  /// Errors: kFailedPrecondition, naming the node, while it is attached, or the cluster, when it is another
  /// one's, as for expand() and modify(); kAborted while it is under way.
  Status remove(const std::string& id, Patience patience);
  /// The new size in GiB. Errors: kNotFound; kOutOfRange; kAborted while it is under way.
  Result<std::uint64_t> expand(const std::string& id, const SizeWish& wish, Patience patience) const;
  /// All of it, or, with kInvalidArgument, nothing; one that was cut off is finished by the same call made
  /// again. Errors: kNotFound; kAborted while it is under way; kInternal when the cloud refuses a part of it
  /// that comes after another.
  Status modify(const std::string& id, const Parameters& changes, Patience patience) const;

  /// Whether it can be the id of one of the cloud's disks.
  [[nodiscard]] bool is_disk_id(const std::string& id) const;
  /// Whether this controller's cluster has made or adopted it, where tags tell.
  [[nodiscard]] bool is_ours(const Disk& disk) const { return looks_.is_ours(disk.tags); }
  /// Errors: kNotFound.
  [[nodiscard]] Result<Disk> get(const std::string& id, Patience patience) const;
  [[nodiscard]] Result<std::optional<Snapshot>> find_snapshot(const std::string& id, Patience patience) const;
  /// All disks of the region, whoever made them: a volume may be one of them. `from` empty: the first; `most`
  /// 0: as many as a page has. Errors: kAborted for a `from` that was never a page's next.
  [[nodiscard]] Result<Page<Disk>> list(const std::string& from, std::uint32_t most, Patience patience) const;
  /// Of one disk alone when `disk` is not empty. Errors: as list().
  [[nodiscard]] Result<Page<Snapshot>> list_snapshots(const std::string& disk, const std::string& from,
                                                      std::uint32_t most, Patience patience) const;
  /// The sizes of which a disk of the class can be made in `place` now; nullopt: the cloud has none to sell.
  [[nodiscard]] Result<std::optional<SizeRange>> on_sale(const DiskClass& of_class, const std::string& place,
                                                         Patience patience) const;

 private:
  /// Errors: kFailedPrecondition when the disk bears the uid of another cluster.
  [[nodiscard]] Status check_cluster(const Disk& disk) const;
  Status change_performance(const std::string& id, const Performance& to, const Budget& budget) const;
  Result<std::string> begin_deletion(const Disk& disk, const Budget& budget) const;

  const DiskSettings settings_;
  DiskLooks looks_;
  DiskMaker maker_;
  DiskAttachments attachments_;
  DiskSnapshots snapshots_;
};

}  // namespace holdfast::disk
