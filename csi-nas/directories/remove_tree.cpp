#include "csi-nas/directories/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "csi-nas/directories/folder_entries.h"

namespace holdfast::nas {
namespace {

bool is_not_empty(int error) { return error == ENOTEMPTY || error == EEXIST; }

class TreeRemover {
 public:
  TreeRemover(const EntryOpener& opener, Fd top, Progress& progress, const ProgressSink& sink)
      : opener_(opener), top_(std::move(top)), progress_(progress), sink_(sink) {}

  /// Everything in the top folder. Entries that others add meanwhile are removed too.
  Status empty() {
    for (;;) {
      failed_.reset();
      HOLDFAST_TRY(const bool changed, pass_over_top());
      if (changed) continue;
      if (failed_) return tl::unexpected(*std::move(failed_));
      return {};
    }
  }

 private:
  enum class Outcome : std::uint8_t { kChanged, kGone, kIsFolder, kStays };

  // Whether anything was removed or moved.
  Result<bool> pass_over_top() {
    bool changed = false;
    HOLDFAST_CHECK(top_reader_.begin(top_.get()));
    for (;;) {
      HOLDFAST_TRY(const std::optional<FolderEntry> entry, top_reader_.next());
      if (!entry) return changed;
      const std::string name(entry->name);
      Outcome outcome = remove_entry(top_.get(), name, entry->type);
      if (outcome == Outcome::kIsFolder) outcome = remove_folder(name);
      changed = changed || outcome == Outcome::kChanged;
    }
  }

  // kIsFolder: one that is not empty, and is left. kGone is no change: a server's client may go on
  // telling a name for a while.
  Outcome remove_entry(int folder, const std::string& name, unsigned char type) {
    int error = 0;
    if (type != DT_DIR) {
      if (::unlinkat(folder, name.c_str(), 0) == 0) return removed();
      error = errno;
      if (error == ENOENT) return Outcome::kGone;
      if (error != EISDIR && error != EPERM) return stays(error, name);
    }
    if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0) return removed();
    if (is_not_empty(errno)) return Outcome::kIsFolder;
    if (errno == ENOENT) return Outcome::kGone;
    if (errno == ENOTDIR && type == DT_DIR) return remove_entry(folder, name, DT_UNKNOWN);
    return stays(errno == ENOTDIR ? error : errno, name);
  }

  // A folder of the top: its files are removed, its folders moved up.
  Outcome remove_folder(const std::string& name) {
    const Fd folder = opener_.open(top_.get(), name, O_RDONLY | O_DIRECTORY);
    // Something else by now: the next pass sees what.
    if (!folder.valid() && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return Outcome::kChanged;
    if (!folder.valid()) return stays(errno, name);
    const Result<bool> changed = flatten(folder.get());
    if (!changed) {
      keep(changed.error());
      return Outcome::kStays;
    }
    if (::unlinkat(top_.get(), name.c_str(), AT_REMOVEDIR) == 0) return removed();
    if (*changed || errno == ENOENT) return Outcome::kChanged;
    return stays(errno, name);
  }

  Result<bool> flatten(int folder) {
    bool changed = false;
    HOLDFAST_CHECK(reader_.begin(folder));
    for (;;) {
      HOLDFAST_TRY(const std::optional<FolderEntry> entry, reader_.next());
      if (!entry) return changed;
      const std::string name(entry->name);
      Outcome outcome = remove_entry(folder, name, entry->type);
      if (outcome == Outcome::kIsFolder) outcome = move_up(folder, name);
      changed = changed || outcome == Outcome::kChanged;
    }
  }

  // To a name that is free, or to that of an empty folder: a folder replaces nothing else. Source: rename(2).
  Outcome move_up(int folder, const std::string& name) {
    for (;;) {
      char free_name[32];
      std::snprintf(free_name, sizeof(free_name), "%llx", next_name_++);
      if (::renameat(folder, name.c_str(), top_.get(), free_name) == 0) return Outcome::kChanged;
      if (errno == ENOENT) return Outcome::kGone;
      if (!is_not_empty(errno) && errno != ENOTDIR && errno != EISDIR) return stays(errno, name);
    }
  }

  Outcome removed() {
    ++progress_.entries;
    if (sink_) sink_(progress_);
    return Outcome::kChanged;
  }
  Outcome stays(int error, const std::string& name) {
    keep(fail_entry(error, "remove", name).value());
    return Outcome::kStays;
  }
  void keep(Error error) {
    if (!failed_) failed_ = std::move(error);
  }

  const EntryOpener& opener_;
  Fd top_;
  Progress& progress_;
  const ProgressSink& sink_;
  FolderReader top_reader_;
  FolderReader reader_;
  unsigned long long next_name_ = 0;
  std::optional<Error> failed_;
};

}  // namespace

Status remove_tree(const EntryOpener& opener, int parent, const std::string& name, Progress& progress,
                   const ProgressSink& sink) {
  Fd top = opener.open(parent, name, O_RDONLY | O_DIRECTORY);
  if (!top.valid() && errno == ENOENT) return {};
  if (!top.valid() && (errno == ENOTDIR || errno == ELOOP)) {
    if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) return fail_entry(errno, "remove", name);
    ++progress.entries;
    return {};
  }
  if (!top.valid()) return fail_entry(errno, "remove", name);
  HOLDFAST_CHECK(TreeRemover(opener, std::move(top), progress, sink).empty());
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return fail_entry(errno, "remove", name);
  }
  ++progress.entries;
  return {};
}

}  // namespace holdfast::nas
