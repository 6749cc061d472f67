#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "csi-disk/controller/attempts.h"
#include "csi-disk/controller/disk_adoption.h"
#include "csi-disk/controller/disk_looks.h"
#include "csi-disk/volumes/disk_class.h"
#include "csi-disk/volumes/places.h"

namespace holdfast::disk {

/// What a new disk is made from.
struct DiskSource {
  std::string id;
  bool snapshot = false;  ///< else a disk
};

/// A disk that is asked for.
struct NewDisk {
  std::string name;  ///< CSI's
  DiskClass of_class = {};
  SizeWish size = {};
  Accessibility reached = {};
  std::optional<DiskSource> source = {};
};

/// Makes disks.
///
///     (none) --CreateDisk--> creating --usable, its copy's snapshot deleted--> ready
///
/// A disk is found again by its name, which is that of the volume, and its tags: a call that was cut off
/// anywhere is finished by the same call made again, also by another process. One that is `creating` has
/// never been told of to anybody: it is deleted when it is not what is asked for now (another zone, as the
/// pod has been scheduled elsewhere), while one that is `ready` is somebody's and stays.
///
/// Types, levels and zones of a class are tried in order while the cloud answers that it has none of this
/// kind; never after an answer that leaves open whether a disk was made. When what is asked for changes
/// meanwhile, that attempt is brought to its end first, and what it made deleted. A copy of a disk is made
/// from a temporary snapshot, which the cloud deletes by itself after some days should nobody ask again.
///
/// An error after which a disk that nobody was told of may be left is kAborted, kDeadlineExceeded or
/// kUnavailable, so that the provisioner asks again. Thread-safe; one name at a time needs the caller's hold.
class DiskMaker {
 public:
  /// `looks` outlives it.
  explicit DiskMaker(const DiskLooks& looks) : looks_(looks), adoption_(looks) {}

  /// Errors: kAlreadyExists when it is there and differs, or the disk to adopt is another volume; kNotFound
  /// for the source or the disk to adopt; kOutOfRange; kResourceExhausted when none of the class's disks is
  /// to be had where pods reach it; kInvalidArgument.
  Result<Disk> create(const NewDisk& wanted, Patience patience);

  /// The disk has been deleted: what the cloud remembers of its making is not to be taken for another's.
  void forget_disk(const std::string& id) { gone_.add(id); }
  /// How many disks it remembers as not finished.
  [[nodiscard]] std::size_t open_attempts() const { return attempts_.count() + copies_.count(); }

 private:
  struct Plan;
  [[nodiscard]] Result<Plan> plan(const NewDisk& wanted) const;
  Result<std::optional<Disk>> find_made(const Plan& plan, const Budget& budget);
  Result<std::optional<Disk>> keep_one(std::vector<Disk> mine, const Budget& budget);
  Status discard(const std::string& id, const Budget& budget);
  Result<std::string> make(const Plan& plan, const Budget& budget);
  Result<std::string> make_from_snapshot(const Plan& plan, const Budget& budget);
  Result<std::string> make_copy(const Plan& plan, const Budget& budget);
  Result<Snapshot> temporary_snapshot(const Plan& plan, const Budget& budget);
  Status cut_source(const Plan& plan, const std::string& name, const Budget& budget);
  Result<std::string> make_from(const Plan& plan, const std::string& snapshot, std::uint64_t least_gib,
                                const Budget& budget);
  Result<std::string> try_all(const Plan& plan, std::vector<DiskSpec> specs, const Budget& budget);
  Status settle_other(const std::string& name, const std::vector<DiskSpec>& specs, const Budget& budget);
  cloud::Answer<std::string> ask(const DiskSpec& spec, Attempts::Attempt& attempt, const Budget& budget);
  /// finish(), with errors that have the caller ask again: there is a disk.
  Result<Disk> finished(const Plan& plan, const std::string& id, const Budget& budget);
  Result<Disk> finish(const Plan& plan, const std::string& id, const Budget& budget);
  Status declare_ready(const Plan& plan, const Disk& disk, const std::string& what, const Budget& budget);
  [[nodiscard]] bool is_given_up(const std::string& name);

  const DiskLooks& looks_;
  Attempts attempts_;
  Attempts copies_;  // of temporary snapshots
  DiskAdoption adoption_;
  GoneDisks gone_;
};

}  // namespace holdfast::disk
