#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csi-nas/directories/progress.h"
#include "csi-nas/directories/relative_path.h"
#include "csi-nas/directories/share_root.h"

namespace holdfast::nas {

/// A volume that is a directory of a share.
struct VolumeDirectory {
  RelativePath directory;
  std::string owner;  ///< the volume's name, by which a directory is its own; no zero byte
};

/// The volumes of one share. Each directory of ours is claimed, so that none is ever removed that is somebody
/// else's, be it that the handle is wrong or that the name was given out again:
///
///     <share>/team-a/pvc-1                          a volume
///     <share>/team-a/archived-pvc-1-20261121T231500Z  one that was deleted and kept
///     <share>/.holdfast/                            mode 0700
///         claims/<hash of "team-a/pvc-1">           a symbolic link; its text is the volume's name, after
///                                                   "new " until the directory is in its place, after
///                                                   "retained " when that was deleted and is kept
///         claims/<the same>-new                     what it is to be next; left by a kill, until the next change
///         work-<hash of both>-<holder>              a volume before it is whole; its last step is a rename
///         links-<hash of both>-<holder>             the files of a copy that have several names
///         exit-<hash of both>-<holder>-<drawn>/     by which a volume leaves, one for each attempt:
///             volume-<number>                       its directory, until it is removed or archived
///             claim                                 its claim, given up
///         snapshots/<name>                          snapshots are volumes too
///     <share>/team-a/pvc-1/.holdfast-new-<hash of both>
///                                                   by which one that is put in its place is known from what
///                                                   somebody put there; gone when the claim says so
///
/// No volume lies within another's directory: that one's removal would take it along. Shares may lie in one
/// another, each with its own claims (nested_shares.h): those between a share's root and a directory are
/// asked before that is made, those in a directory before it is removed, whatever their servers are called
/// and whichever cluster made them. (An archive takes along what lies deep in it: it loses nothing.)
///
/// Every call may be killed anywhere and be made again; it goes on, and its answer is the same. Two machines
/// may do the same work at once: what is not whole is not shared (`holder`), and the first rename wins. One
/// that was held up may be so late that its directory is another volume's: what it renames it renames out of
/// or into a folder of its own, which whoever finishes takes away before the claim is given up.
/// Every call may block while the server is away. Errors of all calls: errno with the entry;
/// kFailedPrecondition when a link, a file or a mount is in the way.
///
/// What make and copy have begun is taken away again before they end with an error that asking again does not
/// cure: want of space or rights, kFailedPrecondition, and what they refuse. Such an error has no errno.
/// After one that has an errno, kAborted or kUnavailable, something may be left, which the next call finds.
class ShareVolumes {
 public:
  /// `root` outlives it. `holder` tells apart those who work on the share: letters and digits.
  ShareVolumes(const ShareRoot& root, std::string holder, ProgressSink sink);

  /// An empty directory of that mode; folders above it are made with 0755.
  /// Errors: kAlreadyExists when the directory is there and not this volume's, or would lie in another
  /// volume's, be that one kept (retain) or not, or of a share between this one and the directory.
  Status make(const VolumeDirectory& volume, mode_t mode);
  /// A directory that holds what `source`, a path as of find_folder, holds (copy_tree), with the source's
  /// mode unless one is given. Errors: those of make and copy_tree; kNotFound for a source that is not there,
  /// when nothing of the volume is left; kAborted when the source was moved away meanwhile.
  Status copy(const VolumeDirectory& volume, const std::string& source, std::optional<mode_t> mode);
  /// Gives the directory another name beside its own, with `stamp` ("20261121T231500Z") and a number when
  /// that is taken. The new path; of one that was archived before its newest archive; "" when there is none.
  Result<std::string> archive(const VolumeDirectory& volume, const std::string& stamp);
  /// Leaves the directory where it is; it is this volume's no more, and nobody else's.
  Status retain(const VolumeDirectory& volume);
  /// Removes the directory; one that is not there is removed, as is one that belongs to another volume by
  /// now. Errors: kFailedPrecondition when there is a share in it, however deep, that has volumes.
  /// Of this and archive: kFailedPrecondition for a directory that nobody claims, or that is itself the root
  /// of a share that has volumes: it is not touched.
  Status remove(const VolumeDirectory& volume);

  [[nodiscard]] const Progress& progress() const { return progress_; }

 private:
  enum class Standing : std::uint8_t {
    kOurs,       ///< claimed by the volume, and the volume's or not there
    kDisplaced,  ///< claimed by the volume, but somebody put something there before it was
    kOthers,     ///< claimed by another, or kept (retain)
    kAbsent,     ///< not claimed, and not there
    kForeign,    ///< not claimed, and there: somebody's
  };

