#include "csi-nas/directories/copy_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "csi-nas/directories/relative_path.h"
#include "csi-nas/directories/remove_tree.h"
#include "test/catch.h"
#include "test/csi-nas/directories/trees.h"

namespace holdfast::nas {
namespace {

namespace fs = std::filesystem;

struct Scene {
  Scene() {
    for (const char* name : {"from", "to", "links"}) fs::create_directory(share.root / name);
  }
  Status copy() {
    const Fd source = test::open_folder(from);
    const Fd target = test::open_folder(to);
    const Fd links = test::open_folder(share.root / "links");
    progress = {};
    return copy_tree(EntryOpener(), {.source = source.get(), .target = target.get(), .links = links.get()},
                     progress, {});
  }
  [[nodiscard]] ino_t inode(const fs::path& path) const {
    struct stat info {};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    return info.st_ino;
  }

  holdfast::test::TemporaryFolder folder;
  test::Share share{folder.path()};
  fs::path from = share.root / "from";
  fs::path to = share.root / "to";
  Progress progress;
};

TEST_CASE_METHOD(Scene, "a copy is like its source in all that is told of files", "[nas]") {
  test::plant(from, 40);
  test::write_file(from / "setuid", "x");
  fs::permissions(from / "setuid", fs::perms::set_uid | fs::perms::owner_all);
  fs::permissions(from / "d1", fs::perms::owner_all | fs::perms::sticky_bit | fs::perms::others_all);
  REQUIRE(::mkfifo((from / "pipe").c_str(), 0640) == 0);
  fs::create_symlink(share.outside, from / "out");
  const std::string newline = "new\nline";
  test::write_file(from / newline, "n");
  test::write_file(from / std::string(kMaxNameBytes, 'x'), "long");
  const timespec times[2] = {{1000000000, 5}, {1000000001, 7}};
  REQUIRE(::utimensat(AT_FDCWD, (from / "d0").c_str(), times, 0) == 0);

  REQUIRE(copy());
  CHECK(test::told(to) == test::told(from));
  CHECK(share.untouched());
  CHECK(progress.entries == test::told(from).size() + 1);
}

TEST_CASE_METHOD(Scene, "a second copy copies nothing that is whole, and mends what is not", "[nas]") {
  test::plant(from, 20);
  REQUIRE(copy());
  const ino_t whole = inode(to / "d0" / "f0");
  test::write_file(to / "d0" / "f1", "content 1");  // all of it, but its time is not set
  fs::remove_all(to / "d1");
  test::write_file(to / "d1", "a file where a folder was");
  fs::remove(to / "d0" / "f6");
  fs::create_directory(to / "d0" / "f6");
  REQUIRE(copy());
  CHECK(test::told(to) == test::told(from));
  CHECK(inode(to / "d0" / "f0") == whole);
}

TEST_CASE_METHOD(Scene, "hard links within the tree stay links, also when the copy was cut off between them",
                 "[nas]") {
  for (const char* name : {"a", "b"}) fs::create_directory(from / name);
  test::write_file(from / "a" / "one", "same");
  fs::create_hard_link(from / "a" / "one", from / "b" / "two");
  fs::create_hard_link(from / "a" / "one", share.root / "beyond");
  REQUIRE(copy());
  CHECK(inode(to / "a" / "one") == inode(to / "b" / "two"));

  fs::remove(to / "b" / "two");
  REQUIRE(copy());
  CHECK(inode(to / "a" / "one") == inode(to / "b" / "two"));

  // A file that another took the number of is no copy of it.
  test::write_file(from / "a" / "one", "other content");
  REQUIRE(copy());
  CHECK(test::read_file(to / "b" / "two") == "other content");
  CHECK(inode(to / "a" / "one") == inode(to / "b" / "two"));
}

TEST_CASE_METHOD(Scene, "holes stay holes, and runs of zeros become some where none are told", "[nas]") {
  constexpr off_t kMiB = 1 << 20;
  const Fd file(::open((from / "sparse").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  REQUIRE(::pwrite(file.get(), "begin", 5, 0) == 5);
  REQUIRE(::pwrite(file.get(), "middle", 6, 3 * kMiB) == 6);
  REQUIRE(::ftruncate(file.get(), 8 * kMiB) == 0);
  REQUIRE(copy());
  struct stat info {};
  REQUIRE(::stat((to / "sparse").c_str(), &info) == 0);
  CHECK(info.st_size == 8 * kMiB);
  CHECK(info.st_blocks * 512 < kMiB);
  const std::string content = test::read_file(to / "sparse");
  CHECK(content.substr(0, 5) == "begin");
  CHECK(content.substr(3 * kMiB, 6) == "middle");
  CHECK(content == test::read_file(from / "sparse"));
}

TEST_CASE_METHOD(Scene, "attributes of files and folders are copied where the file system takes them",
                 "[nas]") {
  fs::create_directory(from / "d");
  test::write_file(from / "d" / "f", "x");
  if (::setxattr((from / "d" / "f").c_str(), "user.colour", "blue", 4, 0) != 0) {
    WARN("this file system has no user attributes");
    return;
  }
  REQUIRE(::setxattr((from / "d").c_str(), "user.shape", "round", 5, 0) == 0);
  REQUIRE(copy());
  char value[16] = {};
  CHECK(::getxattr((to / "d" / "f").c_str(), "user.colour", value, sizeof(value)) == 4);
  CHECK(std::string(value, 4) == "blue");
  CHECK(::getxattr((to / "d").c_str(), "user.shape", value, sizeof(value)) == 5);
}

TEST_CASE_METHOD(Scene, "a tree deeper than any path may be is copied", "[nas]") {
  constexpr int kLevels = 300;
  const std::string name(40, 'd');
  Fd here = test::open_folder(from);
  for (int i = 0; i < kLevels; ++i) {
    REQUIRE(::mkdirat(here.get(), name.c_str(), 0750) == 0);
    here = Fd(::openat(here.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  REQUIRE(copy());
  CHECK(progress.entries == kLevels + 1);
  for (const char* tree : {"from", "to"}) {
    CHECK(remove_tree(EntryOpener(), test::open_folder(share.root).get(), tree, progress, {}));
  }
}

TEST_CASE_METHOD(Scene, "entries of a large folder with folders among them are each copied once", "[nas]") {
  constexpr int kFiles = 1500;  // more than are read in one piece
  for (int i = 0; i < kFiles; ++i) {
    const fs::path path = from / ("entry-with-a-long-name-" + std::to_string(i));
    if (i % 100 == 0) {
      fs::create_directory(path);
      test::write_file(path / "inner", "x");
    } else {
      test::write_file(path, "");
    }
  }
  REQUIRE(copy());
  CHECK(progress.entries == kFiles + kFiles / 100 + 1);
  CHECK(test::told(to).size() == kFiles + kFiles / 100);
}

}  // namespace
}  // namespace holdfast::nas
