#include "csi-nas/mounts/child_calls.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "csi-nas/nfs/child_messages.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{20000};

/// A program in nascmd's place: a shell that takes calls, and has the words of the last in the file `words`,
/// and what it is told to do then. `pids` has a line for each call.
struct ChildScene {
  explicit ChildScene(const std::string& script) {
    std::ofstream(folder / "nascmd") << "#!/bin/sh\ncd " << folder.path().native() << R"(
printf '%s|' "$@" >arguments
while :; do
  dd bs=65536 count=1 2>/dev/null | tr '\0' '|' >taken.$$
  [ -s taken.$$ ] || exit 0
  mv taken.$$ words
  echo $$ >>pids
)" << script << "\ndone\n";
    std::filesystem::permissions(folder / "nascmd", std::filesystem::perms::owner_all);
  }
  [[nodiscard]] std::vector<std::string> lines(const char* file) const {
    std::vector<std::string> out;
    std::ifstream in(folder / file);
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
  Status call(const std::string& server, milliseconds patience = kLong) {
    return calls.set_mode(server, "/t", 0, patience);
  }
  holdfast::test::TemporaryFolder folder;
  ChildCalls calls{folder / "nascmd", "/kubelet"};
};

bool lives(const std::string& pid) { return ::kill(std::stoi(pid), 0) == 0; }

TEST_CASE("a child is told what to do in words, and its answer is the call's", "[nas]") {
  ChildScene scene(R"(printf 'ok\n')");
  const auto words = [&] { return scene.lines("words").at(0); };
  REQUIRE(scene.calls
              .mount("s", {.source = "nas:/a b", .options = {.flags = 1, .data = "vers=3"}, .target = "/t"},
                     kLong)
              .has_value());
  CHECK(words() == "mount|nas:/a b|1|vers=3|/t|");
  CHECK(scene.lines("arguments").at(0) == "/kubelet|s|");
  REQUIRE(scene.calls.make_folder("s", {.source = "nas:/", .options = {}, .at = "/t", .path = "a"}, kLong)
              .has_value());
  CHECK(words() == "make-folder|nas:/|0||/t|a|");
  REQUIRE(scene.calls
              .bind("s",
                    {.source = "/s", .part = "p", .target = "/t", .read_only = true, .make_parents = false},
                    kLong)
              .has_value());
  CHECK(words() == "bind|/s|p|/t|ro|none|");
  REQUIRE(
      scene.calls.unmount("s", {.target = "/t", .how = Unmount::kLazily, .remove = true}, kLong).has_value());
  CHECK(words() == "unmount|/t|lazily|remove|");
  REQUIRE(scene.calls.set_mode("s", "/t", 0755, kLong).has_value());
  CHECK(words() == "set-mode|/t|493|");
  CHECK(scene.calls.resolve("nas", kLong).value().empty());
  CHECK(scene.calls.look("s", "/t", kLong).error().code == Code::kInternal);
  const BindRequest with_zero{.source = "/s", .part = std::string("a\0b", 3), .target = "/t"};
  CHECK(scene.calls.bind("s", with_zero, kLong).error().code == Code::kInvalidArgument);
}

TEST_CASE("a server's child stays for its next call, and ends when there is none", "[nas]") {
  ChildScene scene(R"(printf 'ok\n')");
  for (const char* server : {"s", "s", "t", "s"}) REQUIRE(scene.call(server).has_value());
  const auto pids = scene.lines("pids");
  CHECK(pids.at(1) == pids.at(0));
  CHECK(pids.at(2) != pids.at(0));
  CHECK(pids.at(3) == pids.at(0));
  // What changes the process, or never waits for a server, is done by a child of its own.
  REQUIRE(scene.calls.make_folder("s", {.source = "nas:/", .options = {}, .at = "/t", .path = "a"}, kLong)
              .has_value());
  REQUIRE(
      scene.calls.unmount("s", {.target = "/t", .how = Unmount::kLazily, .remove = true}, kLong).has_value());
  CHECK(scene.lines("pids").at(4) != pids.at(0));
  CHECK(scene.lines("pids").at(5) != pids.at(0));
  scene.calls.reap();
  CHECK(lives(pids.at(0)));
  while (lives(pids.at(0)) || lives(pids.at(2))) scene.calls.reap(std::chrono::seconds(0));
  REQUIRE(scene.call("s").has_value());
}

TEST_CASE("a child that was ended while it had nothing to do is replaced", "[nas]") {
  ChildScene scene(R"(printf 'ok\n'; exit 0)");
  for (int i = 0; i < 20; ++i) REQUIRE(scene.call("s").has_value());
  CHECK(scene.lines("pids").size() == 20);
}

