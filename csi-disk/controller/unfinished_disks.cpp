#include "csi-disk/controller/unfinished_disks.h"

#include <utility>

#include "csi-disk/volumes/disk_tags.h"

namespace holdfast::disk {

Result<std::vector<std::string>> UnfinishedDisks::look(Patience patience) {
  const std::chrono::nanoseconds now = clock_.since_boot();
  std::map<std::string, std::chrono::nanoseconds> seen;
  std::vector<std::string> old;
  std::string from;
  do {
    HOLDFAST_TRY(const Page<Disk> page, volumes_.list(from, 0, patience));
    for (const Disk& disk : page.items) {
      if (tag_of(disk.tags, kStateTag) != kCreating || !volumes_.is_ours(disk)) continue;
      const auto before = seen_since_.find(disk.id);
      const std::chrono::nanoseconds since = before == seen_since_.end() ? now : before->second;
      seen[disk.id] = since;
      if (now - since >= kOld) old.push_back(disk.id);
    }
    from = page.next;
  } while (!from.empty());
  seen_since_ = std::move(seen);
  return old;
}

}  // namespace holdfast::disk
