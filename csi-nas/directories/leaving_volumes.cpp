#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <utility>

#include "common/base/text.h"
#include "csi-nas/directories/folder_entries.h"
#include "csi-nas/directories/rename_new.h"
#include "csi-nas/directories/share_volumes.h"

// How volumes leave a share: removed, archived, kept, or not made after all.
namespace holdfast::nas {
namespace {

constexpr mode_t kOwnMode = 0700;
constexpr mode_t kParentMode = 0755;
constexpr std::size_t kShown = 300;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY;
constexpr int kHexadecimal = 16;
constexpr std::string_view kClaim = "claim";

std::string quoted(const RelativePath& directory) { return "'" + printable(directory.text(), kShown) + "'"; }

std::string claims_folder() { return std::string(kOwnFolder) + "/claims"; }

std::string above(const RelativePath& directory) {
  return directory.parent().empty() ? "" : directory.parent() + "/";
}

Result<std::string> draw() {
  std::uint64_t drawn = 0;
  if (::getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn)) return fail_errno(errno, "draw a name");
  std::array<char, kHexadecimal> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), drawn, kHexadecimal).ptr;
  return std::string(text.data(), end);
}

Result<std::vector<std::string>> names_in(int folder) {
  std::vector<std::string> names;
  FolderReader reader;
  HOLDFAST_CHECK(reader.begin(folder));
  for (;;) {
    HOLDFAST_TRY(const std::optional<FolderEntry> entry, reader.next());
    if (!entry) return names;
    names.emplace_back(entry->name);
  }
}

}  // namespace

Status check_holds_volumes(const ShareRoot& root) {
  HOLDFAST_TRY(const std::optional<Fd> claims, root.find_folder(claims_folder()));
  if (claims) return {};
  return fail(Code::kUnavailable,
              "the share has volumes, but what its server shows has no folder " + claims_folder() +
                  ": nothing is done there. Mount the share's disk on the server; or make that folder if all "
                  "volumes are lost");
}

// nullopt: the directory is not the volume's any more. Looked at anew, by an open, for which NFS asks the
// server, and after there is the exit: who closes it gives up the claim afterwards.
Result<std::optional<ShareVolumes::Exit>> ShareVolumes::open_exit(const OwnNames& place,
                                                                  const VolumeDirectory& volume) {
  HOLDFAST_TRY(const std::string drawn, draw());
  Exit exit{.folder = {}, .name = "exit-" + place.key + "-" + holder_ + "-" + drawn};
  HOLDFAST_TRY(exit.folder, root_.make_folders(std::string(kOwnFolder) + "/" + exit.name, kOwnMode));
  HOLDFAST_TRY(const std::optional<Fd> claims, root_.find_folder(claims_folder()));
  if (claims) {
    HOLDFAST_TRY(const std::optional<std::string> known, claimant(claims->get(), place.claim));
    if (is_claim_of(known, volume)) return std::optional(std::move(exit));
  }
  ::unlinkat(place.own.get(), exit.name.c_str(), AT_REMOVEDIR);
  return std::optional<Exit>{};
}

// Whether it could be. What is not there is out.
Result<bool> ShareVolumes::take_out(Exit& exit, const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(directory.parent()));
  if (!parent) return true;
  const std::string name = exit.next();
  if (::renameat(parent->get(), directory.name().c_str(), exit.folder.get(), name.c_str()) == 0 ||
      errno == ENOENT) {
    return true;
  }
  if (errno == EACCES || errno == EPERM) return false;
  return fail_entry(errno, "take away", directory.text());
}

// What those took out who were cut off, or are held up, is in ours afterwards.
Status ShareVolumes::close_other_exits(const OwnNames& place, Exit& exit) {
  HOLDFAST_TRY(const std::vector<std::string> names, unfinished(place, "exit"));
  for (const std::string& name : names) {
    if (name != exit.name) HOLDFAST_CHECK(take_over(place, name, exit));
  }
  return {};
}

