#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"

namespace holdfast::mount {

/// One line of /proc/self/mountinfo. Source: proc_pid_mountinfo(5).
struct MountEntry {
  std::uint32_t id = 0;
  std::uint32_t parent_id = 0;
  std::uint32_t major = 0;  ///< of the device; of file systems without one a number of its own
  std::uint32_t minor = 0;
  std::string root;     ///< what of the file system is mounted: "/", or the folder or file of a bind mount
  std::string target;   ///< where, as this process sees it
  std::string options;  ///< of this mount: "rw,noatime"
  std::string type;     ///< "ext4"
  std::string source;   ///< "/dev/vdb"; whatever mount(2) was told
  std::string super_options;  ///< of the file system
  std::uint32_t shared = 0;   ///< its peer group; 0: not shared
  std::uint32_t master = 0;   ///< the peer group it receives from; 0: none
  bool unbindable = false;

  /// This mount cannot be written; the file system may be by others.
  [[nodiscard]] bool read_only() const;
  /// The mount may be written, but its file system refuses: as ext4 does after an error (errors=remount-ro),
  /// which makes a volume's condition abnormal.
  [[nodiscard]] bool turned_read_only() const;
  bool operator==(const MountEntry&) const = default;
};

using Mounts = std::vector<MountEntry>;

/// The whole file. Escapes (\040 and alike) are resolved. Errors: kInvalidArgument naming the line, 1-based,
/// for one that is not as the kernel writes it: then nothing may be concluded from what is absent.
[[nodiscard]] Result<Mounts> parse_mountinfo(std::string_view text);

/// The mount that a path at exactly `target` leads to: of several on top of one another the last. nullptr:
/// none.
[[nodiscard]] const MountEntry* mounted_at(const Mounts& mounts, std::string_view target);

/// What this process sees mounted: read anew only when the kernel says that it changed, which costs one
/// poll(2) a call. May be used from any thread of one mount namespace.
class MountTable {
 public:
  /// `path`: a mountinfo file; "/proc/self/mountinfo", or "/proc/thread-self/mountinfo" for a thread that has
  /// a namespace of its own. Errors: errno of open(2).
  [[nodiscard]] static Result<std::unique_ptr<MountTable>> open(
      const std::string& path = "/proc/self/mountinfo");

  /// As it was at some moment during this call; shared, as it may outlive the next change in a reader's
  /// hands. Errors: errno of the read; kInvalidArgument as parse_mountinfo.
  [[nodiscard]] Result<std::shared_ptr<const Mounts>> now();

  /// How often the file was read, for tests and the metrics.
  [[nodiscard]] std::uint64_t reads() const;

 private:
  explicit MountTable(Fd fd) : fd_(std::move(fd)) {}
  Status read_anew();
  [[nodiscard]] bool changed() const;

  Fd fd_;
  mutable std::mutex mutex_;  // guards all below
  std::shared_ptr<const Mounts> mounts_;
  std::string text_;  // what the file was read into, kept for the next time
  std::uint64_t reads_ = 0;
};

}  // namespace holdfast::mount
