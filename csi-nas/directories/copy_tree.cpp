#include "csi-nas/directories/copy_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "csi-nas/directories/copy_content.h"
#include "csi-nas/directories/file_attributes.h"
#include "csi-nas/directories/folder_entries.h"
#include "csi-nas/directories/nested_shares.h"
#include "csi-nas/directories/relative_path.h"
#include "csi-nas/directories/remove_tree.h"

namespace holdfast::nas {
namespace {

constexpr mode_t kWorkMode = 0700;
constexpr mode_t kFileWorkMode = 0600;
constexpr std::size_t kShown = 300;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY;

// A folder that is being copied.
struct Level {
  Fd source;
  Fd target;
  struct stat info {};
  FolderReader names{FolderReader::kSmallPiece};  // so that none is read twice
};

class TreeCopier {
 public:
  TreeCopier(const EntryOpener& opener, const TreeCopy& trees, Progress& progress, const ProgressSink& sink)
      : opener_(opener), trees_(trees), progress_(progress), sink_(sink) {}

  Status run() {
    HOLDFAST_CHECK(enter(Fd(::dup(trees_.source)), Fd(::dup(trees_.target)), "/"));
    while (!levels_.empty()) {
      HOLDFAST_TRY(const std::optional<FolderEntry> entry, levels_.back().names.next());
      if (!entry) {
        HOLDFAST_CHECK(leave());
        continue;
      }
      const std::string name(entry->name);
      if (Status done = copy_entry(name); !done) {
        return tl::unexpected(std::move(done).error().within("copy '" + printable(name, kShown) + "'"));
      }
    }
    return {};
  }

 private:
  Status enter(Fd source, Fd target, std::string_view name) {
    if (!source.valid() || !target.valid()) return fail_entry(errno, "open", name);
    Level level{.source = std::move(source), .target = std::move(target)};
    if (::fstat(level.source.get(), &level.info) != 0) return fail_entry(errno, "look at", name);
    HOLDFAST_CHECK(level.names.begin(level.source.get()));
    levels_.push_back(std::move(level));
    return {};
  }

  // The folder is whole: its attributes, which must not change any more, come last.
  Status leave() {
    const Level& done = levels_.back();
    HOLDFAST_CHECK(copy_attributes(done.source.get(), done.info, done.target.get()));
    levels_.pop_back();
    count();
    return {};
  }

  Status copy_entry(const std::string& name) {
    struct stat info {};
    const int from = levels_.back().source.get();
    if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return {};  // removed meanwhile
      return fail_errno(errno, "look at it");
    }
    if (S_ISDIR(info.st_mode)) return descend(name);
    HOLDFAST_TRY(const bool there, is_there(name, info));
    if (!there) HOLDFAST_CHECK(copy_anew(name, info));
    count();
    return {};
  }

  Status copy_anew(const std::string& name, const struct stat& info) {
    if (S_ISREG(info.st_mode)) return copy_file(name);
    if (S_ISLNK(info.st_mode)) return copy_link(name, info);
    if (::mknodat(target(), name.c_str(), (info.st_mode & S_IFMT) | kFileWorkMode, info.st_rdev) != 0) {
      return fail_errno(errno, "make a pipe, socket or device");
    }
    HOLDFAST_CHECK(copy_entry_attributes(info, target(), name));
    return remember_link(name, info);
  }

  Status descend(const std::string& name) {
    Fd source = opener_.open(levels_.back().source.get(), name, kFolderFlags);
    if (!source.valid()) return fail_open(errno);
    if (name == kOwnFolder) {  // claims of copies would be nobody's
      HOLDFAST_TRY(const bool of_share, has_volumes(opener_, levels_.back().source.get()));
      if (of_share) return {};
    }
    if (::mkdirat(target(), name.c_str(), kWorkMode) != 0) {
      if (errno != EEXIST) return fail_errno(errno, "make the folder");
      HOLDFAST_CHECK(clear_unless_folder(name));
    }
    Fd copy = opener_.open(target(), name, kFolderFlags);
    if (!copy.valid()) return fail_open(errno);
    return enter(std::move(source), std::move(copy), name);
  }

