#include "common/base/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace holdfast {
namespace {

// Closed, not modified: what is still being written is not read. A watch that is there is added to and not
// replaced: the kernel takes the old one's events off before it puts the new one's on, and what happens
// between is lost without a word.
constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_MASK_ADD;

}  // namespace

Result<FolderWatch> FolderWatch::open(const std::filesystem::path& folder) {
  Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "watch " + folder.native());
  FolderWatch watch(std::move(fd), folder);
  HOLDFAST_CHECK(watch.watch_nearest());
  return watch;
}

Status FolderWatch::watch_nearest() {
  // a watch of the same folder twice is one watch, so nothing has to be taken back
  for (std::filesystem::path at = folder_;; at = at.parent_path()) {
    const int watch = ::inotify_add_watch(fd_.get(), at.c_str(), kChanges);
    if (watch >= 0) {
      own_watch_ = at == folder_ ? watch : -1;
      return {};
    }
    if (errno != ENOENT || at == at.parent_path()) return fail_errno(errno, "watch " + at.native());
  }
}

Result<FolderNews> FolderWatch::drain() {
  FolderNews out;
  std::array<char, 16384> buffer{};
  for (ssize_t got = 0; (got = ::read(fd_.get(), buffer.data(), buffer.size())) > 0;) {
    for (ssize_t at = 0; at < got;) {
      inotify_event event{};
      std::memcpy(&event, &buffer[static_cast<std::size_t>(at)], sizeof event);
      const char* const name = &buffer[static_cast<std::size_t>(at)] + sizeof event;
      at += static_cast<ssize_t>(sizeof event + event.len);
      // without a name it is of the folder itself, or tells that events were lost
      if (event.len == 0 || event.wd != own_watch_) {
        out.all = true;
      } else {
        out.names.emplace(name);
      }
    }
  }
  HOLDFAST_CHECK(watch_nearest());
  return out;
}

}  // namespace holdfast
