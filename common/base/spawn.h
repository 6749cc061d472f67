#pragma once

#include <spawn.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/result.h"

namespace holdfast {

/// Starts one program by posix_spawn(3), which copies nothing of our memory: in a process group of its own,
/// with all signals at their default and unblocked, and with no descriptor above those that it is given.
class Spawn {
 public:
  Spawn();
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  ~Spawn();

  /// Its descriptor `as` is a copy of `fd`, in the order of these calls: one overwrites a later one's `fd` of
  /// that number. As long as our own were opened lowest number first, 0, 1 and 2 may be given in turn.
  void give(int fd, int as);
  /// Its descriptor `as` is /dev/null, to read.
  void give_nothing(int as);

  /// `argv` has the program's path first; `environment` is "KEY=VALUE", all that it gets. The caller waits
  /// for the process. Errors: errno of posix_spawn(3), ENOMEM of what came before, "run <path>".
  Result<pid_t> start(std::vector<std::string> argv, std::vector<std::string> environment);

 private:
  void note(int error);

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int first_closed_ = 0;  // all from here on are
  int error_ = 0;         // the first of what was prepared
};

}  // namespace holdfast