  Status clear_unless_folder(const std::string& name) {
    struct stat info {};
    if (::fstatat(target(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode)) {
      return {};
    }
    HOLDFAST_CHECK(clear(name));
    if (::mkdirat(target(), name.c_str(), kWorkMode) != 0) return fail_errno(errno, "make the folder");
    return {};
  }

  // Takes away what an earlier copy left under the name.
  Status clear(const std::string& name) {
    Progress removed;
    return remove_tree(opener_, target(), name, removed, {});
  }

  // Whether a whole copy is there, be it from an earlier call or under another name. If not, the name is
  // free.
  Result<bool> is_there(const std::string& name, const struct stat& info) {
    if (info.st_nlink > 1) {
      HOLDFAST_TRY(const bool linked, link_to_kept(name, info));
      if (linked) return true;
    }
    struct stat found {};
    if (::fstatat(target(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return false;
      return fail_errno(errno, "look at the copy");
    }
    if (is_whole_copy(info, found) && !S_ISLNK(info.st_mode)) {
      HOLDFAST_CHECK(remember_link(name, info));
      return true;
    }
    HOLDFAST_CHECK(clear(name));
    return false;
  }

  static std::string kept_name(const struct stat& info) {
    return std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino);
  }

  // Gives a file that was copied under another of its names this one too.
  Result<bool> link_to_kept(const std::string& name, const struct stat& info) {
    const std::string kept = kept_name(info);
    struct stat found {};
    if (::fstatat(trees_.links, kept.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return false;
      return fail_errno(errno, "look for its other names");
    }
    if (!is_whole_copy(info, found)) {
      if (::unlinkat(trees_.links, kept.c_str(), 0) != 0) return fail_errno(errno, "forget an old copy");
      return false;
    }
    if (::linkat(trees_.links, kept.c_str(), target(), name.c_str(), 0) == 0) return true;
    if (errno == EEXIST) {
      struct stat there {};
      if (::fstatat(target(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
          there.st_ino == found.st_ino) {
        return true;
      }
      HOLDFAST_CHECK(clear(name));
      if (::linkat(trees_.links, kept.c_str(), target(), name.c_str(), 0) == 0) return true;
    }
    if (errno == EMLINK) return false;
    return fail_errno(errno, "link it to its other name");
  }

  // So that its other names are linked to it. Where there are no hard links, each name is a file of its own.
  Status remember_link(const std::string& name, const struct stat& info) {
    if (info.st_nlink < 2) return {};
    const std::string kept = kept_name(info);
    if (::linkat(target(), name.c_str(), trees_.links, kept.c_str(), 0) == 0) return {};
    if (errno == EEXIST || errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP) return {};
    return fail_errno(errno, "keep it for its other names");
  }

  Status copy_file(const std::string& name) {
    const Fd source = opener_.open(levels_.back().source.get(), name, O_RDONLY | O_NONBLOCK);
    if (!source.valid()) {
      if (errno == ENOENT) return {};
      return fail_open(errno);
    }
    struct stat info {};
    if (::fstat(source.get(), &info) != 0) return fail_errno(errno, "look at it");
    if (!S_ISREG(info.st_mode)) return fail(Code::kAborted, "somebody put something else in its place");
    Fd copy(::openat(target(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     kFileWorkMode));
    if (!copy.valid()) return fail_errno(errno, "make the copy");
    HOLDFAST_CHECK(content_.copy(source.get(), copy.get(), static_cast<std::uint64_t>(info.st_size),
                                 [this](std::uint64_t bytes) {
                                   progress_.bytes += bytes;
                                   if (sink_) sink_(progress_);
                                 }));
    HOLDFAST_CHECK(copy_attributes(source.get(), info, copy.get()));
    if (::close(copy.release()) != 0) return fail_errno(errno, "close the copy");
    return remember_link(name, info);
  }

  Status copy_link(const std::string& name, const struct stat& info) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size =
        ::readlinkat(levels_.back().source.get(), name.c_str(), text.data(), text.size() - 1);
    if (size < 0) return fail_errno(errno, "read the link");
    if (::symlinkat(text.data(), target(), name.c_str()) != 0) return fail_errno(errno, "make the link");
    HOLDFAST_CHECK(copy_entry_attributes(info, target(), name));
    return remember_link(name, info);
  }

  static tl::unexpected<Error> fail_open(int error) {
    if (error == EXDEV) return fail(Code::kFailedPrecondition, "another file system is mounted there");
    if (error == ELOOP || error == ENOTDIR) return fail(Code::kAborted, "somebody put a link in its place");
    if (error == EMFILE) return fail(Code::kResourceExhausted, "the tree is too deep");
    return fail_errno(error, "open it");
  }

  void count() {
    ++progress_.entries;
    if (sink_) sink_(progress_);
  }
  [[nodiscard]] int target() const { return levels_.back().target.get(); }

  const EntryOpener& opener_;
  const TreeCopy& trees_;
  Progress& progress_;
  const ProgressSink& sink_;
  ContentCopier content_;
  std::vector<Level> levels_;
};

}  // namespace

Status copy_tree(const EntryOpener& opener, const TreeCopy& trees, Progress& progress,
                 const ProgressSink& sink) {
  return TreeCopier(opener, trees, progress, sink).run();
}

}  // namespace holdfast::nas
