#include "csi-nas/directories/remove_tree.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "csi-nas/directories/relative_path.h"
#include "test/catch.h"
#include "test/csi-nas/directories/trees.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;
using Method = EntryOpener::Method;

struct Scene {
  Status remove(const std::string& name, Method method = Method::kOpenat2) {
    const Fd parent = test::open_folder(share.root);
    return remove_tree(EntryOpener(method), parent.get(), name, progress, {});
  }
  holdfast::test::TemporaryFolder folder;
  test::Share share{folder.path()};
  Progress progress;
};

TEST_CASE_METHOD(Scene, "a tree is removed with all that is in it, and once more without an error", "[nas]") {
  for (const Method method : {Method::kOpenat2, Method::kByName}) {
    DYNAMIC_SECTION("method " << static_cast<int>(method)) {
      test::plant(share.root / "pvc-1", 40);
      test::write_file(share.root / "neighbour", "n");
      const std::size_t entries = test::told(share.root / "pvc-1").size() + 1;
      REQUIRE(remove("pvc-1", method));
      CHECK(test::told(share.root).size() == 1);
      CHECK(progress.entries == entries);
      CHECK(remove("pvc-1", method));
    }
  }
}

TEST_CASE_METHOD(Scene, "links are removed and what they point to stays", "[nas]") {
  for (const Method method : {Method::kOpenat2, Method::kByName}) {
    DYNAMIC_SECTION("method " << static_cast<int>(method)) {
      fs::create_directories(share.root / "pvc-1" / "a");
      fs::create_symlink(share.outside, share.root / "pvc-1" / "out");
      fs::create_symlink("../../../outside/folder", share.root / "pvc-1" / "a" / "out");
      fs::create_symlink("..", share.root / "pvc-1" / "a" / "up");
      fs::create_directory_symlink(share.outside, share.root / "pvc-2");
      CHECK(remove("pvc-1", method));
      CHECK(remove("pvc-2", method));
      CHECK(test::told(share.root).empty());
      CHECK(share.untouched());
    }
  }
}

TEST_CASE_METHOD(Scene, "names that nobody would choose are names as others", "[nas]") {
  const std::string names[] = {
      std::string(kMaxNameBytes, 'x'), "a\nb", " ", "-rf", "...", "\xff\xfe", "a\tb", "*", "0", "1"};
  const fs::path volume = share.root / "pvc-1";
  fs::create_directories(volume);
  for (const std::string& name : names) {
    fs::create_directories(volume / name / name / name);
    test::write_file(volume / name / name / "file", "x");
    test::write_file(volume / name / name / name / "file", "x");
  }
  const std::string newline = "pvc\n2";
  fs::rename(volume, share.root / newline);
  CHECK(remove(newline));
  CHECK(test::told(share.root).empty());
}

TEST_CASE_METHOD(Scene, "a path instead of a name is refused", "[nas]") {
  for (const char* name : {"..", ".", "", "../outside", "a/../../outside"}) {
    DYNAMIC_SECTION("'" << name << "'") {
      CHECK_FALSE(remove(name).has_value());
      CHECK(share.untouched());
    }
  }
}

TEST_CASE_METHOD(Scene, "a tree deeper than any path may be is removed with few descriptors", "[nas]") {
  constexpr int kLevels = 2000;
  test::plant_deep(share.root / "pvc-1", kLevels);
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit few{.rlim_cur = 32, .rlim_max = limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  const Status done = remove("pvc-1");
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(done);
  CHECK(test::told(share.root).empty());
}

TEST_CASE_METHOD(Scene, "nothing outside is touched while folders are exchanged for links", "[nas]") {
  for (const Method method : {Method::kOpenat2, Method::kByName}) {
    DYNAMIC_SECTION("method " << static_cast<int>(method)) {
      constexpr int kRounds = 60;
      for (int round = 0; round < kRounds; ++round) {
        const fs::path volume = share.root / "pvc-1";
        for (const char* name : {"a", "b", "c"}) {
          fs::create_directories(volume / "d" / name / "deeper");
          test::write_file(volume / "d" / name / "deeper" / "file", "x");
        }
        fs::create_symlink(share.outside / "folder", volume / "d" / "link");
        const Fd inside = test::open_folder(volume / "d");
        const Fd top = test::open_folder(volume);
        std::atomic<bool> ended = false;
        std::thread exchanger([&] {
          while (!ended) {
            for (const char* name : {"a", "b", "c"}) {
              ::renameat2(inside.get(), name, inside.get(), "link", RENAME_EXCHANGE);
              // Where they are moved up to.
              ::renameat2(top.get(), "0", inside.get(), "link", RENAME_EXCHANGE);
            }
          }
        });
        Status done = remove("pvc-1");
        ended = true;
        exchanger.join();
        if (!done) done = remove("pvc-1");
        REQUIRE(done);
        REQUIRE(share.untouched());
      }
    }
  }
}

}  // namespace
}  // namespace holdfast::nas
