#include "common/base/spawn.h"

#include <fcntl.h>

#include <algorithm>
#include <csignal>

namespace holdfast {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Spawn::Spawn() {
  ::posix_spawn_file_actions_init(&actions_);
  ::posix_spawnattr_init(&attributes_);
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes_, &all);
  ::posix_spawnattr_setsigmask(&attributes_, &none);
  ::posix_spawnattr_setpgroup(&attributes_, 0);
  ::posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

Spawn::~Spawn() {
  ::posix_spawn_file_actions_destroy(&actions_);
  ::posix_spawnattr_destroy(&attributes_);
}

void Spawn::note(int error) {
  if (error_ == 0) error_ = error;
}

void Spawn::give(int fd, int as) {
  note(::posix_spawn_file_actions_adddup2(&actions_, fd, as));
  first_closed_ = std::max(first_closed_, as + 1);
}

void Spawn::give_nothing(int as) {
  note(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_RDONLY, 0));
  first_closed_ = std::max(first_closed_, as + 1);
}

Result<pid_t> Spawn::start(std::vector<std::string> argv, std::vector<std::string> environment) {
  note(::posix_spawn_file_actions_addclosefrom_np(&actions_, first_closed_));
  pid_t process = 0;
  if (error_ == 0) {
    error_ = ::posix_spawn(&process, argv.front().c_str(), &actions_, &attributes_, pointers_to(argv).data(),
                           pointers_to(environment).data());
  }
  if (error_ != 0) return fail_errno(error_, "run " + argv.front());
  return process;
}

}  // namespace holdfast
