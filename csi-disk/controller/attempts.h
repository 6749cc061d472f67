#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "csi-disk/backend/disk_backend.h"
#include "csi-disk/volumes/disk_names.h"

namespace holdfast::disk {

/// From when on something that was made and is not shown by the cloud is gone: the token was that of an
/// earlier one of the same name.
inline constexpr std::chrono::seconds kGoneWhenUnseenFor{60};

/// What is remembered of the making of something whose outcome is not known, so that the next call for it
/// goes on there. It spares a cloud that shows late what it has made from being asked for it twice; lost with
/// the process, after which names alone tell. Thread-safe.
class Attempts {
 public:
  struct Attempt {
    /// Which of a class's zones is first. Of the name alone: every process asks for the same disk by the
    /// same token, and the cloud makes one.
    std::size_t turn = 0;
    unsigned generation = 0;      ///< part of the token: its predecessor was of something that is gone
    std::string open_token = {};  ///< of the attempt whose outcome is not known
    DiskSpec open_disk = {};      ///< what that asked for, of a disk
    std::optional<std::chrono::nanoseconds> absent_since = {};  ///< made, and not shown by the cloud
  };

  /// The one that is open, or a new one.
  [[nodiscard]] Attempt of(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    const auto found = open_.find(name);
    if (found != open_.end()) return found->second;
    if (open_.size() >= kMost) open_.erase(open_.begin());
    return open_[name] = Attempt{.turn = turn_of(name)};
  }
  void keep(const std::string& name, const Attempt& attempt) {
    const std::scoped_lock lock(mutex_);
    open_[name] = attempt;
  }
  /// A token of this moment, or the one that is open for less than kGoneWhenUnseenFor: that of an earlier
  /// thing of the same name would be answered with what is gone.
  [[nodiscard]] std::string token_of_now(const std::string& name, std::chrono::nanoseconds now) {
    Attempt attempt = of(name);
    if (attempt.absent_since && now - *attempt.absent_since < kGoneWhenUnseenFor) return attempt.open_token;
    attempt.absent_since = now;
    attempt.open_token = token_of({"now", name, std::to_string(now.count())});
    keep(name, attempt);
    return attempt.open_token;
  }
  void forget(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    open_.erase(name);
  }
  [[nodiscard]] std::size_t count() const {
    const std::scoped_lock lock(mutex_);
    return open_.size();
  }

 private:
  static constexpr std::size_t kMost = 4096;
  static std::size_t turn_of(const std::string& name) {
    constexpr std::size_t kDigits = 8;
    constexpr int kHex = 16;
    return std::stoul(token_of({"turn", name}).substr(0, kDigits), nullptr, kHex);
  }
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Attempt> open_;
};

/// The ids of the last disks that were deleted here: a token of one of them is answered with it. Thread-safe.
class GoneDisks {
 public:
  void add(const std::string& id) {
    constexpr std::size_t kMost = 1024;
    const std::scoped_lock lock(mutex_);
    if (!ids_.insert(id).second) return;
    order_.push_back(id);
    if (order_.size() <= kMost) return;
    ids_.erase(order_.front());
    order_.pop_front();
  }
  [[nodiscard]] bool has(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    return ids_.contains(id);
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  std::set<std::string> ids_;
  std::deque<std::string> order_;
};

}  // namespace holdfast::disk