  /// An open folder, and the names that this volume has in it or beside it.
  struct OwnNames {
    Fd own;           ///< kOwnFolder
    Fd claims;        ///< below it
    std::string key;  ///< of the volume, in the names of what is unfinished
    std::string claim, work, links, mark;
  };
  /// A folder by which the volume leaves in this attempt.
  struct Exit {
    Fd folder;
    std::string name;
    unsigned volumes = 0;  ///< how many have been put in it: of attempts before this one too
    [[nodiscard]] std::string next() { return "volume-" + std::to_string(volumes++); }
  };
  [[nodiscard]] Result<OwnNames> place_of(const VolumeDirectory& volume) const;
  [[nodiscard]] static Result<std::optional<std::string>> claimant(int claims, const std::string& claim);
  [[nodiscard]] static bool is_claim_of(const std::optional<std::string>& text,
                                        const VolumeDirectory& volume);
  [[nodiscard]] Result<Standing> standing(const OwnNames& place, const VolumeDirectory& volume) const;
  [[nodiscard]] Result<bool> is_there(const RelativePath& directory) const;
  [[nodiscard]] Result<bool> is_marked(const OwnNames& place, const RelativePath& directory) const;
  Status claim(const OwnNames& place, const VolumeDirectory& volume);
  [[nodiscard]] Status check_above(const OwnNames& place, const VolumeDirectory& volume) const;
  [[nodiscard]] Status check_share_above(const std::string& share, const VolumeDirectory& volume) const;
  Status unclaim(const OwnNames& place, const VolumeDirectory& volume);
  Status build(const VolumeDirectory& volume, const std::string* source, std::optional<mode_t> mode);
  Status begin_and_place(const VolumeDirectory& volume, const std::string* source,
                         std::optional<mode_t> mode);
  [[nodiscard]] Result<bool> undo(const VolumeDirectory& volume);
  Status fill(const OwnNames& place, const std::string& path, int source, int work);
  Status put_in_place(const OwnNames& place, const VolumeDirectory& volume);
  Status displaced(const OwnNames& place, const VolumeDirectory& volume);
  Status confirm(const OwnNames& place, const VolumeDirectory& volume);
  Status drop_mark(const OwnNames& place, const RelativePath& directory) const;
  static Status change_claim(const OwnNames& place, const VolumeDirectory& volume, const std::string& text);
  [[nodiscard]] static Result<std::vector<std::string>> unfinished(const OwnNames& place,
                                                                   std::string_view kind);
  Status clear_unfinished(const OwnNames& place);
  Status remove_own(const OwnNames& place, const std::string& name);

  [[nodiscard]] Result<std::optional<Exit>> open_exit(const OwnNames& place, const VolumeDirectory& volume);
  [[nodiscard]] Result<bool> take_out(Exit& exit, const RelativePath& directory) const;
  Status close_other_exits(const OwnNames& place, Exit& exit);
  Status take_over(const OwnNames& place, const std::string& other, Exit& exit);
  Status give_up_claim(const OwnNames& place, const VolumeDirectory& volume, Exit& exit);
  Status drop_exits(const OwnNames& place);
  [[nodiscard]] Result<std::optional<Fd>> find_readable(const RelativePath& directory) const;
  [[nodiscard]] Status check_no_share_at(const RelativePath& directory) const;
  [[nodiscard]] Status check_no_share_in(const RelativePath& directory) const;
  [[nodiscard]] Status check_folder(const RelativePath& directory) const;
  [[nodiscard]] Result<std::string> name_archive(int folder, const std::string& name,
                                                 const RelativePath& directory,
                                                 const std::string& stamp) const;
  [[nodiscard]] Result<std::string> archive_out(const RelativePath& directory, Exit& exit,
                                                const std::string& stamp) const;
  Result<std::string> newest_archive(const RelativePath& directory) const;

  const ShareRoot& root_;
  std::string holder_;
  ProgressSink sink_;
  Progress progress_;
};

/// Whether volumes have been made on a share: an error when none has. For a share on which there are volumes,
/// as its server may show something else in its place, like the folder on which its disk is not mounted now.
/// Errors: kUnavailable.
[[nodiscard]] Status check_holds_volumes(const ShareRoot& root);

/// "archived-pvc-1-20261121T231500Z-2"; `number` 0 is not told. A name that would be too long is cut and
/// bears a hash.
[[nodiscard]] std::string archive_name(const std::string& name, const std::string& stamp, unsigned number);

}  // namespace holdfast::nas
