#include "csi-nas/directories/share_volumes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "common/base/sha.h"
#include "common/base/text.h"
#include "csi-nas/directories/copy_tree.h"
#include "csi-nas/directories/folder_entries.h"
#include "csi-nas/directories/remove_tree.h"
#include "csi-nas/directories/rename_new.h"

namespace holdfast::nas {
namespace {

constexpr mode_t kOwnMode = 0700;
constexpr mode_t kParentMode = 0755;
constexpr std::size_t kHashDigits = 24;
constexpr std::size_t kShown = 300;

std::string hash_of(const std::string& text) { return sha512_hex(text).substr(0, kHashDigits); }

bool is_same_file(int one, int other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::string quoted(const RelativePath& directory) { return "'" + printable(directory.text(), kShown) + "'"; }

}  // namespace

ShareVolumes::ShareVolumes(const ShareRoot& root, std::string holder, ProgressSink sink)
    : root_(root), holder_(std::move(holder)), sink_(std::move(sink)) {}

Result<ShareVolumes::OwnNames> ShareVolumes::place_of(const VolumeDirectory& volume) const {
  const std::string own(kOwnFolder);
  HOLDFAST_TRY(Fd own_folder, root_.make_folders(own, kOwnMode));
  HOLDFAST_TRY(Fd claims, root_.make_folders(own + "/claims", kOwnMode));
  // A zero byte is in neither.
  std::string both = volume.directory.text();
  both += '\0';
  both += volume.owner;
  const std::string key = hash_of(both);
  return OwnNames{.own = std::move(own_folder),
                  .claims = std::move(claims),
                  .key = key,
                  .claim = hash_of(volume.directory.text()),
                  .work = "work-" + key + "-" + holder_,
                  .links = "links-" + key + "-" + holder_,
                  .trash = "trash-" + key};
}

Result<std::optional<std::string>> ShareVolumes::claimant(int claims, const std::string& claim) {
  std::array<char, PATH_MAX> text{};
  const ssize_t size = ::readlinkat(claims, claim.c_str(), text.data(), text.size());
  if (size >= 0) return std::optional(std::string(text.data(), static_cast<std::size_t>(size)));
  if (errno == ENOENT) return std::optional<std::string>{};
  return fail_entry(errno, "read the claim", claim);
}

Result<bool> ShareVolumes::is_there(const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(directory.parent()));
  if (!parent) return false;
  struct stat info {};
  if (::fstatat(parent->get(), directory.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_entry(errno, "look for", directory.text());
}

Result<ShareVolumes::Standing> ShareVolumes::standing(const OwnNames& place,
                                                      const VolumeDirectory& volume) const {
  HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), place.claim));
  if (known) return *known == volume.owner ? Standing::kOurs : Standing::kOthers;
  HOLDFAST_TRY(const bool there, is_there(volume.directory));
  return there ? Standing::kForeign : Standing::kAbsent;
}

// Sure against another that claims it now.
Status ShareVolumes::claim(const OwnNames& place, const VolumeDirectory& volume) {
  if (::symlinkat(volume.owner.c_str(), place.claims.get(), place.claim.c_str()) != 0 && errno != EEXIST) {
    return fail_entry(errno, "claim", volume.directory.text());
  }
  HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), place.claim));
  if (known && *known == volume.owner) return {};
  return fail(Code::kAlreadyExists, "the directory " + quoted(volume.directory) + " belongs to the volume " +
                                        printable(known.value_or(""), kShown) + ": choose another subDir");
}

// A volume within another would be removed with that.
Status ShareVolumes::check_above(const OwnNames& place, const VolumeDirectory& volume) {
  const std::string& path = volume.directory.text();
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string above = path.substr(0, slash);
    HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), hash_of(above)));
    if (!known) continue;
    return fail(Code::kAlreadyExists, "the directory " + quoted(volume.directory) +
                                          " would lie in that of the volume " + printable(*known, kShown) +
                                          ", '" + printable(above, kShown) + "': choose another subDir");
  }
  return {};
}

// Of a volume that is not to be made after all.
Status ShareVolumes::unclaim(const OwnNames& place, const VolumeDirectory& volume) {
  HOLDFAST_CHECK(clear_unfinished(place));
  if (::unlinkat(place.claims.get(), place.claim.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail_entry(errno, "give up the claim of", volume.directory.text());
}

Status ShareVolumes::make(const VolumeDirectory& volume, mode_t mode) { return build(volume, nullptr, mode); }

Status ShareVolumes::copy(const VolumeDirectory& volume, const std::string& source,
                          std::optional<mode_t> mode) {
  return build(volume, &source, mode);
}

Status ShareVolumes::build(const VolumeDirectory& volume, const std::string* source,
                           std::optional<mode_t> mode) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kForeign) {
    return fail(Code::kAlreadyExists, "the directory " + quoted(volume.directory) +
                                          " is there and not a volume's: choose another subDir, or use it "
                                          "by a PersistentVolume of your own");
  }
  HOLDFAST_TRY(const bool whole, is_there(volume.directory));
  if (standing == Standing::kOurs && whole) return clear_unfinished(place);
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
  HOLDFAST_CHECK(put_in_place(place, volume));
  return clear_unfinished(place);
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
  if (error == EEXIST) return {};  // another holder was faster
  return fail_entry(error, "put in place", volume.directory.text());
}