Status ShareVolumes::take_over(const OwnNames& place, const std::string& other, Exit& exit) {
  for (;;) {
    const Fd folder = root_.opener().open(place.own.get(), other, kFolderFlags);
    if (!folder.valid()) return errno == ENOENT ? Status{} : Status(fail_entry(errno, "open", other));
    HOLDFAST_TRY(const std::vector<std::string> names, names_in(folder.get()));
    for (const std::string& name : names) {
      const int error = name == kClaim
                            ? ::unlinkat(folder.get(), name.c_str(), 0)
                            : ::renameat(folder.get(), name.c_str(), exit.folder.get(), exit.next().c_str());
      if (error != 0 && errno != ENOENT) return fail_entry(errno, "take over", name);
    }
    if (::unlinkat(place.own.get(), other.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (errno != ENOTEMPTY && errno != EEXIST) return fail_entry(errno, "close", other);
  }
}

// No other may have an exit when this is called.
Status ShareVolumes::give_up_claim(const OwnNames& place, const VolumeDirectory& volume, Exit& exit) {
  const int done =
      ::renameat(place.claims.get(), place.claim.c_str(), exit.folder.get(), std::string(kClaim).c_str());
  if (done == 0 || errno == ENOENT) return {};
  return fail_entry(errno, "give up the claim of", volume.directory.text());
}

// Those that hold nothing but a claim.
Status ShareVolumes::drop_exits(const OwnNames& place) {
  HOLDFAST_TRY(const std::vector<std::string> names, unfinished(place, "exit"));
  for (const std::string& name : names) {
    const std::string claim = name + "/" + std::string(kClaim);
    const bool gone = (::unlinkat(place.own.get(), claim.c_str(), 0) == 0 || errno == ENOENT) &&
                      (::unlinkat(place.own.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT);
    if (!gone && errno != ENOTEMPTY && errno != EEXIST) return fail_entry(errno, "close", name);
  }
  return {};
}

// Of a volume that is not to be made after all.
Status ShareVolumes::unclaim(const OwnNames& place, const VolumeDirectory& volume) {
  HOLDFAST_CHECK(clear_unfinished(place));
  HOLDFAST_TRY(std::optional<Exit> exit, open_exit(place, volume));
  if (!exit) return {};
  HOLDFAST_CHECK(close_other_exits(place, *exit));
  HOLDFAST_CHECK(give_up_claim(place, volume, *exit));
  return drop_exits(place);
}

Status ShareVolumes::remove(const VolumeDirectory& volume) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kForeign) {
    return fail(Code::kFailedPrecondition, "the directory " + quoted(volume.directory) +
                                               " is not one of the driver's: remove it by hand");
  }
  if (standing == Standing::kDisplaced) return unclaim(place, volume);
  HOLDFAST_CHECK(clear_unfinished(place));
  std::optional<Exit> exit;
  if (standing == Standing::kOurs) {
    HOLDFAST_CHECK(check_no_share_in(volume.directory));
    HOLDFAST_TRY(exit, open_exit(place, volume));
  }
  if (exit) {
    HOLDFAST_TRY(const bool out, take_out(*exit, volume.directory));
    if (!out) return fail_entry(EACCES, "take away", volume.directory.text());
    HOLDFAST_CHECK(close_other_exits(place, *exit));
    HOLDFAST_CHECK(give_up_claim(place, volume, *exit));
  }
  HOLDFAST_TRY(const std::vector<std::string> exits, unfinished(place, "exit"));
  for (const std::string& name : exits) HOLDFAST_CHECK(remove_own(place, name));
  return {};
}

Status ShareVolumes::retain(const VolumeDirectory& volume) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kDisplaced) return unclaim(place, volume);
  if (standing != Standing::kOurs) return {};
  HOLDFAST_CHECK(clear_unfinished(place));
  return change_claim(place, volume, "retained " + volume.owner);
}

Result<std::string> ShareVolumes::archive(const VolumeDirectory& volume, const std::string& stamp) {
  HOLDFAST_TRY(const OwnNames place, place_of(volume));
  HOLDFAST_TRY(const Standing standing, this->standing(place, volume));
  if (standing == Standing::kForeign) {
    return fail(Code::kFailedPrecondition, "the directory " + quoted(volume.directory) +
                                               " is not one of the driver's: it is left alone");
  }
  if (standing == Standing::kDisplaced) {
    HOLDFAST_CHECK(unclaim(place, volume));
    return std::string();
  }
  HOLDFAST_CHECK(clear_unfinished(place));
  std::string archived;
  std::optional<Exit> exit;
  if (standing == Standing::kOurs) {
    HOLDFAST_CHECK(check_folder(volume.directory));
    HOLDFAST_CHECK(check_no_share_at(volume.directory));
    HOLDFAST_TRY(exit, open_exit(place, volume));
  }
  if (exit) {
    HOLDFAST_TRY(const bool out, take_out(*exit, volume.directory));
    HOLDFAST_CHECK(close_other_exits(place, *exit));
    HOLDFAST_TRY(archived, archive_out(volume.directory, *exit, stamp));
    if (!out) {
      // Another folder it may not be put in, for want of rights to itself: only one that is late finds it.
      HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(volume.directory.parent()));
      if (!parent) return fail_entry(ENOENT, "open", volume.directory.parent());
      HOLDFAST_TRY(archived, name_archive(parent->get(), volume.directory.name(), volume.directory, stamp));
    }
    HOLDFAST_CHECK(give_up_claim(place, volume, *exit));
  }
  HOLDFAST_CHECK(drop_exits(place));
  if (!archived.empty()) return archived;
  return newest_archive(volume.directory);
}

// The new path; "" when another was faster.
Result<std::string> ShareVolumes::name_archive(int folder, const std::string& name,
                                               const RelativePath& directory,
                                               const std::string& stamp) const {
  HOLDFAST_TRY(const Fd parent, root_.make_folders(directory.parent(), kParentMode));
  for (unsigned number = 0;; ++number) {
    const std::string archive = archive_name(directory.name(), stamp, number);
    const int error = rename_new(folder, name, parent.get(), archive);
    if (error == 0) return above(directory) + archive;
    if (error == ENOENT) return std::string();
    if (error != EEXIST) return fail_entry(error, "archive", directory.text());
  }
}

Result<std::string> ShareVolumes::archive_out(const RelativePath& directory, Exit& exit,
                                              const std::string& stamp) const {
  HOLDFAST_TRY(const std::vector<std::string> names, names_in(exit.folder.get()));
  std::string archived;
  for (const std::string& name : names) {
    HOLDFAST_TRY(archived, name_archive(exit.folder.get(), name, directory, stamp));
  }
  return archived;
}

Status ShareVolumes::check_folder(const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> parent, root_.find_folder(directory.parent()));
  if (!parent) return {};
  struct stat info {};
  if (::fstatat(parent->get(), directory.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Status{} : Status(fail_entry(errno, "look for", directory.text()));
  }
  if (S_ISDIR(info.st_mode)) return {};
  return fail(Code::kFailedPrecondition,
              quoted(directory) + " is no directory any more: somebody put something else in its place");
}

}  // namespace holdfast::nas
