#include "test/tools/syscall_trace.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <utility>

#include "test/tools/call_filter.h"
#include "test/tools/child_wait.h"
#include "test/tools/traced_process.h"

namespace holdfast::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSyscallStop = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// In the child: only async-signal-safe calls. A program that can not be started ends with 127.
[[noreturn]] void become(const TraceRequest& request, std::vector<sock_filter>& filter, char* const* argv,
                         char* const* env) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // dup2() keeps close-on-exec when both are the same descriptor; the tracer's own standard streams have it
  // off.
  if (::dup2(request.in_fd, STDIN_FILENO) < 0 || ::dup2(request.out_fd, STDOUT_FILENO) < 0 ||
      ::dup2(request.err_fd, STDERR_FILENO) < 0 || ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
    ::_exit(127);
  }
  ::raise(SIGSTOP);
  if (request.filter && !put_call_filter(filter)) ::_exit(126);
  ::execve(argv[0], argv, env);
  ::_exit(127);
}

/// VmHWM of a process that is about to end; 0 when it has no memory any more. Source: proc(5).
std::uint64_t peak_rss_of(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  std::uint64_t kib = 0;
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kib;
  }
  return kib * 1024;
}

/// The call has done nothing yet and is made once more. Writing to /proc/sys/net does so, over and over,
/// while somebody holds the rtnl lock. Source: linux/errno.h, ERESTART*, which user space does not get to
/// see.
bool is_to_start_again(std::int64_t result) { return result >= -516 && result <= -512 && result != -515; }

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class Tracer {
 public:
  explicit Tracer(const TraceRequest& request)
      : request_(request),
        deadline_(Clock::now() + request.patience),
        stretch_{.name = {}, .kill_at = request.kill_at} {}

  Result<TraceEnd> run();

 private:
  struct Thread {
    bool fresh = true;  ///< the SIGSTOP of being attached is still to come
    bool in_call = false;
    bool left = false;       ///< it is not counted
    SyscallRegisters entry;  ///< of the call it is in
    std::size_t point = 0;   ///< number of the change point it is in, 0 when it is in none
    std::size_t again = 0;   ///< number of the change point that the kernel will start again, 0 when none
    SyscallRegisters again_entry;
  };

  const TraceRequest& request_;
  Clock::time_point deadline_;
  Stretch stretch_;
  ChangeSpotter spotter_;
  std::map<pid_t, Thread> threads_;
  pid_t main_ = -1;
  TraceEnd end_;

  Status start();
  Status follow();
  Status on_stop(pid_t thread, int status);
  Status on_syscall(pid_t thread);
  Status on_filtered(pid_t thread);
  /// Until its next stop; false when it is gone. Of a filtered one only the end of a call that is looked at
  /// is one.
  bool resume(pid_t thread, int signal);
  Status on_entry(pid_t thread, const SyscallRegisters& regs);
  Result<std::optional<ChangePoint>> point_at(pid_t thread, const SyscallRegisters& regs);
  void begin_stretch();
  /// The call that it is in is done.
  void finish_point(Thread& state);
  void strike(const ChangePoint& point);
  /// After its exec: one that is to be left alone is no longer counted. Whether it is no longer traced
  /// either.
  bool leave(pid_t thread);
  /// Just started: it is left alone as what started it is.
  void inherit(pid_t thread);
  void kill_all();
  /// Lets go of all that is still traced, as if it never had been.
  void release();
  /// Waits until all that was killed is gone.
  void drain();
  [[nodiscard]] bool is_target(std::size_t point, bool after) const {
    return stretch_.kill_at && point != 0 && stretch_.kill_at->number == point &&
           stretch_.kill_at->after == after;
  }
};

