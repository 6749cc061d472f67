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
constexpr const char* kMark = ".holdfast-new";
constexpr const char* kMarkText = "holdfast";

std::string hash_of(const std::string& text) { return sha512_hex(text).substr(0, kHashDigits); }

bool is_same_file(int one, int other) {
  struct stat first {};
  struct stat second {};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// Asked again, it comes to the same until somebody makes room or gives rights.
bool is_lasting(int sys_errno) {
  return sys_errno == ENOSPC || sys_errno == EDQUOT || sys_errno == EACCES || sys_errno == EPERM ||
         sys_errno == EROFS;
}

std::string quoted(const RelativePath& directory) { return "'" + printable(directory.text(), kShown) + "'"; }

std::string new_claim(const VolumeDirectory& volume) { return "new " + volume.owner; }

tl::unexpected<Error> refuse_foreign(const VolumeDirectory& volume) {
  return fail(Code::kAlreadyExists, "the directory " + quoted(volume.directory) +
                                        " is there and not a volume's: choose another subDir, or use it "
                                        "by a PersistentVolume of your own");
}

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
                  .links = "links-" + key + "-" + holder_};
}

Result<std::optional<std::string>> ShareVolumes::claimant(int claims, const std::string& claim) {
  std::array<char, PATH_MAX> text{};
  const ssize_t size = ::readlinkat(claims, claim.c_str(), text.data(), text.size());
  if (size >= 0) return std::optional(std::string(text.data(), static_cast<std::size_t>(size)));
  if (errno == ENOENT) return std::optional<std::string>{};
  return fail_entry(errno, "read the claim", claim);
}

// In its place or before.
bool ShareVolumes::is_claim_of(const std::optional<std::string>& text, const VolumeDirectory& volume) {
  return text == volume.owner || text == new_claim(volume);
}

Result<bool> ShareVolumes::is_there(const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(directory.parent()));
  if (!parent) return false;
  struct stat info {};
  if (::fstatat(parent->get(), directory.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_entry(errno, "look for", directory.text());
}

Result<bool> ShareVolumes::is_marked(const RelativePath& directory) const {
  const auto folder = root_.find_folder(directory.text());
  if (!folder || !*folder) return false;  // a link or a file is there: not what we made
  struct stat info {};
  if (::fstatat((*folder)->get(), kMark, &info, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_entry(errno, "look for the mark in", directory.text());
}

Result<ShareVolumes::Standing> ShareVolumes::standing(const OwnNames& place,
                                                      const VolumeDirectory& volume) const {
  HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), place.claim));
  HOLDFAST_TRY(const bool there, is_there(volume.directory));
  if (!known) return there ? Standing::kForeign : Standing::kAbsent;
  if (*known == volume.owner) return Standing::kOurs;
  if (*known != new_claim(volume)) return Standing::kOthers;
  if (!there) return Standing::kOurs;
  HOLDFAST_TRY(const bool marked, is_marked(volume.directory));
  return marked ? Standing::kOurs : Standing::kDisplaced;
}

// Sure against another that claims it now.
Status ShareVolumes::claim(const OwnNames& place, const VolumeDirectory& volume) {
  const std::string text = new_claim(volume);
  if (::symlinkat(text.c_str(), place.claims.get(), place.claim.c_str()) != 0 && errno != EEXIST) {
    return fail_entry(errno, "claim", volume.directory.text());
  }
  HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), place.claim));
  if (is_claim_of(known, volume)) return {};
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

Status ShareVolumes::make(const VolumeDirectory& volume, mode_t mode) { return build(volume, nullptr, mode); }

Status ShareVolumes::copy(const VolumeDirectory& volume, const std::string& source,
                          std::optional<mode_t> mode) {
  return build(volume, &source, mode);
}

// What was begun would keep a full share full, and others from it.
Status ShareVolumes::build(const VolumeDirectory& volume, const std::string* source,
                           std::optional<mode_t> mode) {
  Status done = begin_and_place(volume, source, mode);
  if (done || !is_lasting(done.error().sys_errno)) return done;
  const auto undone = undo(volume);
  if (!undone) return fail(Code::kAborted, done.error().message + "; and then: " + undone.error().message);
  if (!*undone) return done;
  Error error = std::move(done).error();
  error.sys_errno = 0;
  return tl::unexpected(std::move(error));
}

// False: the directory is in its place.
Result<bool> ShareVolumes::undo(const VolumeDirectory& volume) {
  HOLDFAST_TRY(const std::optional<Fd> claims, root_.find_folder(std::string(kOwnFolder) + "/claims"));
  if (!claims) return true;
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), place.claim));
  if (!is_claim_of(known, volume)) return true;
  HOLDFAST_TRY(const bool whole, is_there(volume.directory));
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
  if (::symlinkat(kMarkText, work.get(), kMark) != 0 && errno != EEXIST) {
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
  if (known == new_claim(volume)) {
    HOLDFAST_CHECK(change_claim(place, volume, volume.owner));
  }
  HOLDFAST_CHECK(drop_mark(volume.directory));
  return clear_unfinished(place);
}

// The folder's own times stay those of what it was copied from.
Status ShareVolumes::drop_mark(const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> folder, root_.find_folder(directory.text()));
  struct stat info {};
  if (!folder || ::fstat(folder->get(), &info) != 0) return {};
  if (::unlinkat(folder->get(), kMark, 0) != 0) {
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
  HOLDFAST_CHECK(reader.begin(place.own.get(), 0));
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
