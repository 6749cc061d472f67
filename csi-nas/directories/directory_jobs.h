#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/fd.h"
#include "common/base/files.h"
#include "common/base/result.h"
#include "csi-nas/directories/directory_order.h"
#include "csi-nas/directories/job_record.h"

namespace holdfast::nas {

/// Work on directories that one call of CSI does not wait for to its end. The tests' one does it at once.
class DirectoryWork {
 public:
  DirectoryWork() = default;
  DirectoryWork(const DirectoryWork&) = delete;
  DirectoryWork& operator=(const DirectoryWork&) = delete;
  virtual ~DirectoryWork() = default;

  /// Begins the work on one directory, or goes on waiting for it, at most `patience`. `id` tells it from the
  /// directories of all shares: there is one work at a time on it; `server` is who has the share.
  /// `order.holder` is filled in. Returns what carry_out does, once: asked again, the work is done again,
  /// which finds everything done.
  /// Errors: kAborted while it is under way, with how far it came, also when another order is under way for
  /// this directory or its turn has not come; kUnavailable when the child did not come to an end or cannot be
  /// started; else carry_out's.
  virtual Result<std::string> run(const std::string& id, const std::string& server, DirectoryOrder order,
                                  std::chrono::milliseconds patience) = 0;
  /// Ends what is under way for the directory, as far as that can be ended; does not wait. What was begun is
  /// found by whoever does it next.
  virtual void give_up(const std::string& /*id*/) {}
};

struct DirectoryJobsOptions {
  std::string program;           ///< the path of nas-directories
  std::filesystem::path folder;  ///< on the node's own disk; made when absent
  /// A child that only makes or renames a directory is killed then: a server that hangs gives it nothing to
  /// lose. Those that remove and copy are left alone, however long they hang.
  std::chrono::milliseconds quick_deadline = std::chrono::seconds(10);
  /// Shares are mounts: nothing is made in a folder where one was, but is not any more.
  bool mounted = true;
  /// Children end with the thread that began them, however that ends: nobody acts on a share of whom nobody
  /// here knows. Else they go on after us.
  bool end_with_us = false;
};

/// The real one: each work is a child process, which may hang in the kernel as long as the server is away,
/// and goes on after us. Two of them run for a server at a time: one that makes or renames, one that removes
/// or copies; others wait for their turn. Below `folder`, which nobody else uses:
///
///     holder                letters and digits, drawn once: who we are on the shares
///     <hash of the id>.job  job_record.h; locked by the child while it lives
///
/// A child that was started by a process before us is seen by its lock. At our end they are left alone, but
/// for `end_with_us`. Thread-safe.
class DirectoryJobs final : public DirectoryWork {
 public:
  /// `clock` outlives it. Errors: errno of the folder.
  [[nodiscard]] static Result<std::unique_ptr<DirectoryJobs>> open(DirectoryJobsOptions options, Files& files,
                                                                   Clock& clock);

  Result<std::string> run(const std::string& id, const std::string& server, DirectoryOrder order,
                          std::chrono::milliseconds patience) override;
  /// Kills the child, if it is one of ours.
  void give_up(const std::string& id) override;

  /// Children that live, also those of a process before us. Takes leave of those that have ended, and kills
  /// those that are late (quick_deadline): to be called now and then.
  [[nodiscard]] std::size_t running();

 private:
  struct Child {
    pid_t process = 0;
    Fd end = {};  ///< reads its end when the child has ended
    std::string lane = {};
    std::string work = {};                ///< for people
    std::vector<std::string> words = {};  ///< which order it carries out
    std::chrono::nanoseconds kill_at = std::chrono::nanoseconds::max();
  };
  struct Outcome {
    std::vector<std::string> words;
    Result<std::string> answer;
  };
  /// What a look at a volume's work found: how it ended, or why not and what to wait for.
  struct Look {
    std::optional<Result<std::string>> outcome = {};
    std::string why = {};
    Fd wait_for = {};  ///< becomes readable when there may be news; invalid: nothing tells
  };
  struct Wanted {
    const std::string& id;
    const DirectoryOrder& order;
    std::string lane;
    std::vector<std::string> words;
  };

  DirectoryJobs(DirectoryJobsOptions options, Clock& clock, std::string holder);
  Status adopt(Files& files);
  [[nodiscard]] std::filesystem::path record_path(const std::string& id) const;
  Look look(const Wanted& wanted);
  void reap();
  [[nodiscard]] Result<std::string> answer_of(const std::string& id, const Child& child, int status) const;
  [[nodiscard]] Look tell_running(const Wanted& wanted, const Child& child) const;
  [[nodiscard]] std::optional<Look> tell_busy(const Wanted& wanted);
  Status start(const Wanted& wanted);

  const DirectoryJobsOptions options_;
  Clock& clock_;
  const std::string holder_;
  std::mutex mutex_;                                      // guards all below
  std::map<std::string, Child> children_;                 // by id
  std::map<std::string, Outcome> ended_;                  // by id, until somebody asks
  std::map<std::filesystem::path, JobRecord> strangers_;  // children of a process before us
};

}  // namespace holdfast::nas
