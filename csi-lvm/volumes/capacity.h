#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "csi-lvm/lvm/inventory.h"
#include "csi-lvm/lvm/lvm.h"

namespace holdfast::lvm {

/// What is asked of a group's room. By what is set besides the size that is:
///
///     nothing                  a volume of the group's own extents
///     pool                     a thin volume of a pool that is there
///     pool, pool_bytes         the same, or of a pool of that size that is made first
///     new_pool, pool_bytes     the making of that pool
struct Room {
  std::string group;
  std::uint64_t size_bytes = 0;
  std::uint32_t stripes = 1;     ///< 0: all disks of the group
  std::string pool;              ///< not empty: of this thin pool
  bool of_spare = false;         ///< what is spared for growth may serve: for snapshots
  std::uint64_t pool_bytes = 0;  ///< how large the pool is made when it is not there; 0: it must be
  std::string new_pool{};        ///< not empty: of the group, for a pool of this name with `pool_bytes`
};

/// What a thin pool of so many bytes takes of its group when it is made.
struct PoolShare {
  std::uint64_t data_bytes = 0;  ///< the pool's own size, in whole extents
  std::uint64_t all_bytes = 0;   ///< with its metadata, and as much again to mend them
};
[[nodiscard]] PoolShare share_of_pool(std::uint64_t size_bytes, std::uint64_t extent_bytes);

/// Limits that keep a pool from running full: LVM then fails writes of every volume in it.
struct PoolLimits {
  double data_percent = 90;  ///< from it on nothing more is made in the pool
  double metadata_percent = 80;
  double overcommit = 2;  ///< the volumes of a pool may pretend to so many times its size
};

/// Whether the pool is as full as it may be, of data or of metadata; one that tells nothing is.
[[nodiscard]] bool at_watermark(const LogicalVolume& pool, const PoolLimits& limits);

/// What a group or pool can still give.
struct Capacity {
  std::uint64_t available_bytes = 0;
  std::uint64_t largest_bytes = 0;  ///< one volume
  std::uint64_t smallest_bytes = 0;
};

/// The one book of what is free on this node: what LVM last reported, less what has been promised since. Of
/// two who want the last room one is refused before LVM is asked. Answers from memory. Thread-safe.
class CapacityBook {
 public:
  /// Room that is promised, until it ends.
  class Promise;

  /// `spare_bytes`, by group: what new volumes leave for the growing of pools, snapshots and ephemeral
  /// volumes.
  CapacityBook(PoolLimits limits, std::map<std::string, std::uint64_t> spare_bytes);
  CapacityBook(const CapacityBook&) = delete;
  CapacityBook& operator=(const CapacityBook&) = delete;
  ~CapacityBook() = default;

  /// What LVM reports now.
  void update(Inventory inventory);

  /// What we have made since, so that LVM need not be asked for it.
  void add(const NewVolume& made);

  /// All groups as they were last reported, with what was made since.
  [[nodiscard]] Inventory inventory() const;
  /// One of them. Errors: kNotFound.
  [[nodiscard]] Result<VolumeGroup> group(const std::string& name) const;
  /// Whether a volume of this name is in any group.
  [[nodiscard]] bool has_volume(std::string_view name) const;

  /// Groups that are to spare room and are not on this node: it may be that they are written otherwise.
  [[nodiscard]] std::vector<std::string> unknown_spare_groups() const;

  /// Whether any group has a thin pool.
  [[nodiscard]] bool has_pools() const;

  /// Takes the room out of the book until the Promise ends, which must be before the book does; end it after
  /// update() has told what came of it. Errors: kNotFound for the group or pool; kResourceExhausted, with
  /// what is free.
  Result<Promise> promise(const Room& room);

  /// Of all groups together, for thick volumes.
  [[nodiscard]] std::uint64_t available_bytes() const;

  /// Of volumes with so many stripes (0: all disks), or of the pool. Errors: kNotFound for the group or pool.
  [[nodiscard]] Result<Capacity> capacity(const std::string& group, std::uint32_t stripes,
                                          const std::string& pool) const;
  /// Where the room's size does not matter. Of a pool that is to be made: what it will give, or nothing when
  /// the group has no room for it.
  [[nodiscard]] Result<Capacity> capacity(const Room& room) const;

  [[nodiscard]] const PoolLimits& limits() const { return limits_; }

 private:
  using Key = std::uint64_t;
  void release(Key key);
  [[nodiscard]] Result<VolumeGroup> reported(const std::string& name) const;
  [[nodiscard]] Result<VolumeGroup> group_now(const std::string& name) const;
  [[nodiscard]] Result<Capacity> capacity_of(const VolumeGroup& group, const Room& room) const;
  [[nodiscard]] Capacity thick_capacity(const VolumeGroup& group, std::uint32_t stripes, bool of_spare) const;
  [[nodiscard]] Result<Capacity> thin_capacity(const VolumeGroup& group, const Room& room) const;
  [[nodiscard]] Capacity capacity_of_new_pool(const VolumeGroup& group, const Room& room) const;

  PoolLimits limits_;
  std::map<std::string, std::uint64_t> spare_bytes_;
  mutable std::mutex mutex_;  // guards what follows
  Inventory inventory_;
  std::map<Key, Room> promises_;
  Key last_key_ = 0;
};

class CapacityBook::Promise {
 public:
  Promise(Promise&& other) noexcept : book_(std::exchange(other.book_, nullptr)), key_(other.key_) {}
  Promise& operator=(Promise&&) = delete;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;
  ~Promise() {
    if (book_ != nullptr) book_->release(key_);
  }

 private:
  friend class CapacityBook;
  Promise(CapacityBook& book, Key key) : book_(&book), key_(key) {}

  CapacityBook* book_;
  Key key_;
};

}  // namespace holdfast::lvm