// Takes away what this holder and others worked on; a volume that is in its place needs it no more.
Status ShareVolumes::clear_unfinished(const OwnNames& place) {
  FolderReader reader;
  HOLDFAST_CHECK(reader.begin(place.own.get(), 0));
  for (;;) {
    HOLDFAST_TRY(const std::optional<FolderEntry> entry, reader.next());
    if (!entry) return {};
    const std::string name(entry->name);
    if (name.starts_with("work-" + place.key) || name.starts_with("links-" + place.key)) {
      HOLDFAST_CHECK(remove_own(place, name));
    }
  }
}

Status ShareVolumes::remove_own(const OwnNames& place, const std::string& name) {
  return remove_tree(root_.opener(), place.own.get(), name, progress_, sink_);
}

Status ShareVolumes::remove(const VolumeDirectory& volume) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kForeign) {
    return fail(Code::kFailedPrecondition, "the directory " + quoted(volume.directory) +
                                               " is not one of the driver's: remove it by hand");
  }
  if (standing == Standing::kOurs) {
    HOLDFAST_CHECK(rename_to_trash(place, volume.directory));
    HOLDFAST_CHECK(unclaim(place, volume));
  }
  HOLDFAST_CHECK(clear_unfinished(place));
  return remove_own(place, place.trash);
}

Status ShareVolumes::rename_to_trash(const OwnNames& place, const RelativePath& directory) {
  HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(directory.parent()));
  if (!parent) return {};
  for (;;) {
    if (::renameat(parent->get(), directory.name().c_str(), place.own.get(), place.trash.c_str()) == 0 ||
        errno == ENOENT) {
      return {};
    }
    const bool taken = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR || errno == EISDIR;
    if (!taken) return fail_entry(errno, "take away", directory.text());
    HOLDFAST_CHECK(remove_own(place, place.trash));
  }
}

// A rename: one that is killed leaves the claim as it was or as it is to be.
Status ShareVolumes::retain(const VolumeDirectory& volume) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing != Standing::kOurs) return {};
  HOLDFAST_CHECK(clear_unfinished(place));
  const std::string text = "retained " + volume.owner;
  const std::string next = place.claim + "-new";
  const int claims = place.claims.get();
  if (::unlinkat(claims, next.c_str(), 0) != 0 && errno != ENOENT) return fail_entry(errno, "remove", next);
  if (::symlinkat(text.c_str(), claims, next.c_str()) != 0 ||
      ::renameat(claims, next.c_str(), claims, place.claim.c_str()) != 0) {
    return fail_entry(errno, "give up", volume.directory.text());
  }
  return {};
}

Result<std::string> ShareVolumes::archive(const VolumeDirectory& volume, const std::string& stamp) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kForeign) {
    return fail(Code::kFailedPrecondition, "the directory " + quoted(volume.directory) +
                                               " is not one of the driver's: it is left alone");
  }
  if (standing != Standing::kOurs) return newest_archive(volume.directory);
  HOLDFAST_TRY(const std::string archived, rename_to_archive(volume.directory, stamp));
  HOLDFAST_CHECK(unclaim(place, volume));
  return archived;
}

Result<std::string> ShareVolumes::rename_to_archive(const RelativePath& directory, const std::string& stamp) {
  HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(directory.parent()));
  if (!parent) return std::string();
  struct stat info {};
  if (::fstatat(parent->get(), directory.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return newest_archive(directory);
    return fail_entry(errno, "look for", directory.text());
  }
  if (!S_ISDIR(info.st_mode)) {
    return fail(Code::kFailedPrecondition,
                quoted(directory) + " is no directory any more: somebody put something else in its place");
  }
  const std::string above = directory.parent().empty() ? "" : directory.parent() + "/";
  for (unsigned number = 0;; ++number) {
    const std::string name = archive_name(directory.name(), stamp, number);
    const int error = rename_new(parent->get(), directory.name(), parent->get(), name);
    if (error == 0) return above + name;
    if (error != EEXIST) return fail_entry(error, "archive", directory.text());
  }
}

}  // namespace holdfast::nas
