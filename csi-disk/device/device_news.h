#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace holdfast::disk {

/// Wakes those who wait for a disk when one has come, gone or changed, or a link to one. Who looks first and
/// waits then misses nothing: the count from before the look is what wait() is given. From any thread.
class DeviceNews {
 public:
  DeviceNews() = default;
  DeviceNews(const DeviceNews&) = delete;
  DeviceNews& operator=(const DeviceNews&) = delete;
  ~DeviceNews() = default;

  void tell();
  /// How often something was told.
  [[nodiscard]] std::uint64_t count() const;
  /// Until count() is beyond `seen`, for `patience` at most; whether it is.
  [[nodiscard]] bool wait(std::uint64_t seen, std::chrono::nanoseconds patience);

 private:
  mutable std::mutex mutex_;  // guards count_
  std::condition_variable changed_;
  std::uint64_t count_ = 0;
};

}  // namespace holdfast::disk
