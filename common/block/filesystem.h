#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/exec.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/block/mkfs_options.h"

namespace holdfast::block {

/// A version as "6.1.0-generic" or "mke2fs 1.47.0" begins with.
struct Version {
  unsigned major = 0;
  unsigned minor = 0;
  auto operator<=>(const Version&) const = default;
};

/// The first "<number>.<number>" in `text`; 0.0 when there is none.
[[nodiscard]] Version find_version(std::string_view text);
/// Of the kernel that runs. Source: uname(2).
[[nodiscard]] Version running_kernel();

/// The oldest kernel that we serve; volumes made with `legacy` can be mounted by it.
inline constexpr Version kOldestKernel{4, 18};

/// Errors: kFailedPrecondition for an older one than kOldestKernel, naming both, what it lacks and the cure.
Status check_kernel(Version kernel);

/// The exit status of a program that cannot serve volumes where it is: starting it again cures nothing.
inline constexpr int kKernelRefused = 3;
/// kKernelRefused when the kernel that runs is too old, which `log` is told; nullopt: `program` may begin.
[[nodiscard]] std::optional<int> refuse_old_kernel(std::string_view program, Logger& log);

/// What to make.
struct FileSystemSpec {
  FsType type = FsType::kExt4;
  std::string uuid;  ///< new_uuid(): chosen before, so that a record of it can be written first
  std::vector<std::string> options = {};  ///< the user's; checked again
  bool legacy = false;                    ///< only what kOldestKernel knows, whatever kernel runs
};

/// A random uuid, "0b0d1f2e-1111-4222-8333-444455556666". Source: RFC 4122, version 4.
[[nodiscard]] std::string new_uuid();
/// How libblkid will write the uuid of a file system that was made with this one: vfat keeps 32 bits of it,
/// "0B0D-1F2E".
[[nodiscard]] std::string uuid_as_found(FsType type, const std::string& uuid);

/// The least size that mkfs accepts (mkfs.xfs: 300 MiB).
[[nodiscard]] std::uint64_t least_bytes(FsType type);
/// Errors: kOutOfRange when `bytes` is less, naming
/// both.
Status check_size(FsType type, std::uint64_t bytes);

/// The program's arguments without the device. `tool` is the version of mkfs itself: newer features are
/// switched off only in a tool that knows them, when `kernel` does not. Pure.
[[nodiscard]] std::vector<std::string> mkfs_words(const FileSystemSpec& spec, Version tool, Version kernel);

/// How the check before a mount ended.
enum class CheckOutcome : std::uint8_t { kClean, kMended, kNotChecked };

/// Whether a file system is checked before it is mounted: never one that is mounted read-only (a check
/// writes), nor with omitfsck; ext3, ext4 and vfat by their programs, while xfs and the journal of ext4 need
/// none but the mount.
[[nodiscard]] bool wants_check(FsType type, bool omit_fsck, bool read_only);

/// What the exit status of e2fsck and fsck.vfat means. Bits, e2fsck(8): 1 errors corrected, 2 reboot (of a
/// root file system), 4 errors left, 8 operational error, 16 usage, 32 cancelled, 128 library. Errors:
/// kFailedPrecondition when errors are left, with what the program wrote; kInternal for the rest.
[[nodiscard]] Result<CheckOutcome> judge_check(const CommandResult& result, const std::string& device);

/// Makes, checks and changes file systems on devices that nobody has mounted, by programs run without a
/// shell. `device` is an absolute path without blanks. A run that is cut off by its deadline leaves what a
/// power cut would: mkfs is run anew, a check too. May be used from any thread.
class FileSystems {
 public:
  explicit FileSystems(Executor& executor) : executor_(executor) {}

  /// Whatever is there is gone afterwards: ask decide_format() first. The device is not discarded. Errors:
  /// kOutOfRange for one too small, kInvalidArgument for an option, kUnavailable when it is in use, kNotFound
  /// when the program is not installed, kDeadlineExceeded, kInternal with what the program wrote.
  Status make(const std::string& device, const FileSystemSpec& spec, std::chrono::milliseconds deadline);

  /// Replays the journal and mends what can be mended without asking. Of an ext file system whose superblock
  /// says that it is clean nothing more is read, as e2fsck -p itself would do, and no program is run.
  /// kNotChecked when the program is not installed, or the type has none. Errors: those of judge_check();
  /// errno of reading; kDeadlineExceeded.
  Result<CheckOutcome> check(const std::string& device, FsType type, std::chrono::milliseconds deadline);

  /// Gives an XFS another uuid, so that a clone can be mounted beside its source. Only for a clone of ours
  /// that was unmounted cleanly: one with a dirty log is refused (kFailedPrecondition; mount it once with
  /// nouuid).
  Status change_xfs_uuid(const std::string& device, const std::string& uuid,
                         std::chrono::milliseconds deadline);

 private:
  Result<CommandResult> run(const std::string& program, std::vector<std::string> words,
                            std::chrono::milliseconds deadline);

  Executor& executor_;
};

}  // namespace holdfast::block
