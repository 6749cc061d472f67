#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::test {

/// A program in a network namespace. Ends with the object, also when the test is killed.
class Program {
 public:
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { stop(SIGKILL); }

  /// What it prints goes to `log`, behind what is there.
  void start(int netns, const std::vector<std::string>& arguments, const std::filesystem::path& log);
  /// Returns its exit status, or 128 and the signal that ended it; -1 when it did not run.
  int stop(int signal);
  /// Waits for it to end by itself; one that has not after a minute is killed.
  int wait();
  void send(int signal) const { ::kill(pid_, signal); }
  [[nodiscard]] bool runs() const { return pid_ > 0; }

 private:
  pid_t pid_ = -1;
};

}  // namespace holdfast::test
