#include "csi-nas/mounts/child_calls.h"

#include <fstream>

#include "csi-nas/nfs/child_messages.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::nas {
namespace {

using std::chrono::milliseconds;

/// A program in nascmd's place.
struct ChildScene {
  explicit ChildScene(const std::string& script) {
    std::ofstream(folder / "nascmd") << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(folder / "nascmd", std::filesystem::perms::owner_all);
  }
  holdfast::test::TemporaryFolder folder;
  ChildCalls calls{folder / "nascmd", "/kubelet"};
};

TEST_CASE("a child is told what to do in words, and its answer is the call's", "[nas]") {
  ChildScene scene(R"(printf 'ok\n'; printf '%s|' "$@" >"$(dirname "$0")/words")");
  const auto words = [&] {
    std::string line;
    std::getline(std::ifstream(scene.folder / "words"), line);
    return line;
  };
  constexpr milliseconds kLong{20000};
  REQUIRE(scene.calls
              .mount("s", {.source = "nas:/a b", .options = {.flags = 1, .data = "vers=3"}, .target = "/t"},
                     kLong)
              .has_value());
  CHECK(words() == "/kubelet|mount|nas:/a b|1|vers=3|/t|");
  REQUIRE(scene.calls.make_folder("s", {.source = "nas:/", .options = {}, .at = "/t", .path = "a"}, kLong)
              .has_value());
  CHECK(words() == "/kubelet|make-folder|nas:/|0||/t|a|");
  REQUIRE(scene.calls
              .bind("s",
                    {.source = "/s", .part = "p", .target = "/t", .read_only = true, .make_parents = false},
                    kLong)
              .has_value());
  CHECK(words() == "/kubelet|bind|/s|p|/t|ro|none|");
  REQUIRE(
      scene.calls.unmount("s", {.target = "/t", .how = Unmount::kLazily, .remove = true}, kLong).has_value());
  CHECK(words() == "/kubelet|unmount|/t|lazily|remove|");
  REQUIRE(scene.calls.set_mode("s", "/t", 0755, kLong).has_value());
  CHECK(words() == "/kubelet|set-mode|/t|493|");
  CHECK(scene.calls.resolve("nas", kLong).value().empty());
  CHECK(scene.calls.look("s", "/t", kLong).error().code == Code::kInternal);
}

TEST_CASE("a usage is read in its order", "[nas]") {
  ChildScene scene(R"(printf 'ok\n1 2 3 4 5 6')");
  const auto usage = scene.calls.look("s", "/t", milliseconds(20000)).value();
  CHECK(usage == block::VolumeUsage{.total_bytes = 1,
                                    .available_bytes = 2,
                                    .used_bytes = 3,
                                    .total_inodes = 4,
                                    .available_inodes = 5,
                                    .used_inodes = 6});
}

TEST_CASE("a child's error is the call's, and one without an answer may be asked again", "[nas]") {
  ChildScene fails(R"(printf '5 2\nmount nas:/a: No such file or directory'; exit 1)");
  const Status failed = fails.calls.set_mode("s", "/t", 0, milliseconds(20000));
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code == Code::kNotFound);
  CHECK(failed.error().sys_errno == 2);
  CHECK(failed.error().message == "mount nas:/a: No such file or directory");
  ChildScene dies("kill -9 $$");
  CHECK(dies.calls.set_mode("s", "/t", 0, milliseconds(20000)).error().code == Code::kUnavailable);
}

TEST_CASE("a child that is late is killed, and nothing of it is left", "[nas]") {
  ChildScene scene("exec sleep 100");
  const auto begin = std::chrono::steady_clock::now();
  const Status late = scene.calls.set_mode("10.0.0.5:2049", "/t", 0, milliseconds(50));
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == Code::kDeadlineExceeded);
  CHECK(late.error().message.find("10.0.0.5:2049 has not answered within 50 ms") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  CHECK(scene.calls.stuck() == 0);
  CHECK_FALSE(ChildCalls("/none/nascmd", "/kubelet").resolve("a", milliseconds(50)).has_value());
}

TEST_CASE("answers are read as they are written", "[nas]") {
  CHECK(read_answer_of_child(write_answer(std::string("a\nb")), "look").value() == "a\nb");
  const Result<std::string> failed = fail_errno(ESTALE, "open /t");
  const auto read = read_answer_of_child(write_answer(failed), "bind");
  CHECK(read.error().sys_errno == ESTALE);
  CHECK(read.error().message == failed.error().message);
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
    CHECK(read_answer_of_child(text, "bind").error().code == Code::kUnavailable);
  }
}

}  // namespace
}  // namespace holdfast::nas
