#include "csi-nas/directories/nested_shares.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "common/base/sha.h"
#include "csi-nas/directories/folder_entries.h"
#include "csi-nas/directories/relative_path.h"

namespace holdfast::nas {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY;
constexpr int kWayFlags = O_PATH | O_DIRECTORY;  // rights to go through are enough
constexpr std::size_t kHashDigits = 24;
constexpr std::string_view kHexadecimal = "0123456789abcdef";
// No share lies deeper: its path has 1024 bytes at most (NFS_MAXPATHLEN).
constexpr std::size_t kMostLevels = 512;

// Nothing of ours is behind it.
bool is_no_way(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EXDEV; }

// What has not the form of a claim was put there by somebody.
bool is_claim(int claims, const std::string& name) {
  std::array<char, 1> text{};
  return name.size() == kHashDigits && name.find_first_not_of(kHexadecimal) == std::string::npos &&
         ::readlinkat(claims, name.c_str(), text.data(), text.size()) >= 0;
}

// Looks for shares with volumes in a tree; holds a descriptor and a piece of a folder's names a level, so
// that none is read twice.
class ShareSearch {
 public:
  explicit ShareSearch(const EntryOpener& opener) : opener_(opener) {}

  Result<std::optional<std::string>> run(Fd top) {
    HOLDFAST_CHECK(descend(std::move(top), path_.size()));
    while (!levels_.empty()) {
      HOLDFAST_TRY(const std::optional<FolderEntry> entry, levels_.back().names.next());
      if (!entry) {
        path_.resize(levels_.back().above);
        levels_.pop_back();
      } else if (entry->name == kOwnFolder) {
        HOLDFAST_TRY(const bool found, has_volumes(opener_, levels_.back().folder.get()));
        if (found) return std::optional(path_);
      } else if (entry->type == DT_DIR || entry->type == DT_UNKNOWN) {
        HOLDFAST_CHECK(enter(std::string(entry->name)));
      }
    }
    return std::optional<std::string>{};
  }

 private:
  struct Level {
    Fd folder;
    FolderReader names;
    std::size_t above = 0;  // the size of the path of the folder above it
  };

  Status descend(Fd folder, std::size_t above) {
    levels_.push_back(
        {.folder = std::move(folder), .names = FolderReader(FolderReader::kSmallPiece), .above = above});
    return levels_.back().names.begin(levels_.back().folder.get());
  }

  // What cannot be opened cannot be emptied either.
  Status enter(const std::string& name) {
    if (levels_.size() == kMostLevels) return {};
    Fd folder = opener_.open(levels_.back().folder.get(), name, kFolderFlags);
    if (!folder.valid() && (is_no_way(errno) || errno == EACCES)) return {};
    if (!folder.valid()) return fail_entry(errno, "look for volumes in", name);
    const std::size_t above = path_.size();
    if (!path_.empty()) path_ += '/';
    path_ += name;
    return descend(std::move(folder), above);
  }

  const EntryOpener& opener_;
  std::vector<Level> levels_;
  std::string path_;
};

}  // namespace

std::string claim_name(std::string_view directory) { return sha512_hex(directory).substr(0, kHashDigits); }

Result<std::optional<Fd>> open_claims(const EntryOpener& opener, int folder, int flags) {
  const Fd own = opener.open(folder, std::string(kOwnFolder), kWayFlags);
  if (!own.valid() && is_no_way(errno)) return std::optional<Fd>{};
  if (!own.valid()) return fail_entry(errno, "look for volumes in", kOwnFolder);
  Fd claims = opener.open(own.get(), "claims", flags | O_DIRECTORY);
  if (!claims.valid() && is_no_way(errno)) return std::optional<Fd>{};
  if (!claims.valid()) return fail_entry(errno, "look for volumes in", "claims");
  return std::optional(std::move(claims));
}

Result<bool> has_volumes(const EntryOpener& opener, int folder) {
  auto found = open_claims(opener, folder, O_RDONLY);
  if (!found && found.error().code == Code::kPermissionDenied) return false;
  HOLDFAST_TRY(const std::optional<Fd> claims, std::move(found));
  if (!claims) return false;
  FolderReader reader;
  HOLDFAST_CHECK(reader.begin(claims->get()));
  for (;;) {
    HOLDFAST_TRY(const std::optional<FolderEntry> entry, reader.next());
    if (!entry) return false;
    if (is_claim(claims->get(), std::string(entry->name))) return true;
  }
}

Result<std::optional<std::string>> find_share_in(const EntryOpener& opener, Fd top) {
  return ShareSearch(opener).run(std::move(top));
}

}  // namespace holdfast::nas
