#pragma once

#include <mutex>
#include <string>
#include <utility>

namespace holdfast::lvm {

/// The uid of the cluster that volumes are made for; empty without one, and until it is known. Thread-safe.
class ClusterUid {
 public:
  explicit ClusterUid(std::string uid) : uid_(std::move(uid)) {}
  ClusterUid(const ClusterUid&) = delete;
  ClusterUid& operator=(const ClusterUid&) = delete;
  ~ClusterUid() = default;

  [[nodiscard]] std::string get() const {
    const std::scoped_lock lock(mutex_);
    return uid_;
  }
  void set(std::string uid) {
    const std::scoped_lock lock(mutex_);
    uid_ = std::move(uid);
  }

 private:
  mutable std::mutex mutex_;
  std::string uid_;  // guarded by mutex_
};

}  // namespace holdfast::lvm
