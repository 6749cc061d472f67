#include "csi-disk/device/device_news.h"

namespace holdfast::disk {

void DeviceNews::tell() {
  const std::scoped_lock lock(mutex_);
  ++count_;
  changed_.notify_all();
}

std::uint64_t DeviceNews::count() const {
  const std::scoped_lock lock(mutex_);
  return count_;
}

bool DeviceNews::wait(std::uint64_t seen, std::chrono::nanoseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return count_ > seen; });
}

}  // namespace holdfast::disk
