#include "csi-disk/controller/disk_looks.h"

#include <utility>

#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"

namespace holdfast::disk {

tl::unexpected<Error> told(cloud::CallError error, std::string_view what) {
  return tl::unexpected(cloud::to_error(std::move(error).within(what)));
}

tl::unexpected<Error> no_disk(std::string_view id) {
  return fail(Code::kNotFound, "there is no disk " + std::string(id));
}

std::string tag_of(const Tags& tags, std::string_view key) {
  const auto found = tags.find(std::string(key));
  return found == tags.end() ? "" : found->second;
}

Result<std::optional<Disk>> DiskLooks::find(const std::string& id, const Budget& budget) const {
  if (!is_id(id, settings_.handle_prefix)) return std::nullopt;
  cloud::Answer<std::vector<Disk>> found = backend_.disks({id}, budget.left());
  if (!found) return told(std::move(found).error(), "look at disk " + id);
  for (Disk& each : *found) {
    if (each.id == id) return std::move(each);
  }
  return std::nullopt;
}

Result<Disk> DiskLooks::get(const std::string& id, const Budget& budget) const {
  HOLDFAST_TRY(std::optional<Disk> found, find(id, budget));
  if (!found) return no_disk(id);
  return *std::move(found);
}

Result<std::optional<Disk>> DiskLooks::wait(const std::string& id, const Settled& settled,
                                            std::string_view what, const Budget& budget) const {
  for (const auto since = budget.now();;) {
    HOLDFAST_TRY(std::optional<Disk> found, find(id, budget));
    if (!found || settled(*found)) return found;
    if (!budget.wait(since)) return under_way(what);
  }
}

Result<Disk> DiskLooks::bring(const std::string& id, const Settled& settled,
                              const std::function<cloud::Done()>& ask, const std::string& what,
                              const Budget& budget) const {
  CloudChange change(what, budget);
  for (;;) {
    HOLDFAST_TRY(Disk disk, get(id, budget));
    if (settled(disk)) return disk;
    if (!change.taken()) {
      cloud::Done done = change.answered(ask());
      if (!done) return told(std::move(done).error(), what);
    }
    if (!change.wait()) return change.unfinished();
  }
}

Status DiskLooks::drop(const std::string& id, const Budget& budget) const {
  CloudChange change("deleting disk " + id, budget);
  for (;;) {
    HOLDFAST_TRY(const std::optional<Disk> disk, find(id, budget));
    if (!disk) return {};
    if (!disk->nodes.empty())
      return fail(Code::kFailedPrecondition, "disk " + id + " is attached to " + disk->nodes.front());
    if (!change.taken()) {
      cloud::Done done = change.answered(backend_.delete_disk(id, budget.left()));
      if (!done) return told(std::move(done).error(), "delete disk " + id);
    }
    if (!change.wait()) return change.unfinished();
  }
}

Result<std::optional<Snapshot>> DiskLooks::find_snapshot(const std::string& id, const Budget& budget) const {
  if (!is_id(id, "")) return std::nullopt;
  cloud::Answer<std::vector<Snapshot>> found = backend_.snapshots({id}, budget.left());
  if (!found) return told(std::move(found).error(), "look at snapshot " + id);
  for (Snapshot& each : *found) {
    if (each.id == id) return std::move(each);
  }
  return std::nullopt;
}

Result<std::vector<Disk>> DiskLooks::named(const std::string& name, const Budget& budget) const {
  cloud::Answer<std::vector<Disk>> found = backend_.disks_named(name, budget.left());
  if (!found) return told(std::move(found).error(), "look for a disk called " + name);
  std::erase_if(*found, [this](const Disk& each) { return !is_ours(each.tags); });
  return *std::move(found);
}

Result<std::vector<Snapshot>> DiskLooks::snapshots_named(const std::string& name,
                                                         const Budget& budget) const {
  cloud::Answer<std::vector<Snapshot>> found = backend_.snapshots_named(name, budget.left());
  if (!found) return told(std::move(found).error(), "look for a snapshot called " + name);
  std::erase_if(*found, [this](const Snapshot& each) { return !is_ours(each.tags); });
  return *std::move(found);
}

Status DiskLooks::drop_snapshots_named(const std::string& name, const Budget& budget) const {
  HOLDFAST_TRY(const std::vector<Snapshot> there, snapshots_named(name, budget));
  for (const Snapshot& each : there) {
    cloud::Done done = backend_.delete_snapshot(each.id, budget.left());
    if (done) continue;
    Error error = cloud::to_error(std::move(done).error().within("delete snapshot " + each.id));
    if (error.code == Code::kFailedPrecondition) error.code = Code::kAborted;
    return tl::unexpected(std::move(error));
  }
  return {};
}

bool DiskLooks::is_ours(const Tags& tags) const {
  if (!backend_.abilities().tags) return true;
  return tags.contains(std::string(kNameTag)) && tag_of(tags, kClusterTag) == settings_.cluster;
}

std::string DiskLooks::name_of(const std::string& csi_name) const {
  return disk_name_of(csi_name, backend_.abilities().tags ? "" : settings_.cluster);
}

}  // namespace holdfast::disk