Status Tracer::start() {
  std::vector<std::string> argv = request_.argv;
  std::vector<std::string> env = request_.env;
  const std::vector<char*> argv_pointers = pointers(argv);
  const std::vector<char*> env_pointers = pointers(env);
  std::vector<sock_filter> filter = call_filter(calls_to_look_at());
  main_ = ::fork();
  if (main_ < 0) return fail_errno(errno, "fork");
  if (main_ == 0) become(request_, filter, argv_pointers.data(), env_pointers.data());
  int status = 0;
  if (::waitpid(main_, &status, __WALL) != main_ || !WIFSTOPPED(status)) {
    return fail(Code::kInternal, "the traced program did not stop");
  }
  constexpr std::uintptr_t kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                      PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
                                      PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
  if (::ptrace(PTRACE_SETOPTIONS, main_, nullptr, kOptions) != 0)
    return fail_errno(errno, "set ptrace options");
  threads_[main_].fresh = false;
  return resume(main_, 0) ? Status() : Status(fail_errno(errno, "resume the program"));
}

void Tracer::kill_all() {
  if (request_.kill_program_only) {
    ::kill(main_, SIGKILL);
    return;
  }
  for (const auto& [thread, state] : threads_) ::kill(thread, SIGKILL);
}

void Tracer::strike(const ChangePoint& point) {
  end_.killed = true;
  if (request_.before_kill) request_.before_kill(point);
  kill_all();
}

void Tracer::finish_point(Thread& state) {
  const std::size_t point = std::exchange(state.point, 0);
  if (is_target(point, /*after=*/true)) strike(end_.points[point - 1]);
}

void Tracer::begin_stretch() {
  if (!request_.stretch) return;
  Stretch now = request_.stretch();
  if (now.name == stretch_.name) return;
  stretch_ = std::move(now);
  end_.points.clear();
  for (auto& [thread, state] : threads_) state.point = state.again = 0;  // they were numbers of the last one
}

Result<std::optional<ChangePoint>> Tracer::point_at(pid_t thread, const SyscallRegisters& regs) {
  if (threads_[thread].left) return std::optional<ChangePoint>();
  HOLDFAST_TRY(std::optional<ChangePoint> point, spotter_.at_entry(thread, regs));
  if (!point && request_.count_execs) point = exec_point(thread, regs);
  return point;
}

Status Tracer::on_entry(pid_t thread, const SyscallRegisters& regs) {
  Thread& state = threads_[thread];
  state.entry = regs;
  // A signal's handler may run in between.
  if (state.again != 0 && regs.number == state.again_entry.number && regs.args == state.again_entry.args) {
    state.point = std::exchange(state.again, 0);
    return {};
  }
  HOLDFAST_TRY(const std::optional<ChangePoint> point, point_at(thread, regs));
  if (!point || end_.killed) return {};
  begin_stretch();
  end_.points.push_back(*point);
  state.point = end_.points.size();
  if (request_.on_point) request_.on_point(stretch_, state.point, *point);
  if (is_target(state.point, /*after=*/false)) strike(*point);
  return {};
}

bool Tracer::resume(pid_t thread, int signal) {
  const bool to_the_end = !request_.filter || threads_[thread].in_call;
  return ::ptrace(to_the_end ? PTRACE_SYSCALL : PTRACE_CONT, thread, nullptr,
                  static_cast<std::uintptr_t>(signal)) == 0;
}

Status Tracer::on_filtered(pid_t thread) {
  const auto regs = read_syscall_registers(thread);
  if (!regs) return {};  // killed meanwhile
  HOLDFAST_CHECK(on_entry(thread, *regs));
  Thread& state = threads_[thread];
  state.in_call = state.point != 0 || regs->number == SYS_socket || regs->number == SYS_socketpair;
  return {};
}

Status Tracer::on_syscall(pid_t thread) {
  Thread& state = threads_[thread];
  const auto regs = read_syscall_registers(thread);
  if (!regs) return {};  // killed meanwhile
  state.in_call = !state.in_call;
  if (state.in_call) return on_entry(thread, *regs);
  spotter_.at_exit(thread, state.entry, regs->result);
  if (is_to_start_again(regs->result)) {
    state.again = std::exchange(state.point, 0);
    state.again_entry = state.entry;
    return {};
  }
  finish_point(state);
  return {};
}

