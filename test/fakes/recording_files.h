#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/files.h"

namespace holdfast::test {

/// Thrown by RecordingFiles where the process "is killed". Nothing of ours catches it but the test.
struct Killed {};

/// Where in a step the process is killed. A step that is one system call has no half way: there kHalfWay is
/// kBefore.
enum class KillPoint : std::uint8_t {
  kBefore,
  kHalfWay,  ///< create, append and overwrite have written the first half of their bytes
  kAfter,
};

/// What a power cut takes of that which no sync covered.
enum class Loss : std::uint8_t {
  kAllUnsynced,   ///< names and content are as of the last sync that covered them
  kNamesSurvive,  ///< names are kept, un-synced content is gone: the empty file after a rename without
                  ///< sync_file
  kTorn,          ///< names are kept, and of un-synced bytes the first half
  kZeroed,        ///< names and lengths are kept, un-synced bytes are NUL
};
inline constexpr std::array kAllLosses{Loss::kAllUnsynced, Loss::kNamesSurvive, Loss::kTorn, Loss::kZeroed};
[[nodiscard]] std::string_view to_string(Loss loss);

/// A Files over a real folder that records every call, fails or "kills the process" where it is told to, and
/// can rebuild elsewhere what a power cut would have left.
///
/// Counting. Calls are counted from 1. A *step* is a call that changes or syncs something: everything but
/// read, list and the lock of a file that is there. steps() after an undisturbed run tells how many points
/// there are to try.
///
///     for (std::size_t step = 1; step <= total; ++step) {             // a kill at every step
///       RecordingFiles files(folder.path());
///       files.kill_at(step, KillPoint::kAfter);
///       CHECK_THROWS_AS(run(files), Killed);
///       ... start again with a new PosixFiles over the same folder
///     }
///     for (std::size_t step = 0; step <= files.steps(); ++step) {     // a power cut after every step
///       for (const Loss loss : kAllLosses) {
///         TemporaryFolder left;
///         REQUIRE(files.rebuild(step, loss, left.path()));
///         ... start again with a PosixFiles over `left`
///       }
///     }
///
/// The model of a power cut is POSIX's word and no more (what ext4 or XFS give beyond it is not relied on):
///   * All that was in the folder at construction is durable.
///   * sync_file makes the content of one file durable, under whatever name; not its name, not its length
///     only.
///   * sync_folder makes the names in that one folder durable (files made, renamed and removed there), not
///     the content of the files, and not the folder's own name in its parent.
///   * A rename between folders is a name made in one and a name removed in the other; each needs its own
///     sync. Until then a cut may leave the file under both names or under none.
///   * make_folders syncs the names it makes.
///   * A file whose name is durable and whose content never was is there and empty.
///   * lock makes an empty file when there is none; its name is as durable as any other.
/// Content is kept per file, not per name, so a rename moves what is durable and what is not together.
///
/// Paths must be inside the folder (else kInvalidArgument: the test is wrong) and are recorded relative to
/// it. Changes made behind its back need adopt(). Not thread-safe.
class RecordingFiles final : public Files {
 public:
  enum class Kind : std::uint8_t {
    kRead,
    kList,
    kCreate,
    kAppend,
    kOverwrite,
    kTruncate,
    kSyncFile,
    kSyncFolder,
    kRename,
    kRenameNew,
    kRemove,
    kMakeFolders,
    kLock,
  };
  struct Operation {
    Kind kind{};
    std::filesystem::path path{};  ///< relative to the folder; of a rename the old name
    std::filesystem::path to{};    ///< of a rename the new name
    std::string bytes{};           ///< of create, append and overwrite
    std::size_t size = 0;          ///< of truncate
    mode_t mode = 0;
    std::size_t step = 0;  ///< number of the step, or 0 when it is none
    bool done = false;     ///< it succeeded
  };

  /// `folder` exists.
  explicit RecordingFiles(const std::filesystem::path& folder);

  /// Lets call number `call` (of any kind) fail with `sys_errno`, having changed nothing.
  void fail_call(std::size_t call, int sys_errno);
  /// From call number `call` on the disk is full: create, append, overwrite, make_folders and a lock that
  /// would make its file fail with ENOSPC. Removing and renaming work.
  void fill_disk_at(std::size_t call);
  /// Throws Killed at step number `step`. What was done stays. From then on every call fails with EIO and
  /// changes nothing, so that no clean-up of the dead process reaches the disk.
  void kill_at(std::size_t step, KillPoint point);

  /// Forgets what was recorded and takes all that is in the folder now as durable.
  void adopt();

  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }
  [[nodiscard]] std::size_t calls() const { return operations_.size(); }
  [[nodiscard]] std::size_t steps() const { return steps_; }
  /// The calls, one a line, "3 create a/b (17 bytes)": for INFO() and for tests of the order of calls.
  [[nodiscard]] std::string transcript() const;

  /// Fills `into` (made when absent, otherwise empty) with what a power cut after step number `step` leaves.
  /// Errors: errno of what could not be written.
  Status rebuild(std::size_t step, Loss loss, const std::filesystem::path& into) const;

  Result<std::optional<std::string>> read(const std::filesystem::path& path, std::size_t max_bytes) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& folder) override;
  Status create(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status append(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status overwrite(const std::filesystem::path& path, std::string_view bytes, mode_t mode) override;
  Status truncate(const std::filesystem::path& path, std::size_t bytes) override;
  Status sync_file(const std::filesystem::path& path) override;
  Status sync_folder(const std::filesystem::path& folder) override;
  Status rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status rename_new(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status remove(const std::filesystem::path& path) override;
  Status make_folders(const std::filesystem::path& folder, mode_t mode) override;
  Result<Fd> lock(const std::filesystem::path& path, std::chrono::milliseconds patience) override;

  /// A file or folder as it was at construction; parents come before what is in them.
  struct Entry {
    std::filesystem::path path;
    mode_t mode = 0;
    std::optional<std::string> content;  ///< unset for a folder
  };

 private:
  template <class Answer, class Act>
  Answer perform(Operation operation, Act act);
  [[nodiscard]] Result<std::filesystem::path> inside(const std::filesystem::path& path) const;
  [[nodiscard]] Status planned_fault(const Operation& operation) const;
  void do_half(const Operation& operation);

  PosixFiles real_;
  std::filesystem::path folder_;
  std::vector<Entry> initial_;
  std::vector<Operation> operations_;
  std::size_t steps_ = 0;
  std::optional<std::pair<std::size_t, int>> failure_;
  std::optional<std::size_t> full_from_;
  std::optional<std::pair<std::size_t, KillPoint>> kill_;
  bool dead_ = false;
};

}  // namespace holdfast::test