TEST_CASE("many threads have a server's calls done at once", "[nas]") {
  ChildScene scene(R"(printf 'ok\n')");
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) done += scene.call("s").has_value() ? 1 : 0;
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(done == 40);
  CHECK(scene.calls.stuck() == 0);
}

TEST_CASE("a usage is read in its order", "[nas]") {
  ChildScene scene(R"(printf 'ok\n1 2 3 4 5 6')");
  const auto usage = scene.calls.look("s", "/t", kLong).value();
  CHECK(usage == block::VolumeUsage{.total_bytes = 1,
                                    .available_bytes = 2,
                                    .used_bytes = 3,
                                    .total_inodes = 4,
                                    .available_inodes = 5,
                                    .used_inodes = 6});
}

TEST_CASE("a child's error is the call's, and one without an answer may be asked again", "[nas]") {
  ChildScene fails(R"(printf '5 2\nmount nas:/a: No such file or directory')");
  const Status failed = fails.call("s");
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == Code::kNotFound);
  CHECK(failed.error().sys_errno == 2);
  CHECK(failed.error().message == "mount nas:/a: No such file or directory");
  ChildScene dies("kill -9 $$");
  CHECK(dies.call("s").error().code == Code::kUnavailable);
}

TEST_CASE("a child that is late is killed, and nothing of it is left", "[nas]") {
  ChildScene scene("[ -e go ] || exec sleep 100; printf 'ok\\n'");
  const auto begin = std::chrono::steady_clock::now();
  const Status late = scene.call("10.0.0.5:2049", milliseconds(50));
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == Code::kDeadlineExceeded);
  CHECK(late.error().message.find("10.0.0.5:2049 has not answered within 50 ms") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  CHECK(scene.calls.stuck() == 0);
  std::ofstream(scene.folder / "go").flush();
  CHECK(scene.call("10.0.0.5:2049").has_value());
  CHECK(scene.call("10.0.0.5:2049", milliseconds(0)).error().code == Code::kDeadlineExceeded);
  CHECK_FALSE(ChildCalls("/none/nascmd", "/kubelet").resolve("a", milliseconds(50)).has_value());
}

/// Mounts as soon as there is a file `go`; all else at once.
struct SlowScene : ChildScene {
  explicit SlowScene(const std::string& answer)
      : ChildScene("case $(cat words) in mount*) while ! [ -e go ]; do sleep 0.02; done; printf '" + answer +
                   "';; *) printf 'ok\\n';; esac") {}
  Status mount(milliseconds patience) {
    return calls.mount("s", {.source = "nas:/a", .options = {}, .target = "/shared"}, patience);
  }
  void refuses(const Status& done, Code code) {
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == code);
  }
  void go() const { std::ofstream(folder / "go").flush(); }
};

TEST_CASE("mounting goes on after the caller was answered, and whoever asks again waits for it", "[nas]") {
  SlowScene scene("ok\\n");
  for (int again = 0; again < 3; ++again) {
    scene.refuses(scene.mount(milliseconds(200)), Code::kDeadlineExceeded);
    CHECK(scene.calls.is_under_way("/shared"));
  }
  CHECK_FALSE(scene.calls.is_under_way("/other"));
  scene.refuses(scene.call("s"), Code::kUnavailable);
  CHECK(scene.call("t").has_value());
  scene.go();
  REQUIRE(scene.mount(kLong).has_value());
  CHECK_FALSE(scene.calls.is_under_way("/shared"));
  CHECK(scene.lines("pids").size() == 2);
  REQUIRE(scene.call("s").has_value());
}

TEST_CASE("what a mount that went on came to is told to who asks next", "[nas]") {
  SlowScene scene("5 2\\nno such share");
  scene.refuses(scene.mount(milliseconds(200)), Code::kDeadlineExceeded);
  scene.go();
  while (!scene.call("s")) std::this_thread::sleep_for(milliseconds(10));
  const auto before = scene.lines("pids").size();
  scene.refuses(scene.mount(kLong), Code::kNotFound);
  CHECK(scene.lines("pids").size() == before);
  scene.refuses(scene.mount(kLong), Code::kNotFound);
  CHECK(scene.lines("pids").size() == before + 1);
}

TEST_CASE("a mount that goes on is given up when its server is dead, or when another takes its place",
          "[nas]") {
  SlowScene scene("ok\\n");
  scene.refuses(scene.mount(milliseconds(200)), Code::kDeadlineExceeded);
  scene.calls.give_up([](const std::string& server) { return server != "s"; });
  CHECK(scene.calls.is_under_way("/shared"));
  scene.calls.give_up([](const std::string& server) { return server == "s"; });
  CHECK_FALSE(scene.calls.is_under_way("/shared"));
  while (scene.calls.stuck() != 0) scene.calls.reap();
  scene.refuses(scene.mount(milliseconds(200)), Code::kDeadlineExceeded);
  scene.go();
  REQUIRE(
      scene.calls.mount("t", {.source = "nas:/a", .options = {}, .target = "/shared"}, kLong).has_value());
  CHECK_FALSE(scene.calls.is_under_way("/shared"));
}

