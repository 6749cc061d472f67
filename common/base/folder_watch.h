#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast {

/// What has happened in a folder.
struct FolderNews {
  bool all = false;             ///< anything may have changed: the folder itself, or events were lost
  std::set<std::string> names;  ///< of the entries that have come, changed or gone
};

/// Tells when something in a folder has changed, also when the folder comes later: watches the nearest
/// parent that is there, then.
class FolderWatch {
 public:
  /// Errors: errno of inotify(7).
  static Result<FolderWatch> open(const std::filesystem::path& folder);

  /// Becomes readable when something has changed.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Takes what has come in, and follows the folder if it was made or replaced meanwhile. Never blocks.
  Result<FolderNews> drain();

 private:
  FolderWatch(Fd fd, std::filesystem::path folder) : fd_(std::move(fd)), folder_(std::move(folder)) {}
  Status watch_nearest();

  Fd fd_;
  std::filesystem::path folder_;
  int own_watch_ = -1;  // inotify's number for the folder itself; -1 while it is not there
};

}  // namespace holdfast
