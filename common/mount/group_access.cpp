#include "common/mount/group_access.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "common/base/fd.h"

namespace holdfast::mount {
namespace {

constexpr mode_t kOfFiles = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;
constexpr mode_t kOfFolders = S_ISGID | S_IRWXU | S_IRWXG;
constexpr mode_t kModeBits = 07777;
constexpr uid_t kKeep = static_cast<uid_t>(-1);

struct ClosesFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, ClosesFolder>;

mode_t wanted_mode(const struct stat& info) {
  return (info.st_mode & kModeBits) | (S_ISDIR(info.st_mode) ? kOfFolders : kOfFiles);
}

bool belongs(const struct stat& info, gid_t group) {
  return info.st_gid == group && (S_ISLNK(info.st_mode) || (info.st_mode & kModeBits) == wanted_mode(info));
}

// `fd` is of the thing itself, so no link can be put in its way.
Status give_one(int fd, gid_t group, const std::string& name) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno(errno, "look at " + name);
  if (belongs(info, group)) return {};
  if (::fchownat(fd, "", kKeep, group, AT_EMPTY_PATH) != 0)
    return fail_errno(errno, "give " + name + " to a group");
  if (S_ISLNK(info.st_mode)) return {};
  // fchmod(2) takes no O_PATH descriptor.
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (::chmod(path.c_str(), wanted_mode(info)) != 0) return fail_errno(errno, "change the mode of " + name);
  return {};
}

// A depth-first walk; a folder is changed after what is in it.
class Walk {
 public:
  Walk(std::string name, dev_t device, gid_t group, const std::function<bool()>& cancelled)
      : name_(std::move(name)), device_(device), group_(group), cancelled_(cancelled) {}

  Status run(Fd top) {
    HOLDFAST_CHECK(enter(std::move(top)));
    while (!way_.empty()) {
      if (cancelled_()) return fail(Code::kAborted, name_ + " is being given to a group; ask again");
      DIR* here = way_.back().get();
      errno = 0;
      const dirent* entry = ::readdir(here);
      if (entry != nullptr) {
        HOLDFAST_CHECK(visit(::dirfd(here), entry->d_name));
        continue;
      }
      if (errno != 0) return fail_errno(errno, "list a folder of " + name_);
      HOLDFAST_CHECK(give_one(::dirfd(here), group_, name_));
      way_.pop_back();
    }
    return {};
  }

 private:
  Status enter(Fd fd) {
    if (way_.size() == kMostNestedFolders) {
      return fail(Code::kOutOfRange, name_ + " has folders that are nested too deeply for a volume's group");
    }
    Folder folder(::fdopendir(fd.get()));
    if (!folder) return fail_errno(errno, "list a folder of " + name_);
    static_cast<void>(fd.release());
    way_.push_back(std::move(folder));
    return {};
  }

  Status visit(int parent, const char* entry) {
    const std::string_view name(entry);
    if (name == "." || name == "..") return {};
    Fd fd(::openat(parent, entry, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
      return errno == ENOENT ? Status{} : Status(fail_errno(errno, "look at a file of " + name_));
    }
    if (info.st_dev != device_) return {};
    if (!S_ISDIR(info.st_mode)) return give_one(fd.get(), group_, name_);
    Fd folder(::openat(fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.valid()) return fail_errno(errno, "open a folder of " + name_);
    return enter(std::move(folder));
  }

  std::string name_;
  dev_t device_;
  gid_t group_;
  const std::function<bool()>& cancelled_;
  std::vector<Folder> way_;  // from the top to where the walk is
};

}  // namespace

Status give_to_group(const std::string& folder, gid_t group, const std::function<bool()>& cancelled) {
  Fd top(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (!top.valid() || ::fstat(top.get(), &info) != 0) return fail_errno(errno, "open " + folder);
  if (belongs(info, group)) return {};
  return Walk(folder, info.st_dev, group, cancelled).run(std::move(top));
}

}  // namespace holdfast::mount
