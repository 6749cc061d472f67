#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "csi-nas/directories/copy_tree.h"
#include "csi-nas/directories/directory_order.h"
#include "csi-nas/directories/relative_path.h"
#include "csi-nas/directories/remove_tree.h"
#include "test/catch.h"
#include "test/csi-nas/directories/trees.h"
#include "test/mount/fresh_mounts.h"
#include "test/tools/syscall_trace.h"

// What needs root: other owners, devices, mounts in a tree; and what needs a quick file system.
namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;
using Method = EntryOpener::Method;
using SteadyClock = std::chrono::steady_clock;

constexpr const char* kStamp = "20261121T231500Z";

struct Scene {
  holdfast::test::FreshMounts mounts;
  test::Share share{holdfast::test::FreshMounts::folder("nas")};
  Progress progress;

  Status remove(const std::string& name, Method method = Method::kOpenat2) {
    return remove_tree(EntryOpener(method), test::open_folder(share.root).get(), name, progress, {});
  }
  Status copy(const std::string& from, const std::string& to) {
    fs::create_directories(share.root / to);
    fs::create_directories(share.root / "links");
    const Fd source = test::open_folder(share.root / from);
    const Fd target = test::open_folder(share.root / to);
    const Fd links = test::open_folder(share.root / "links");
    return copy_tree(EntryOpener(), {.source = source.get(), .target = target.get(), .links = links.get()},
                     progress, {});
  }
};

TEST_CASE_METHOD(Scene, "What is mounted in a tree is neither removed nor copied", "[nas]") {
  for (const Method method : {Method::kOpenat2, Method::kByName}) {
    DYNAMIC_SECTION("method " << static_cast<int>(method)) {
      const fs::path volume = share.root / "pvc-1";
      fs::create_directories(volume / "a" / "inner");
      fs::create_directories(volume / "a" / "bound");
      test::write_file(volume / "a" / "file", "x");
      // One of another file system and one of the same, which only the mount's number tells apart.
      REQUIRE(::mount("t", (volume / "a" / "inner").c_str(), "tmpfs", 0, nullptr) == 0);
      REQUIRE(::mount((share.outside).c_str(), (volume / "a" / "bound").c_str(), nullptr, MS_BIND, nullptr) ==
              0);
      test::write_file(volume / "a" / "inner" / "kept", "x");

      const Status copied = copy("pvc-1", "copy");
      REQUIRE_FALSE(copied.has_value());
      CHECK(copied.error().code == Code::kFailedPrecondition);
      const Status done = remove("pvc-1", method);
      REQUIRE_FALSE(done.has_value());
      INFO(done.error().message);
      CHECK(done.error().sys_errno == EBUSY);
      CHECK(share.untouched());
      CHECK(fs::exists(volume / "a" / "inner" / "kept"));
      CHECK_FALSE(fs::exists(volume / "a" / "file"));

      REQUIRE(::umount((volume / "a" / "inner").c_str()) == 0);
      REQUIRE(::umount((volume / "a" / "bound").c_str()) == 0);
      CHECK(remove("pvc-1", method));
      CHECK(share.untouched());
    }
  }
}

