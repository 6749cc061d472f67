#include "test/egw-gateway/program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "common/netlink/netns.h"

namespace holdfast::test {
namespace {

// Less than ctest's: the test is to fail, and tell what it knows.
constexpr auto kLongestEnd = std::chrono::seconds(60);

[[noreturn]] void become(const std::vector<std::string>& arguments, const std::string& log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

void Program::start(int netns, const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  const Status done = nl::run_in_netns(netns, [&] {
    pid_ = ::fork();
    if (pid_ == 0) become(arguments, log.native());
  });
  if (!done || pid_ < 0) throw std::runtime_error("cannot start " + arguments.front());
}

int Program::stop(int signal) {
  if (pid_ < 0) return -1;
  // Before `signal`, for a program that was stopped: behind it SIGCONT could come while the leak checker of
  // one that ends attaches to it, and would take away the SIGSTOP that ptrace(PTRACE_ATTACH) waits for.
  if (signal != SIGKILL) ::kill(pid_, SIGCONT);
  ::kill(pid_, signal);
  return wait();
}

int Program::wait() {
  const auto end = std::chrono::steady_clock::now() + kLongestEnd;
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace holdfast::test
