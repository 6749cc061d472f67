#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "common/base/sha.h"
#include "common/base/text.h"
#include "csi-nas/directories/nested_shares.h"
#include "csi-nas/directories/share_volumes.h"

// Whose directories are: the claims of a share, and of those that lie between it and a directory.
namespace holdfast::nas {
namespace {

constexpr mode_t kOwnMode = 0700;
constexpr std::size_t kHashDigits = 24;
constexpr std::size_t kShown = 300;

std::string hash_of(const std::string& text) { return sha512_hex(text).substr(0, kHashDigits); }

std::string quoted(const RelativePath& directory) { return "'" + printable(directory.text(), kShown) + "'"; }

std::string new_claim(const VolumeDirectory& volume) { return "new " + volume.owner; }

// `inner` is below the directory; empty: the directory itself.
tl::unexpected<Error> refuse_share(const RelativePath& directory, const std::string& inner) {
  const std::string own =
      directory.text() + "/" + inner + (inner.empty() ? "" : "/") + std::string(kOwnFolder);
  return fail(Code::kFailedPrecondition,
              "by '" + printable(own, kShown) + "' other volumes lie in the directory " + quoted(directory) +
                  ": it is left alone until those are deleted. Where there are none, as in a copy of a whole "
                  "share, remove that " +
                  std::string(kOwnFolder) + " by hand");
}

tl::unexpected<Error> refuse_within(const VolumeDirectory& volume, const std::string& other,
                                    const std::string& directory) {
  return fail(Code::kAlreadyExists, "the directory " + quoted(volume.directory) +
                                        " would lie in that of the volume " + printable(other, kShown) +
                                        ", '" + printable(directory, kShown) + "': choose another subDir");
}

}  // namespace

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
                  .claim = claim_name(volume.directory.text()),
                  .work = "work-" + key + "-" + holder_,
                  .links = "links-" + key + "-" + holder_,
                  .mark = ".holdfast-new-" + key};
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

Result<bool> ShareVolumes::is_marked(const OwnNames& place, const RelativePath& directory) const {
  const auto folder = root_.find_folder(directory.text());
  if (!folder || !*folder) return false;  // a link or a file is there: not what we made
  struct stat info {};
  if (::fstatat((*folder)->get(), place.mark.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return true;
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
  HOLDFAST_TRY(const bool marked, is_marked(place, volume.directory));
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
Status ShareVolumes::check_above(const OwnNames& place, const VolumeDirectory& volume) const {
  const std::string& path = volume.directory.text();
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string above = path.substr(0, slash);
    HOLDFAST_TRY(const std::optional<std::string> known, claimant(place.claims.get(), claim_name(above)));
    if (known) return refuse_within(volume, *known, above);
    HOLDFAST_CHECK(check_share_above(above, volume));
  }
  return {};
}

// Another class's share may lie on the way, called by another name of its server, or another cluster's: the
// claims of its volumes tell.
Status ShareVolumes::check_share_above(const std::string& share, const VolumeDirectory& volume) const {
  HOLDFAST_TRY(const std::optional<Fd> root, root_.find_folder(share));
  if (!root) return {};
  HOLDFAST_TRY(const std::optional<Fd> claims, open_claims(root_.opener(), root->get(), O_PATH));
  if (!claims) return {};
  const std::string& path = volume.directory.text();
  for (std::size_t end = share.size(); end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string there = path.substr(0, end);
    HOLDFAST_TRY(const std::optional<std::string> known,
                 claimant(claims->get(), claim_name(there.substr(share.size() + 1))));
    if (known) return refuse_within(volume, *known, there);
  }
  return {};
}

// A volume's directory to look for shares in; nullopt for what is none any more, or may not be read.
Result<std::optional<Fd>> ShareVolumes::find_readable(const RelativePath& directory) const {
  auto folder = root_.find_folder(directory.text());
  const bool hidden = !folder && (folder.error().code == Code::kFailedPrecondition ||
                                  folder.error().code == Code::kPermissionDenied);
  if (hidden) return std::optional<Fd>{};
  return folder;
}

// Moved, it would be missed by those who have volumes there.
Status ShareVolumes::check_no_share_at(const RelativePath& directory) const {
  HOLDFAST_TRY(const std::optional<Fd> folder, find_readable(directory));
  if (!folder) return {};
  HOLDFAST_TRY(const bool found, has_volumes(root_.opener(), folder->get()));
  if (found) return refuse_share(directory, "");
  return {};
}

// Removed, it would take them along.
Status ShareVolumes::check_no_share_in(const RelativePath& directory) const {
  if (directory.is_snapshot()) return {};  // no class's share lies in our folder
  HOLDFAST_TRY(std::optional<Fd> folder, find_readable(directory));
  if (!folder) return {};
  HOLDFAST_TRY(const std::optional<std::string> found, find_share_in(root_.opener(), *std::move(folder)));
  if (found) return refuse_share(directory, *found);
  return {};
}

}  // namespace holdfast::nas
