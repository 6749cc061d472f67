#include "test/tools/syscall_trace.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test/catch.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

/// A folder under TMPDIR that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "trace.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TraceRequest shell(const std::string& script) {
  TraceRequest request;
  request.argv = {"/bin/sh", "-c", script};
  request.env = {"PATH=/usr/bin:/bin"};
  return request;
}

std::vector<std::string> texts(const TraceEnd& end) {
  std::vector<std::string> lines;
  for (const ChangePoint& point : end.points) lines.push_back(point.call + " " + point.target);
  return lines;
}

TEST_CASE("the tracer lists what a program and its children change, and nothing else", "[trace]") {
  const Folder folder;
  const std::string at = folder.path().string();
  for (const bool filter : {false, true}) {
    DYNAMIC_SECTION((filter ? "only possible changes stop it" : "all calls stop it")) {
      TraceRequest request =
          shell("cd " + at + "; mkdir d; echo hello > d/f; cat d/f > /dev/null; mv d/f d/g; rm d/g");
      request.filter = filter;
      const auto end = trace(request);
      REQUIRE(end.has_value());
      CHECK(end->exit_code == 0);
      CHECK_FALSE(end->killed);
      CHECK(end->peak_rss_bytes > 100'000);
      CHECK(end->peak_rss_bytes < 50'000'000);
      CHECK(texts(*end) == std::vector<std::string>{
                               "mkdir " + at + "/d",
                               "openat " + at + "/d/f",
                               "write " + at + "/d/f",
                               "renameat2 " + at + "/d/f -> " + at + "/d/g",
                               "unlinkat " + at + "/d/g",
                           });
    }
  }
}

TEST_CASE("a call killed before has not happened, one killed after has", "[trace]") {
  for (const auto& [after, filter] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    DYNAMIC_SECTION((after ? "after" : "before") << (filter ? ", filtered" : "")) {
      const Folder folder;
      TraceRequest request = shell("cd " + folder.path().string() + "; mkdir one; mkdir two; mkdir three");
      request.filter = filter;
      request.kill_at = KillAt{2, after};
      const auto end = trace(request);
      REQUIRE(end.has_value());
      CHECK(end->killed);
      CHECK(end->points.size() == 2);
      CHECK(fs::exists(folder.path() / "one"));
      CHECK(fs::exists(folder.path() / "two") == after);
      CHECK_FALSE(fs::exists(folder.path() / "three"));
    }
  }
}

TEST_CASE("killing takes children of the program with it", "[trace]") {
  const Folder folder;
  TraceRequest request = shell("cd " + folder.path().string() + "; (sleep 1; mkdir late) & mkdir now; wait");
  request.kill_at = KillAt{1, true};
  const auto end = trace(request);  // returns when the last of them is gone
  REQUIRE(end.has_value());
  CHECK(end->killed);
  CHECK(fs::exists(folder.path() / "now"));
  CHECK_FALSE(fs::exists(folder.path() / "late"));
}

TEST_CASE("starts of programs are points where that is asked for", "[trace]") {
  TraceRequest request = shell("/bin/true; exec /bin/true");
  request.count_execs = true;
  const auto end = trace(request);
  REQUIRE(end.has_value());
  CHECK(texts(*end) == std::vector<std::string>{"execve /bin/sh", "execve /bin/true", "execve /bin/true"});
}

TEST_CASE("what a program killed alone has started goes on, and is no longer traced", "[trace]") {
  const Folder folder;
  const std::string at = folder.path().string();
  TraceRequest request = shell("cd " + at + "; mkfifo done; (mkdir a; mkdir b; : <done) & wait; mkdir c");
  request.kill_program_only = true;
  request.kill_at = KillAt{2, false};
  const auto end = trace(request);
  REQUIRE(end.has_value());
  CHECK(end->killed);
  CHECK(end->exit_code == 128 + SIGKILL);
  { const std::ofstream told(at + "/done"); }  // waits until the child reads, so it has made both
  CHECK(fs::exists(folder.path() / "a"));
  CHECK(fs::exists(folder.path() / "b"));
  CHECK_FALSE(fs::exists(folder.path() / "c"));
}

TEST_CASE("what a filtered program killed alone has started goes on under the tracer", "[trace]") {
  const Folder folder;
  TraceRequest request =
      shell("cd " + folder.path().string() + "; (mkdir a; mkdir b; mkdir d) & wait; mkdir c");
  request.filter = true;
  request.kill_program_only = true;
  request.kill_at = KillAt{2, false};
  bool told = false;
  request.on_killed = [&] { told = true; };
  const auto end = trace(request);
  REQUIRE(end.has_value());
  CHECK(end->killed);
  CHECK(told);
  CHECK(end->points.size() == 2);
  CHECK(end->exit_code == 128 + SIGKILL);
  CHECK(fs::exists(folder.path() / "d"));
  CHECK_FALSE(fs::exists(folder.path() / "c"));
}

TEST_CASE("what a filtered program that is left alone does and starts is not counted", "[trace]") {
  const Folder folder;
  fs::copy("/bin/dash", folder.path() / "worker");
  TraceRequest request = shell("cd " + folder.path().string() + "; ./worker -c 'mkdir a; : >b'; mkdir c");
  request.filter = true;
  request.leave = "worker";
  const auto end = trace(request);
  REQUIRE(end.has_value());
  CHECK(fs::exists(folder.path() / "a"));
  CHECK(fs::exists(folder.path() / "b"));
  CHECK(texts(*end) == std::vector<std::string>{"mkdir " + (folder.path() / "c").string()});
}

TEST_CASE("a program that is left alone is neither counted nor killed, its start is counted", "[trace]") {
  const Folder folder;
  const std::string at = folder.path().string();
  fs::copy("/bin/dash", folder.path() / "worker");
  TraceRequest request = shell("cd " + at +
                               "; mkfifo go done; ./worker -c 'mkdir a; : >go; : <done; mkdir b' &"
                               " : <go; mkdir c");
  request.leave = "worker";
  request.count_execs = true;
  std::vector<std::string> told;
  request.stretch = [&] {
    if (!fs::exists(folder.path() / "a")) return Stretch{.name = "before", .kill_at = std::nullopt};
    return Stretch{.name = "after", .kill_at = KillAt{1, false}};
  };
  request.on_point = [&](const Stretch& stretch, std::size_t, const ChangePoint& point) {
    told.push_back(stretch.name + " " + point.call + " " + fs::path(point.target).filename().string());
  };
  const auto end = trace(request);
  REQUIRE(end.has_value());
  CHECK(end->killed);
  CHECK(std::count(told.begin(), told.end(), "before execve worker") == 1);
  CHECK(std::count(told.begin(), told.end(), "before mkdir a") == 0);
  CHECK(told.back() == "after execve mkdir");
  { const std::ofstream told_to_end(at + "/done"); }  // waits until it reads
  for (int i = 0; i < 500 && !fs::exists(folder.path() / "b"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(fs::exists(folder.path() / "b"));
  CHECK_FALSE(fs::exists(folder.path() / "c"));
}

TEST_CASE("points of each stretch are numbered anew, and its own kill is obeyed", "[trace]") {
  const Folder folder;
  const std::string at = folder.path().string();
  TraceRequest request = shell("cd " + at + "; mkdir a; mkdir b; mkdir c; mkdir d");
  std::vector<std::string> told;
  request.stretch = [&] {
    if (!fs::exists(folder.path() / "b")) return Stretch{.name = "first", .kill_at = std::nullopt};
    return Stretch{.name = "second", .kill_at = KillAt{1, true}};
  };
  request.on_point = [&](const Stretch& stretch, std::size_t number, const ChangePoint& point) {
    told.push_back(stretch.name + " " + std::to_string(number) + " " +
                   fs::path(point.target).filename().string());
  };
  const auto end = trace(request);
  REQUIRE(end.has_value());
  CHECK(end->killed);
  CHECK(told == std::vector<std::string>{"first 1 a", "first 2 b", "second 1 c"});
  CHECK(fs::exists(folder.path() / "c"));
  CHECK_FALSE(fs::exists(folder.path() / "d"));
}

TEST_CASE("a message to another process is a point", "[trace]") {
  const auto end = trace(shell(
      "exec /usr/bin/python3 -c 'import socket; a, b = socket.socketpair(); a.send(b\"x\"); b.recv(1)'"));
  REQUIRE(end.has_value());
  CHECK(end->exit_code == 0);
  CHECK(texts(*end) == std::vector<std::string>{"sendto message"});
}

TEST_CASE("a point that the program does not reach kills nothing", "[trace]") {
  const Folder folder;
  TraceRequest request = shell("mkdir " + folder.path().string() + "/one");
  request.kill_at = KillAt{2, false};
  const auto end = trace(request);
  REQUIRE(end.has_value());
  CHECK_FALSE(end->killed);
  CHECK(end->exit_code == 0);
}

TEST_CASE("a program that hangs is killed at the deadline", "[trace]") {
  TraceRequest request = shell("sleep 60");
  request.patience = std::chrono::seconds(1);
  const auto end = trace(request);
  REQUIRE_FALSE(end.has_value());
  CHECK(end.error().code == Code::kDeadlineExceeded);
}

TEST_CASE("a call that the kernel starts again is one point", "[trace]") {
  // Moving a link holds the rtnl lock for long; meanwhile writes to this file are started again over and
  // over.
  const auto end = trace(shell(
      "exec unshare --net sh -c '"
      "unshare --net sleep 20 & other=$!; sleep 0.3;"
      "(for i in 1 2 3 4 5; do ip link add a$i type veth peer name b$i; ip link set b$i netns $other; done;"
      " kill $other) &"
      "for i in $(seq 200); do echo $((i % 2)) >/proc/sys/net/ipv4/ip_forward; done; wait'"));
  REQUIRE(end.has_value());
  const auto writes = std::count_if(end->points.begin(), end->points.end(), [](const ChangePoint& point) {
    return point.call == "write" && point.target == "/proc/sys/net/ipv4/ip_forward";
  });
  CHECK(writes == 200);
}

TEST_CASE("netlink lookups are no change points, netlink changes are", "[trace]") {
  struct Case {
    const char* name;
    const char* script;
    std::vector<std::string> targets;
  };
  const Case cases[] = {
      {"a dump", "ip address show", {}},
      {"a new address", "ip address add 10.0.0.1/8 dev lo", {"route: RTM_NEWADDR"}},
      {"a refused removal", "ip address delete 10.0.0.1/8 dev lo || true", {"route: RTM_DELADDR"}},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const auto end = trace(shell(std::string("exec unshare --net sh -c '") + c.script + "'"));
      REQUIRE(end.has_value());
      std::vector<std::string> targets;
      for (const ChangePoint& point : end->points) {
        if (point.target.starts_with("route: ")) targets.push_back(point.target);
      }
      CHECK(targets == c.targets);
    }
  }
}

}  // namespace
}  // namespace holdfast::test
