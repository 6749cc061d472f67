#include "csi-nas/mounts/child_calls.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <thread>
#include <utility>

#include "common/base/fd.h"
#include "common/base/spawn.h"
#include "csi-nas/nfs/child_messages.h"

namespace holdfast::nas {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kKilledPatience{300};  // an NFS call that waits ends within 250 ms
constexpr std::chrono::microseconds kShortestWait{50};
constexpr std::chrono::microseconds kLongestWait{5000};
constexpr std::size_t kMostAnswerBytes = std::size_t{16} * 1024;

// What it wrote until it closed its output, which it does by ending; false when that was not in time.
bool read_answer(int fd, SteadyClock::time_point deadline, std::string& answer) {
  std::array<char, 4096> buffer{};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) return false;
    pollfd watched{fd, POLLIN, 0};
    if (::poll(&watched, 1, static_cast<int>(left.count())) <= 0) continue;
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count == 0) return true;
    if (count > 0 && answer.size() < kMostAnswerBytes) {
      answer.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
}

// Whether it has ended by then; it is waited for then.
bool wait_until(pid_t process, SteadyClock::time_point deadline) {
  auto pause = kShortestWait;
  while (::waitpid(process, nullptr, WNOHANG) == 0) {
    if (SteadyClock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestWait);
  }
  return true;
}

std::vector<std::string> mount_words(const std::string& source, const mount::MountOptions& options) {
  return {source, std::to_string(options.flags), options.data};
}

Status without_answer(const Result<std::string>& answer) {
  return answer ? Status{} : Status(tl::unexpected(answer.error()));
}

}  // namespace

ChildCalls::ChildCalls(std::string nascmd, std::string root)
    : nascmd_(std::move(nascmd)), root_(std::move(root)) {}

void ChildCalls::reap() {
  const std::scoped_lock lock(mutex_);
  std::erase_if(stuck_,
                [](const Stuck& each) { return ::waitpid(each.process, nullptr, WNOHANG) == each.process; });
}

std::size_t ChildCalls::stuck() const {
  const std::scoped_lock lock(mutex_);
  return stuck_.size();
}

Status ChildCalls::let_in(const std::string& server) {
  if (server.empty()) return {};
  reap();
  const std::scoped_lock lock(mutex_);
  if (std::ranges::find(stuck_, server, &Stuck::server) == stuck_.end()) return {};
  return fail(Code::kUnavailable, "an earlier call to the NFS server " + server +
                                      " hangs in the kernel: it ends when the server answers");
}

void ChildCalls::keep(const std::string& server, pid_t process) {
  const std::scoped_lock lock(mutex_);
  stuck_.push_back({server, process});
}

Result<std::string> ChildCalls::run(const std::string& server, std::vector<std::string> words,
                                    Patience patience) {
  HOLDFAST_CHECK(let_in(server));
  const auto deadline = SteadyClock::now() + patience;
  const std::string verb = words.front();
  words.insert(words.begin(), {nascmd_, root_});
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "make a pipe");
  const Fd output(ends[0]);
  Fd input(ends[1]);
  Spawn spawn;
  spawn.give_nothing(STDIN_FILENO);
  spawn.give(input.get(), STDOUT_FILENO);
  HOLDFAST_TRY(const pid_t process, spawn.start(std::move(words), {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}));
  input.reset();
  std::string answer;
  if (read_answer(output.get(), deadline, answer) && wait_until(process, deadline))
    return read_answer_of_child(answer, verb);
  ::kill(-process, SIGKILL);
  const bool ended = wait_until(process, SteadyClock::now() + kKilledPatience);
  if (!ended) keep(server, process);
  const std::string waited_for =
      server.empty() ? "it has not ended" : "the NFS server " + server + " has not answered";
  return fail(Code::kDeadlineExceeded, verb + ": " + waited_for + " within " +
                                           std::to_string(patience.count()) + " ms" +
                                           (ended ? "" : ", and the call hangs in the kernel"));
}

Result<std::string> ChildCalls::resolve(const std::string& host, Patience patience) {
  return run("", {"resolve", host}, patience);
}

Status ChildCalls::start_lock_services(Patience patience) {
  return without_answer(run("", {"lock-services"}, patience));
}

Status ChildCalls::mount(const std::string& server, const MountShareRequest& request, Patience patience) {
  std::vector<std::string> words = mount_words(request.source, request.options);
  words.insert(words.begin(), "mount");
  words.push_back(request.target);
  return without_answer(run(server, std::move(words), patience));
}

Status ChildCalls::make_folder(const std::string& server, const MakeFolderRequest& request,
                               Patience patience) {
  std::vector<std::string> words = mount_words(request.source, request.options);
  words.insert(words.begin(), "make-folder");
  words.insert(words.end(), {request.at, request.path});
  return without_answer(run(server, std::move(words), patience));
}

Status ChildCalls::set_mode(const std::string& server, const std::string& path, mode_t mode,
                            Patience patience) {
  return without_answer(run(server, {"set-mode", path, std::to_string(mode)}, patience));
}

Status ChildCalls::bind(const std::string& server, const BindRequest& request, Patience patience) {
  return without_answer(run(server,
                            {"bind", request.source, request.part, request.target,
                             request.read_only ? "ro" : "rw", request.make_parents ? "parents" : "none"},
                            patience));
}

Status ChildCalls::unmount(const std::string& server, const UnmountRequest& request, Patience patience) {
  const bool lazily = request.how == Unmount::kLazily;
  return without_answer(
      run(lazily ? "" : server,
          {"unmount", request.target, lazily ? "lazily" : "orderly", request.remove ? "remove" : "keep"},
          patience));
}

Result<block::VolumeUsage> ChildCalls::look(const std::string& server, const std::string& path,
                                            Patience patience) {
  HOLDFAST_TRY(const std::string answer, run(server, {"look", path}, patience));
  return read_usage(answer);
}

}  // namespace holdfast::nas
