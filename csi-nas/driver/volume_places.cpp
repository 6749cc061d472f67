#include "csi-nas/driver/volume_places.h"

#include "csi-nas/nfs/nfs_table.h"

namespace holdfast::nas {
namespace {

const mount::MountEntry* nfs_at(const mount::Mounts& mounts, const std::string& path) {
  const mount::MountEntry* entry = mount::mounted_at(mounts, path);
  return entry != nullptr && is_nfs(*entry) ? entry : nullptr;
}

}  // namespace

void VolumePlaces::staged(const std::string& volume, const std::string& path) {
  const std::scoped_lock lock(mutex_);
  places_[path] = {.volume = volume, .staged = true};
}

void VolumePlaces::published(const std::string& volume, const std::string& target) {
  const std::scoped_lock lock(mutex_);
  places_[target] = {.volume = volume, .staged = false};
}

void VolumePlaces::gone(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  places_.erase(path);
}

std::vector<csi::Publication> VolumePlaces::publications(const std::string& volume,
                                                         const mount::Mounts& mounts) const {
  const std::scoped_lock lock(mutex_);
  std::vector<csi::Publication> out;
  for (const auto& [path, place] : places_) {
    if (place.staged || place.volume != volume) continue;
    const mount::MountEntry* entry = nfs_at(mounts, path);
    if (entry != nullptr) out.push_back({path, entry->read_only() ? "ro" : "rw"});
  }
  return out;
}

std::optional<std::string> VolumePlaces::path_of(const std::string& volume,
                                                 const mount::Mounts& mounts) const {
  const std::scoped_lock lock(mutex_);
  std::optional<std::string> found;
  for (const auto& [path, place] : places_) {
    if (place.volume != volume || nfs_at(mounts, path) == nullptr) continue;
    if (place.staged) return path;
    if (!found) found = path;
  }
  return found;
}

std::string VolumePlaces::volume_at(const std::string& path) const {
  const std::scoped_lock lock(mutex_);
  const auto found = places_.find(path);
  return found == places_.end() ? "" : found->second.volume;
}

bool VolumePlaces::is_staged_at(const std::string& path, const std::string& volume) const {
  const std::scoped_lock lock(mutex_);
  const auto found = places_.find(path);
  return found != places_.end() && found->second.staged && found->second.volume == volume;
}

}  // namespace holdfast::nas
