#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::mount {

/// A name in a folder that is held open, so that nobody can put a link in its way between a check and its
/// use.
struct Place {
  Fd parent;         ///< O_PATH
  std::string name;  ///< one component
  /// A path that the kernel resolves from the open folder: "/proc/self/fd/7/mount".
  [[nodiscard]] std::string path() const;
};

/// Opens paths below one folder without following a symbolic link and without leaving it. Mounts are crossed.
/// By openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; before Linux 5.6 component by component with
/// O_NOFOLLOW, which comes to the same because the walk goes down only.
///
/// Paths are absolute and begin with the folder's name as it was given. Errors of all calls: kInvalidArgument
/// for a path that is not below it, that holds "." or "..", or whose way leads over a link or through a file;
/// errno.
class Beneath {
 public:
  enum class Method : std::uint8_t { kOpenat2, kWalk };

  /// `root` may be a link itself: it is our configuration. kOpenat2 becomes kWalk where the kernel lacks it.
  [[nodiscard]] static Result<Beneath> open(const std::string& root, Method method = Method::kOpenat2);

  /// What is there (O_PATH: it can be looked at and mounted on, not read); nullopt when nothing is. Of a
  /// mount point the mount's own root.
  [[nodiscard]] Result<std::optional<Fd>> find(const std::string& path) const;
  /// The folder that holds `path`, and its name in it. nullopt when that folder is not there.
  [[nodiscard]] Result<std::optional<Place>> place_of(const std::string& path) const;
  /// The same; missing folders above it are made with mode 0750.
  [[nodiscard]] Result<Place> make_place(const std::string& path) const;

  /// `path` as the kernel tells it in mountinfo: with the links in the root's own name resolved.
  [[nodiscard]] Result<std::string> resolved(const std::string& path) const;
  /// The other way round: a path of mountinfo as it is called here. One that is not below the root stays.
  [[nodiscard]] std::string told(const std::string& path) const;
  /// No link is in the root's own name: paths of mountinfo are called the same here.
  [[nodiscard]] bool tells_as_it_is() const { return root_ == real_root_; }

 private:
  Beneath(std::string root, std::string real_root, Fd fd, Method method);
  [[nodiscard]] Result<std::string> relative(const std::string& path) const;
  [[nodiscard]] Result<std::optional<Fd>> open_relative(std::string_view relative,
                                                        const std::string& path) const;
  [[nodiscard]] int walk(std::string_view relative) const;

  std::string root_;
  std::string real_root_;
  Fd fd_;
  Method method_;
};

}  // namespace holdfast::mount