TEST_CASE_METHOD(Scene, "A copy that does not fit leaves nothing behind, and fits when there is room",
                 "[nas]") {
  const fs::path small = share.root / "small";
  fs::create_directory(small);
  REQUIRE(::mount("t", small.c_str(), "tmpfs", 0, "size=1m") == 0);
  DirectoryOrder order{.mounted_at = small, .directory = "source", .owner = "pv-1", .holder = "h1"};
  REQUIRE(carry_out(order, progress, {}));
  test::write_file(small / "source" / "big", std::string(700'000, 'x'));
  order.verb = DirectoryVerb::kCopy;
  order.directory = "copy";
  order.owner = "pv-2";
  order.source = "source";
  const auto copied = carry_out(order, progress, {});
  REQUIRE_FALSE(copied.has_value());
  CHECK(copied.error().code == Code::kResourceExhausted);
  CHECK(copied.error().sys_errno == 0);
  CHECK(std::distance(fs::directory_iterator(small / ".holdfast"), {}) == 1);
  CHECK(std::distance(fs::directory_iterator(small / ".holdfast/claims"), {}) == 1);
  REQUIRE(::mount(nullptr, small.c_str(), nullptr, MS_REMOUNT, "size=4m") == 0);
  REQUIRE(carry_out(order, progress, {}));
  REQUIRE(::umount(small.c_str()) == 0);
}

TEST_CASE_METHOD(Scene, "A copy that may not set owners leaves nothing behind, and names the cure", "[nas]") {
  constexpr uid_t kNobody = 1234;
  const auto as_nobody = [&](const DirectoryOrder& order) {
    REQUIRE(::seteuid(kNobody) == 0);
    auto done = carry_out(order, progress, {});
    REQUIRE(::seteuid(0) == 0);
    return done;
  };
  fs::permissions(share.root, fs::perms::all);
  DirectoryOrder order{.mounted_at = share.root, .directory = "source", .owner = "pv-1", .holder = "h1"};
  REQUIRE(as_nobody(order));
  test::write_file(share.root / "source" / "big", std::string(100'000, 'x'));
  order.verb = DirectoryVerb::kCopy;
  order.directory = "copy";
  order.owner = "pv-2";
  order.source = "source";
  const auto copied = as_nobody(order);
  REQUIRE_FALSE(copied.has_value());
  CHECK(copied.error().code == Code::kPermissionDenied);
  CHECK(copied.error().sys_errno == 0);
  CHECK(copied.error().message.find("no_root_squash") != std::string::npos);
  CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast"), {}) == 1);
  CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast/claims"), {}) == 1);
}

TEST_CASE_METHOD(Scene, "No mount is entered on the way to a folder", "[nas]") {
  fs::create_directories(share.root / "bound" / "volume");
  REQUIRE(::mount(share.outside.c_str(), (share.root / "bound").c_str(), nullptr, MS_BIND, nullptr) == 0);
  for (const Method method : {Method::kOpenat2, Method::kByName}) {
    const auto root = ShareRoot::open(share.root, EntryOpener(method));
    REQUIRE(root);
    const auto found = root->find_folder("bound/folder");
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Code::kFailedPrecondition);
    CHECK_FALSE(root->make_folders("bound/new", 0755).has_value());
    CHECK_FALSE(fs::exists(share.outside / "new"));
  }
  REQUIRE(::umount((share.root / "bound").c_str()) == 0);
}

TEST_CASE_METHOD(Scene, "Owners, devices and attributes of the system are copied", "[nas]") {
  const fs::path from = share.root / "from";
  fs::create_directories(from / "d");
  test::write_file(from / "d" / "f", "x");
  fs::create_symlink("nowhere", from / "link");
  REQUIRE(::mknod((from / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
  for (const char* name : {"d", "d/f", "link", "null"}) {
    REQUIRE(::lchown((from / name).c_str(), 1234, 4321) == 0);
  }
  fs::permissions(from / "d" / "f", fs::perms::set_uid | fs::perms::owner_all);
  fs::permissions(from / "d", fs::perms::none);
  REQUIRE(copy("from", "to"));
  CHECK(test::told(share.root / "to") == test::told(from));
  struct stat info {};
  REQUIRE(::stat((share.root / "to" / "null").c_str(), &info) == 0);
  CHECK(info.st_rdev == makedev(1, 3));
}

TEST_CASE_METHOD(Scene, "A tree of 100,000 files is removed in bounded memory", "[nas]") {
  constexpr int kFolders = 100;
  constexpr int kFilesEach = 1000;
  for (int i = 0; i < kFolders; ++i) {
    const fs::path below = share.root / "pvc-1" / std::to_string(i);
    fs::create_directories(below);
    const Fd folder = test::open_folder(below);
    for (int j = 0; j < kFilesEach; ++j) {
      REQUIRE(::mknodat(folder.get(), ("f" + std::to_string(j)).c_str(), S_IFREG | 0600, 0) == 0);
    }
  }
  const auto begin = SteadyClock::now();
  REQUIRE(remove("pvc-1"));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - begin);
  CHECK(progress.entries == kFolders * kFilesEach + kFolders + 1);
  std::cout << "removed " << progress.entries << " entries in " << took.count() << " ms\n";
}

// ---- killed at every change ----

struct Kills : Scene {
  /// HOLDFAST_NAS_KILLS=1000: a tree of so many files, and every change; 1000/7: every seventh of them; else
  /// a small tree and some of them.
  Kills() {
    const char* const told = std::getenv("HOLDFAST_NAS_KILLS");
    if (told == nullptr) return;
    char* rest = nullptr;
    files = static_cast<int>(std::strtol(told, &rest, 10));
    every = *rest == '/' ? std::strtoul(rest + 1, nullptr, 10) : 1;
    REQUIRE((files > 0 && every > 0));
  }
  static DirectoryOrder order(DirectoryVerb verb, const fs::path& root) {
    return {.verb = verb,
            .mounted_at = root,
            .directory = "pvc-1",
            .owner = "pv-1",
            .source = verb == DirectoryVerb::kCopy ? "source" : "",
            .stamp = verb == DirectoryVerb::kArchive ? kStamp : "",
            .holder = "h1"};
  }
  [[nodiscard]] holdfast::test::TraceRequest request(const DirectoryOrder& order) const {
    const std::string record = share.root.parent_path() / "record";
    holdfast::test::TraceRequest request{
        .argv = {"/bin/sh", "-c", "exec \"$0\" \"$@\" 3<>" + record, NAS_DIRECTORIES},
        // LeakSanitizer does not work under ptrace.
        .env = {"ASAN_OPTIONS=detect_leaks=0"},
        .kill_at = {},
        .before_kill = {}};
    for (std::string& word : to_words(order)) request.argv.push_back(std::move(word));
    return request;
  }
  Result<std::string> finish(const DirectoryOrder& order) {
    Progress ignored;
    return carry_out(order, ignored, {});
  }
  void plant(const fs::path& folder) {
    test::plant(folder, files);
    test::plant_hostile(folder / "hostile", share.outside / "folder");
  }
  /// Puts the share in the state that the verb begins from.
  void prepare(DirectoryVerb verb) {
    fs::remove_all(share.root);
    fs::create_directory(share.root);
    if (verb == DirectoryVerb::kCopy) plant(share.root / "source");
    if (verb == DirectoryVerb::kMake || verb == DirectoryVerb::kCopy) return;
    REQUIRE(finish(order(DirectoryVerb::kMake, share.root)));
    plant(share.root / "pvc-1");
  }
  /// Calls `check` after each kill and the second call that follows it.
  void kill_everywhere(DirectoryVerb verb, const std::function<void(const std::string& answer)>& check) {
    const DirectoryOrder wanted = order(verb, share.root);
    prepare(verb);
    const auto whole = holdfast::test::trace(request(wanted));
    REQUIRE(whole);
    REQUIRE(whole->exit_code == 0);
    const std::size_t points = whole->points.size();
    constexpr std::size_t kSome = 9;
    const std::size_t step = every != 0 ? every : points / kSome + 1;
    std::size_t kills = 0;
    for (std::size_t number = 1; number <= points; number += step) {
      prepare(verb);
      holdfast::test::TraceRequest killed = request(wanted);
      killed.kill_at = holdfast::test::KillAt{.number = number, .after = number == points};
      const auto end = holdfast::test::trace(killed);
      REQUIRE(end);
      if (!end->killed) {
        // Words about the progress are changes too, and come by the clock: this life had fewer of them.
        REQUIRE(end->exit_code == 0);
        break;
      }
      INFO("killed at " << number << " of " << points << ": " << end->points.back().call << " "
                        << end->points.back().target);
      const auto answer = finish(wanted);
      REQUIRE(answer);
      check(*answer);
      CHECK(share.untouched());
      CHECK(fs::directory_iterator(share.root / ".holdfast")->path().filename() == "claims");
      CHECK(std::distance(fs::directory_iterator(share.root / ".holdfast"), {}) == 1);
      ++kills;
    }
    CHECK(kills >= std::min(points / step, kSome) / 2);
    std::cout << to_string(verb) << ": " << files << " files, " << points << " changes, " << kills
              << " kills\n";
  }
  int files = 12;
  std::size_t every = 0;  ///< 0: some
};

TEST_CASE_METHOD(Kills, "A removal that was killed anywhere finishes when it is asked again", "[nas]") {
  kill_everywhere(DirectoryVerb::kRemove,
                  [this](const std::string&) { CHECK(test::told(share.root).empty()); });
}

TEST_CASE_METHOD(Kills, "An archive that was killed anywhere is made once and told the same", "[nas]") {
  kill_everywhere(DirectoryVerb::kArchive, [this](const std::string& answer) {
    CHECK(answer == std::string("archived-pvc-1-") + kStamp);
    const auto tree = test::told(share.root);
    CHECK(tree.size() == test::told(share.root / answer).size() + 1);
    CHECK(tree.count(answer + "/d0/f0") == 1);
  });
}

/// At each change of one machine's work another does all of it, and the directory becomes a new volume's;
/// then the first goes on.
TEST_CASE_METHOD(Kills, "A machine that was held up anywhere does nothing to the next volume of the name",
                 "[nas]") {
  const DirectoryVerb verb =
      GENERATE(DirectoryVerb::kRemove, DirectoryVerb::kArchive, DirectoryVerb::kRetain);
  const DirectoryOrder late = order(verb, share.root);
  DirectoryOrder other = late;
  other.holder = "h2";
  // What is retained is nobody's for good: who is to have the name removes it by hand.
  const bool reused = verb != DirectoryVerb::kRetain;
  DirectoryOrder next = order(DirectoryVerb::kMake, share.root);
  next.owner = "pv-2";
  files = 2;
  for (std::size_t number = 1, points = 1; number <= points; ++number) {
    prepare(verb);
    holdfast::test::TraceRequest held_up = request(late);
    held_up.on_point = [&](const auto& /*stretch*/, std::size_t at, const auto& /*point*/) {
      if (at != number) return;
      REQUIRE(finish(other));
      if (!reused) return;
      REQUIRE(finish(next));
      test::write_file(share.root / "pvc-1/precious", "data");
    };
    const auto end = holdfast::test::trace(held_up);
    REQUIRE(end);
    points = std::max(points, end->points.size());
    if (end->points.size() < number) break;
    INFO("held up at " << number << ": " << end->points[number - 1].call << " "
                       << end->points[number - 1].target);
    CHECK(share.untouched());
    if (!reused) continue;
    CHECK(test::read_file(share.root / "pvc-1/precious") == "data");
    DirectoryOrder again = order(DirectoryVerb::kRemove, share.root);
    REQUIRE(finish(again));
    CHECK(test::read_file(share.root / "pvc-1/precious") == "data");
    again.owner = "pv-2";
    REQUIRE(finish(again));
    CHECK_FALSE(fs::exists(share.root / "pvc-1"));
  }
}

TEST_CASE_METHOD(Kills, "A volume whose keeping was killed anywhere is kept", "[nas]") {
  kill_everywhere(DirectoryVerb::kRetain, [this](const std::string&) {
    CHECK(fs::exists(share.root / "pvc-1/d0/f0"));
    const auto claims = fs::directory_iterator(share.root / ".holdfast/claims");
    CHECK(fs::read_symlink(claims->path()) == "retained pv-1");
  });
}

TEST_CASE_METHOD(Kills, "A volume whose making was killed anywhere is made", "[nas]") {
  kill_everywhere(DirectoryVerb::kMake, [this](const std::string&) {
    CHECK(fs::status(share.root / "pvc-1").permissions() == fs::perms::all);
    CHECK(test::told(share.root).size() == 1);
  });
}

TEST_CASE_METHOD(Kills, "A copy that was killed anywhere becomes like its source", "[nas]") {
  kill_everywhere(DirectoryVerb::kCopy, [this](const std::string&) {
    CHECK(test::told(share.root / "pvc-1") == test::told(share.root / "source"));
  });
}

}  // namespace
}  // namespace holdfast::nas