/// Unmounts lazily as soon as there is a file `go`; all else at once.
struct SlowUnmounts : ChildScene {
  SlowUnmounts()
      : ChildScene(
            "case $(cat words) in *lazily*) while ! [ -e go ]; do sleep 0.02; done;; esac; printf 'ok\\n'") {}
  Status detach(const std::string& target, milliseconds patience = kLong) {
    return calls.unmount("s", {.target = target, .how = Unmount::kLazily, .remove = true}, patience);
  }
  [[nodiscard]] std::size_t made() const { return lines("pids").size(); }
  void go() const { std::ofstream(folder / "go").flush(); }
};

TEST_CASE("a lazy unmount that is late goes on, and whoever asks again waits for it", "[nas]") {
  SlowUnmounts scene;
  for (int again = 0; again < 3; ++again) {
    const Status late = scene.detach("/a", milliseconds(200));
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == Code::kDeadlineExceeded);
    CHECK(late.error().message.starts_with("unmount: it has not ended within 200 ms"));
    CHECK(scene.calls.is_under_way("/a"));
    CHECK(scene.made() == 1);
  }
  CHECK_FALSE(scene.calls.is_under_way("/b"));
  CHECK(scene.call("s").has_value());
  CHECK_FALSE(scene.detach("/b", milliseconds(200)).has_value());
  const Status other = scene.calls.unmount("s", {.target = "/a", .how = Unmount::kLazily}, kLong);
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().message.starts_with("/a is being unmounted for "));
  scene.go();
  const auto made = scene.made();
  REQUIRE(scene.detach("/a").has_value());
  CHECK(scene.made() == made);
  while (scene.calls.is_under_way("/b")) std::this_thread::sleep_for(milliseconds(10));
  CHECK_FALSE(scene.calls.is_under_way("/a"));
  CHECK(scene.calls.stuck() == 0);
}

TEST_CASE("a lazy unmount is made anew where an earlier one has ended by itself, by the child that is there",
          "[nas]") {
  SlowUnmounts scene;
  CHECK_FALSE(scene.detach("/a", milliseconds(200)).has_value());
  scene.go();
  while (scene.calls.is_under_way("/a")) std::this_thread::sleep_for(milliseconds(10));
  for (const char* target : {"/a", "/b", "/a"}) REQUIRE(scene.detach(target).has_value());
  const auto pids = scene.lines("pids");
  REQUIRE(pids.size() == 4);
  CHECK(pids.at(2) == pids.at(1));
  CHECK(pids.at(3) == pids.at(1));
}

TEST_CASE("answers are read as they are written", "[nas]") {
  CHECK(read_answer(write_answer(std::string("a\nb")), "look").value() == "a\nb");
  const Result<std::string> failed = fail_errno(ESTALE, "open /t");
  const auto read = read_answer(write_answer(failed), "bind");
  CHECK(read.error().sys_errno == ESTALE);
  CHECK(read.error().message == failed.error().message);
  const std::vector<std::string> words{"bind", "", "a b", ""};
  CHECK(read_words(write_words(words).value()) == words);
  CHECK(read_words("").empty());
  CHECK(write_words({}).error().code == Code::kInvalidArgument);
  const std::vector<std::string> long_one{std::string(kMostMessageBytes, 'x')};
  CHECK(write_words(long_one).error().code == Code::kInvalidArgument);
  CHECK(write_answer(fail(Code::kInternal, long_one.front())).size() == kMostMessageBytes);
  const block::VolumeUsage usage{.total_bytes = 1,
                                 .available_bytes = 2,
                                 .used_bytes = 3,
                                 .total_inodes = 4,
                                 .available_inodes = 5,
                                 .used_inodes = 6};
  CHECK(read_usage(write_usage(usage)).value() == usage);
  for (const char* text : {"", "1 2 3 4 5", "1 2 3 4 5 6 7", "1 2 3 4 5 -6", "1 2 3 4 5 x"}) {
    CHECK(read_usage(text).error().code == Code::kInternal);
  }
  for (const char* text : {"", "okay\n", "0 0\n", "99 0\n", "5 x\n", "5\n"}) {
    CHECK(read_answer(text, "bind").error().code == Code::kUnavailable);
  }
}

}  // namespace
}  // namespace holdfast::nas
