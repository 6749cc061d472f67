#include "common/csi/volume_holds.h"

namespace holdfast::csi {

Result<VolumeHolds::Held> VolumeHolds::hold(Kind kind, std::string_view id, std::string_view operation) {
  Key key{kind, std::string(id)};
  const std::scoped_lock lock(mutex_);
  const auto [place, free] = held_.try_emplace(key, operation);
  if (!free) {
    const std::string what = kind == Kind::kVolume ? "volume " : "snapshot ";
    return fail(Code::kAborted, what + key.second + ": " + place->second + " is under way");
  }
  return Held(*this, std::move(key));
}

std::size_t VolumeHolds::count() const {
  const std::scoped_lock lock(mutex_);
  return held_.size();
}

void VolumeHolds::release(const Key& key) {
  const std::scoped_lock lock(mutex_);
  held_.erase(key);
}

}  // namespace holdfast::csi
