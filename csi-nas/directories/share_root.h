#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::nas {

/// Opens entries of folders that are open, and nothing else: no link is followed and no mount is crossed,
/// whoever exchanges what meanwhile. By openat2(2); before Linux 5.6 by O_NOFOLLOW and the mount's number in
/// /proc/self/fdinfo, which comes to the same for one name.
class EntryOpener {
 public:
  enum class Method : std::uint8_t { kOpenat2, kByName };

  /// kOpenat2 becomes kByName where the kernel lacks it.
  explicit EntryOpener(Method method = Method::kOpenat2);

  /// `name` is one component. `flags` as of open(2); O_CLOEXEC and O_NOFOLLOW are added. Of a link itself
  /// with O_PATH only. An invalid descriptor leaves its errno: ELOOP for a link, EXDEV for another mount.
  [[nodiscard]] Fd open(int folder, const std::string& name, int flags) const;

 private:
  Method method_;
};

/// The root of a share that is mounted somewhere, held open.
class ShareRoot {
 public:
  /// May block for as long as the server is away. Errors: errno.
  [[nodiscard]] static Result<ShareRoot> open(const std::string& mounted_at,
                                              EntryOpener opener = EntryOpener());

  /// Whether it is the root of a file system, and no plain folder.
  [[nodiscard]] bool is_mount() const;
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const EntryOpener& opener() const { return opener_; }

  /// A folder below the root, to read; "" is the root. nullopt when it is not there. Errors:
  /// kFailedPrecondition when a link, a file or another file system is in the way; errno.
  [[nodiscard]] Result<std::optional<Fd>> find_folder(std::string_view path) const;
  /// The same; what is missing is made with `mode`.
  [[nodiscard]] Result<Fd> make_folders(std::string_view path, mode_t mode) const;

 private:
  ShareRoot(Fd fd, EntryOpener opener) : fd_(std::move(fd)), opener_(opener) {}
  [[nodiscard]] Result<std::optional<Fd>> walk(std::string_view path, const mode_t* make) const;

  Fd fd_;
  EntryOpener opener_;
};

/// "remove 'a\x0ab': Device or resource busy", for names that strangers chose.
[[nodiscard]] tl::unexpected<Error> fail_entry(int sys_errno, std::string_view verb, std::string_view name);

}  // namespace holdfast::nas
