#include "test/tools/plugin_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "test/tools/child_wait.h"

namespace holdfast::test {
namespace {

using Clock = std::chrono::steady_clock;

std::chrono::nanoseconds cpu_of(const rusage& usage) {
  const auto length = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return length(usage.ru_utime) + length(usage.ru_stime);
}

Result<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read a child's output");
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Result<pid_t> spawn(const PluginCall& call, const Streams& streams) {
  std::vector<std::string> argv = {call.binary.string()};
  std::vector<std::string> env = environment_of(call);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, streams.child_in(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, streams.child_out(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, streams.child_err(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, argv[0].c_str(), &actions, &attributes, pointers(argv).data(), pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno(error, "start " + argv[0]);
  return pid;
}

struct Running {
  pid_t pid = -1;
  Streams streams;
  Clock::time_point start;
};

Status finish(Running& running, const ChildChange& reaped, PluginEnd& end) {
  HOLDFAST_TRY(end.out, running.streams.read_out());
  end.wall = Clock::now() - running.start;
  HOLDFAST_TRY(end.err, running.streams.read_err());
  end.cpu = cpu_of(reaped.usage);
  end.exit_code = exit_code_of(reaped.status);
  running.pid = -1;
  return {};
}

Status wait_for_all(std::vector<Running>& running, std::vector<PluginEnd>& ends, Clock::time_point deadline) {
  for (std::size_t left = running.size(); left > 0;) {
    HOLDFAST_TRY(const std::optional<ChildChange> reaped, wait_child(0, deadline));
    if (!reaped) return fail(Code::kInternal, "a plugin was reaped by somebody else");
    for (std::size_t i = 0; i < running.size(); ++i) {
      if (running[i].pid != reaped->pid) continue;
      HOLDFAST_CHECK(finish(running[i], *reaped, ends[i]));
      --left;
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> environment_of(const PluginCall& call) {
  std::vector<std::string> env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "CNI_COMMAND=" + call.command};
  const auto put = [&](const char* name, const std::string& value) {
    if (!value.empty()) env.push_back(std::string(name) + "=" + value);
  };
  put("CNI_CONTAINERID", call.container_id);
  put("CNI_NETNS", call.netns);
  put("CNI_IFNAME", call.ifname);
  put("CNI_ARGS", call.args);
  put("CNI_PATH", call.cni_path);
  return env;
}

Result<Streams> Streams::open(const std::string& input) {
  Streams streams;
  streams.in_.reset(::memfd_create("input", MFD_CLOEXEC));
  streams.err_.reset(::memfd_create("errors", MFD_CLOEXEC));
  if (!streams.in_.valid() || !streams.err_.valid()) return fail_errno(errno, "memfd_create");
  if (::write(streams.in_.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()) ||
      ::lseek(streams.in_.get(), 0, SEEK_SET) != 0) {
    return fail_errno(errno, "write a child's input");
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe2");
  streams.out_read_.reset(ends[0]);
  streams.out_write_.reset(ends[1]);
  return streams;
}

Result<std::string> Streams::read_out() { return read_all(out_read_.get()); }

Result<std::string> Streams::read_err() {
  if (::lseek(err_.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "rewind a child's errors");
  return read_all(err_.get());
}

Result<std::vector<PluginEnd>> run_plugins(const std::vector<PluginCall>& calls,
                                           std::chrono::seconds patience) {
  const SigchldBlock blocked;
  const auto deadline = Clock::now() + patience;
  std::vector<Running> running(calls.size());
  std::vector<PluginEnd> ends(calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    HOLDFAST_TRY(running[i].streams, Streams::open(calls[i].config));
  }
  Status done;
  for (std::size_t i = 0; i < calls.size() && done; ++i) {
    running[i].start = Clock::now();
    const auto pid = spawn(calls[i], running[i].streams);
    if (!pid) done = tl::unexpected(pid.error());
    running[i].pid = pid.value_or(-1);
    running[i].streams.close_child_ends();
  }
  if (done) done = wait_for_all(running, ends, deadline);
  if (!done) {
    for (const Running& one : running) {
      if (one.pid > 0) ::kill(one.pid, SIGKILL);
    }
    return tl::unexpected(std::move(done).error());
  }
  return ends;
}

Result<PluginEnd> run_plugin(const PluginCall& call) {
  HOLDFAST_TRY(std::vector<PluginEnd> ends, run_plugins({call}, std::chrono::seconds(30)));
  return std::move(ends.front());
}

Status adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail_errno(errno, "become a subreaper");
  return {};
}

Result<std::chrono::nanoseconds> reap_orphans(std::chrono::seconds patience) {
  const SigchldBlock blocked;
  const auto deadline = Clock::now() + patience;
  std::chrono::nanoseconds cpu{};
  for (;;) {
    HOLDFAST_TRY(const std::optional<ChildChange> reaped, wait_child(0, deadline));
    if (!reaped) return cpu;
    cpu += cpu_of(reaped->usage);
  }
}

}  // namespace holdfast::test
