#include "csi-lvm/volumes/block_cleaner.h"

#include "common/block/block_device.h"
#include "common/block/wipe.h"
#include "csi-lvm/volumes/local_volume.h"

namespace holdfast::lvm {

Status BlockCleaner::zero_superblocks(const VolumeName& name) {
  HOLDFAST_TRY(const auto device,
               block::SystemBlockDevice::open(device_path(name), block::Access::kExclusive));
  return block::zero_places(*device);
}

Status BlockCleaner::wipe(const VolumeName& name, Lvm::Patience patience) {
  HOLDFAST_TRY(const auto device,
               block::SystemBlockDevice::open(device_path(name), block::Access::kExclusive));
  const auto until = clock_.since_boot() + patience;
  const std::string volume = name.text();
  HOLDFAST_TRY(const block::WipeProgress progress,
               block::wipe_whole(*device, reached(volume), [&] { return clock_.since_boot() >= until; }));
  const std::scoped_lock lock(mutex_);
  if (progress.done) {
    reached_.erase(volume);
    return {};
  }
  reached_[volume] = progress.next;
  return fail(Code::kAborted, "the volume " + volume + " is being wiped: " + std::to_string(progress.next) +
                                  " of " + std::to_string(device->size_bytes()) + " bytes are; ask again");
}

void BlockCleaner::forget(const VolumeName& name) {
  const std::scoped_lock lock(mutex_);
  reached_.erase(name.text());
}

std::uint64_t BlockCleaner::reached(const std::string& volume) {
  const std::scoped_lock lock(mutex_);
  const auto found = reached_.find(volume);
  return found == reached_.end() ? 0 : found->second;
}

}  // namespace holdfast::lvm
