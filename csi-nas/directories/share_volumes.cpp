#include "csi-nas/directories/share_volumes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/text.h"
#include "csi-nas/directories/copy_tree.h"
#include "csi-nas/directories/folder_entries.h"
#include "csi-nas/directories/remove_tree.h"
#include "csi-nas/directories/rename_new.h"

namespace holdfast::nas {
namespace {

constexpr mode_t kOwnMode = 0700;
constexpr mode_t kParentMode = 0755;
constexpr std::size_t kShown = 300;
constexpr const char* kMarkText = "holdfast";

bool is_same_file(int one, int other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// Asked again, it comes to the same until somebody makes room, gives rights, or asks for something else. Who
// asked takes such an error for the end of the matter.
bool is_lasting(const Error& error) {
  const int number = error.sys_errno;
  if (number == ENOSPC || number == EDQUOT || number == EACCES || number == EPERM || number == EROFS)
    return true;
  const bool refused = error.code == Code::kResourceExhausted || error.code == Code::kPermissionDenied ||
                       error.code == Code::kInvalidArgument || error.code == Code::kAlreadyExists ||
                       error.code == Code::kFailedPrecondition;
  return refused && number == 0;
}

std::string quoted(const RelativePath& directory) { return "'" + printable(directory.text(), kShown) + "'"; }

tl::unexpected<Error> refuse_foreign(const VolumeDirectory& volume) {
  return fail(Code::kAlreadyExists, "the directory " + quoted(volume.directory) +
                                        " is there and not a volume's: choose another subDir, or use it "
                                        "by a PersistentVolume of your own");
}

}  // namespace

ShareVolumes::ShareVolumes(const ShareRoot& root, std::string holder, ProgressSink sink)
    : root_(root), holder_(std::move(holder)), sink_(std::move(sink)) {}

Status ShareVolumes::make(const VolumeDirectory& volume, mode_t mode) { return build(volume, nullptr, mode); }

Status ShareVolumes::copy(const VolumeDirectory& volume, const std::string& source,
                          std::optional<mode_t> mode) {
  return build(volume, &source, mode);
}

// What was begun would keep a full share full, and others from it.
Status ShareVolumes::build(const VolumeDirectory& volume, const std::string* source,
                           std::optional<mode_t> mode) {
  Status done = begin_and_place(volume, source, mode);
  if (done || !is_lasting(done.error())) return done;
  const auto undone = undo(volume);
  if (!undone) return fail(Code::kAborted, done.error().message + "; and then: " + undone.error().message);
  // It is in its place, by another holder perhaps: asked again, it is found.
  if (!*undone) return fail(Code::kAborted, done.error().message);
  Error error = std::move(done).error();
  error.sys_errno = 0;
  return tl::unexpected(std::move(error));
}

// False: the directory is in its place.
Result<bool> ShareVolumes::undo(const VolumeDirectory& volume) {
  auto found = root_.find_folder(std::string(kOwnFolder) + "/claims");
  if (!found && found.error().code == Code::kFailedPrecondition) return true;  // it is no folder of ours
  HOLDFAST_TRY(const std::optional<Fd> claims, std::move(found));
  if (!claims) return true;
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), place.claim));
  if (!is_claim_of(known, volume)) return true;
  Result<bool> there = is_there(volume.directory);
  // Behind what is in the way there is nothing of ours.
  if (!there && there.error().code == Code::kFailedPrecondition) there = Result<bool>(false);
  HOLDFAST_TRY(const bool whole, std::move(there));
  if (whole) return false;
  HOLDFAST_CHECK(unclaim(place, volume));
  return true;
}

Status ShareVolumes::begin_and_place(const VolumeDirectory& volume, const std::string* source,
                                     std::optional<mode_t> mode) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kDisplaced) return displaced(place, volume);
  if (standing == Standing::kForeign) return refuse_foreign(volume);
  HOLDFAST_TRY(const bool whole, is_there(volume.directory));
  if (standing == Standing::kOurs && whole) return confirm(place, volume);
  std::optional<Fd> from;
  if (source != nullptr) {
    HOLDFAST_TRY(from, root_.find_folder(*source));
    if (!from && standing == Standing::kOurs) HOLDFAST_CHECK(unclaim(place, volume));
    if (!from) return fail(Code::kNotFound, "there is no directory '" + printable(*source, kShown) + "'");
  }
  HOLDFAST_CHECK(check_above(place, volume));
  HOLDFAST_CHECK(claim(place, volume));
  HOLDFAST_TRY(const Fd work, root_.make_folders(std::string(kOwnFolder) + "/" + place.work, kOwnMode));
  if (from) HOLDFAST_CHECK(fill(place, *source, from->get(), work.get()));
  if (mode && ::fchmod(work.get(), *mode) != 0) return fail_entry(errno, "set the mode of", place.work);
  if (::symlinkat(kMarkText, work.get(), place.mark.c_str()) != 0 && errno != EEXIST) {
    return fail_entry(errno, "mark", place.work);
  }
  HOLDFAST_CHECK(put_in_place(place, volume));
  return confirm(place, volume);
}