bool Tracer::leave(pid_t thread) {
  if (request_.leave.empty() || name_of(program_of(thread)) != request_.leave) return false;
  finish_point(threads_[thread]);
  threads_[thread].left = true;
  if (request_.filter) return false;  // without a tracer its filter would refuse its calls
  threads_.erase(thread);
  ::ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
  return true;
}

void Tracer::inherit(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  pid_t process = thread;
  pid_t parent = 0;
  for (std::string word; status >> word;) {
    if (word == "Tgid:") status >> process;
    if (word == "PPid:") status >> parent;
  }
  const auto from = threads_.find(process == thread ? parent : process);
  threads_[thread].left = from != threads_.end() && from->second.left;
}

Status Tracer::on_stop(pid_t thread, int status) {
  const int signal = WSTOPSIG(status);
  const int event = status >> 16;
  const bool attached_now = signal == SIGSTOP && std::exchange(threads_[thread].fresh, false);
  if (attached_now) inherit(thread);
  int deliver = 0;
  if (end_.killed && !request_.kill_program_only)
    ::kill(thread, SIGKILL);  // it was being made when the others were killed
  if (signal == kSyscallStop) {
    HOLDFAST_CHECK(on_syscall(thread));
  } else if (event == PTRACE_EVENT_SECCOMP) {
    HOLDFAST_CHECK(on_filtered(thread));
  } else if (event == PTRACE_EVENT_EXEC) {
    if (leave(thread)) return {};
    threads_[thread].in_call = true;  // the exit stop of execve(2) follows, under this id
  } else if (event == PTRACE_EVENT_EXIT) {
    end_.peak_rss_bytes = std::max(end_.peak_rss_bytes, peak_rss_of(thread));
  } else if (event == 0 && !attached_now) {
    deliver = signal;
  }
  resume(thread, deliver);
  return {};
}

Status Tracer::follow() {
  for (;;) {
    HOLDFAST_TRY(const std::optional<ChildChange> change, wait_child(__WALL, deadline_));
    if (!change) return {};
    const auto [thread, status, usage] = *change;
    if (WIFSTOPPED(status)) {
      HOLDFAST_CHECK(on_stop(thread, status));
      continue;
    }
    threads_.erase(thread);
    if (thread != main_) continue;
    end_.exit_code = exit_code_of(status);
    if (!end_.killed || !request_.kill_program_only) continue;
    if (request_.on_killed) request_.on_killed();
    if (request_.filter) continue;
    release();
    return {};
  }
}

void Tracer::release() {
  for (const auto& [thread, state] : threads_) ::syscall(SYS_tkill, thread, SIGSTOP);
  for (;;) {
    const auto change = wait_child(__WALL, Clock::now() + std::chrono::seconds(10));
    if (!change || !*change) return;
    const auto [thread, status, usage] = **change;
    if (!WIFSTOPPED(status)) continue;
    // Only at this stop: let go before it, it would stop for good.
    const bool stopped = WSTOPSIG(status) == SIGSTOP && status >> 16 == 0;
    ::ptrace(stopped ? PTRACE_DETACH : PTRACE_CONT, thread, nullptr, nullptr);
  }
}

void Tracer::drain() {
  for (;;) {
    const auto change = wait_child(__WALL, Clock::now() + std::chrono::seconds(10));
    if (!change || !*change) return;
    // Even a killed one stops once more, at PTRACE_EVENT_EXIT.
    if (WIFSTOPPED((*change)->status)) ::ptrace(PTRACE_CONT, (*change)->pid, nullptr, nullptr);
  }
}

Result<TraceEnd> Tracer::run() {
  HOLDFAST_CHECK(start());
  const Status done = follow();
  if (!done) {
    kill_all();
    drain();
    return tl::unexpected(done.error());
  }
  return std::move(end_);
}

}  // namespace

Result<TraceEnd> trace(const TraceRequest& request) {
  if (request.argv.empty()) return fail(Code::kInvalidArgument, "no program to trace");
  const SigchldBlock blocked;
  return Tracer(request).run();
}

}  // namespace holdfast::test
