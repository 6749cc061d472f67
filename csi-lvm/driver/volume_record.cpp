#include "csi-lvm/driver/volume_record.h"

#include <utility>

#include "csi-lvm/volumes/volume_tags.h"

namespace holdfast::lvm {

VolumeRecord::VolumeRecord(Lvm& lvm, const LocalVolume& volume, Lvm::Patience patience)
    : lvm_(lvm), name_(volume.name), content_(volume.content), patience_(patience) {}

Status VolumeRecord::write(const block::Provenance& provenance) {
  std::string content = block::to_string(provenance);
  std::vector<std::string> old;
  if (!content_.empty() && content_ != content) old.push_back(tag(kContentTag, content_));
  HOLDFAST_CHECK(lvm_.change_tags(name_, old, {tag(kContentTag, content)}, patience_));
  content_ = std::move(content);
  return {};
}

}  // namespace holdfast::lvm