Status ShareVolumes::displaced(const OwnNames& place, const VolumeDirectory& volume) {
  HOLDFAST_CHECK(unclaim(place, volume));
  return refuse_foreign(volume);
}

// Of one that is in its place.
Status ShareVolumes::confirm(const OwnNames& place, const VolumeDirectory& volume) {
  HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), place.claim));
  if (is_claim_of(known, volume) && known != volume.owner) {
    HOLDFAST_CHECK(change_claim(place, volume, volume.owner));
  }
  HOLDFAST_CHECK(drop_mark(place, volume.directory));
  return clear_unfinished(place);
}

// The folder's own times stay those of what it was copied from.
Status ShareVolumes::drop_mark(const OwnNames& place, const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> folder, root_.find_folder(directory.text()));
  struct stat info {};
  if (!folder || ::fstat(folder->get(), &info) != 0) return {};
  if (::unlinkat(folder->get(), place.mark.c_str(), 0) != 0) {
    return errno == ENOENT ? Status{} : Status(fail_entry(errno, "remove the mark of", directory.text()));
  }
  const std::array<timespec, 2> times{info.st_atim, info.st_mtim};
  static_cast<void>(::futimens(folder->get(), times.data()));
  return {};
}

// By a rename: killed anywhere, the claim is as it was or as it is to be.
Status ShareVolumes::change_claim(const OwnNames& place, const VolumeDirectory& volume,
                                  const std::string& text) {
  const std::string next = place.claim + "-new";
  const int claims = place.claims.get();
  if (::unlinkat(claims, next.c_str(), 0) != 0 && errno != ENOENT) return fail_entry(errno, "remove", next);
  if (::symlinkat(text.c_str(), claims, next.c_str()) != 0 ||
      ::renameat(claims, next.c_str(), claims, place.claim.c_str()) != 0) {
    return fail_entry(errno, "change the claim of", volume.directory.text());
  }
  return {};
}

Status ShareVolumes::fill(const OwnNames& place, const std::string& path, int source, int work) {
  HOLDFAST_TRY(const Fd links, root_.make_folders(std::string(kOwnFolder) + "/" + place.links, kOwnMode));
  const TreeCopy trees{.source = source, .target = work, .links = links.get()};
  HOLDFAST_CHECK(copy_tree(root_.opener(), trees, progress_, sink_));
  // Files of one that is being removed go while they are copied, without an error.
  HOLDFAST_TRY(const std::optional<Fd> now, root_.find_folder(path));
  if (now && is_same_file(now->get(), source)) return {};
  return fail(Code::kAborted, "the directory '" + printable(path, kShown) +
                                  "' was taken away while it was copied: nothing of it is used");
}

Status ShareVolumes::put_in_place(const OwnNames& place, const VolumeDirectory& volume) {
  HOLDFAST_TRY(const Fd parent, root_.make_folders(volume.directory.parent(), kParentMode));
  // Again, as one may have been made above meanwhile: from now on it finds the folders of this one.
  if (Status free = check_above(place, volume); !free) {
    HOLDFAST_CHECK(unclaim(place, volume));
    return free;
  }
  const int error = rename_new(place.own.get(), place.work, parent.get(), volume.directory.name());
  if (error == 0) return {};
  if (error != EEXIST) return fail_entry(error, "put in place", volume.directory.text());
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kDisplaced) return displaced(place, volume);
  return {};  // another holder was faster
}

// The names of the volume's in our folder that begin with `kind`, whoever works on them.
Result<std::vector<std::string>> ShareVolumes::unfinished(const OwnNames& place, std::string_view kind) {
  const std::string prefix = std::string(kind) + "-" + place.key;
  std::vector<std::string> names;
  FolderReader reader;
  HOLDFAST_CHECK(reader.begin(place.own.get()));
  for (;;) {
    HOLDFAST_TRY(const std::optional<FolderEntry> entry, reader.next());
    if (!entry) return names;
    if (entry->name.starts_with(prefix)) names.emplace_back(entry->name);
  }
}

// Takes away what this holder and others worked on; a volume that is in its place needs it no more.
Status ShareVolumes::clear_unfinished(const OwnNames& place) {
  for (const std::string_view kind : {"work", "links"}) {
    HOLDFAST_TRY(const std::vector<std::string> names, unfinished(place, kind));
    for (const std::string& name : names) HOLDFAST_CHECK(remove_own(place, name));
  }
  return {};
}

Status ShareVolumes::remove_own(const OwnNames& place, const std::string& name) {
  return remove_tree(root_.opener(), place.own.get(), name, progress_, sink_);
}

}  // namespace holdfast::nas
