#include "common/base/files.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include "test/catch.h"
#include "test/fakes/recording_files.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::RecordingFiles;
using test::TemporaryFolder;

constexpr std::size_t kPlenty = 1 << 20;

std::optional<std::string> content(Files& files, const fs::path& path) {
  return files.read(path, kPlenty).value();
}

std::vector<std::string> names(Files& files, const fs::path& folder) {
  std::vector<std::string> out = files.list(folder).value();
  std::ranges::sort(out);
  return out;
}

template <class T>
Error error_of(const Result<T>& result) {
  REQUIRE_FALSE(result);
  return result.error();
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

// Every implementation keeps the port's promises. `folder` is what it works in.
void keeps_the_contract(Files& files, const TemporaryFolder& folder) {
  SECTION("create makes a new file whole, with its mode, and never touches one that is there") {
    REQUIRE(files.create(folder / "f", "content", 0640));
    CHECK(content(files, folder / "f") == "content");
    CHECK(mode_of(folder / "f") == 0640);
    CHECK(error_of(files.create(folder / "f", "other", 0600)).code == Code::kAlreadyExists);
    CHECK(content(files, folder / "f") == "content");
    CHECK(error_of(files.create(folder / "none/f", "", 0600)).code == Code::kNotFound);
  }
  SECTION("errors name the path and keep the errno") {
    const Error error = error_of(files.truncate(folder / "absent", 0));
    CHECK(error.sys_errno == ENOENT);
    CHECK_THAT(error.message, Catch::Contains((folder / "absent").native()));
  }
  SECTION("read answers nothing for what is absent, and all bytes of what is there") {
    CHECK_FALSE(files.read(folder / "absent", kPlenty).value().has_value());
    CHECK_FALSE(files.read(folder / "none/absent", kPlenty).value().has_value());
    REQUIRE(files.create(folder / "empty", "", 0600));
    CHECK(content(files, folder / "empty") == "");
    const std::string big = std::string(100000, 'x') + '\0' + "end";
    REQUIRE(files.create(folder / "big", big, 0600));
    CHECK(content(files, folder / "big") == big);
  }
  SECTION("read refuses what is longer than the limit") {
    REQUIRE(files.create(folder / "f", "12345", 0600));
    CHECK(files.read(folder / "f", 5).value() == "12345");
    CHECK(error_of(files.read(folder / "f", 4)).code == Code::kFailedPrecondition);
  }
  SECTION("read refuses what is no regular file, without waiting for a FIFO's writer") {
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    fs::create_symlink("target", folder / "link");
    REQUIRE(files.create(folder / "target", "t", 0600));
    REQUIRE(files.make_folders(folder / "d", 0700));
    for (const char* name : {"fifo", "link", "d"}) {
      CHECK(error_of(files.read(folder / name, kPlenty)).code == Code::kFailedPrecondition);
    }
  }
  SECTION("no change goes through a symbolic link") {
    REQUIRE(files.create(folder / "target", "t", 0600));
    fs::create_symlink("target", folder / "link");
    fs::create_symlink("absent", folder / "dangling");
    REQUIRE(files.make_folders(folder / "d", 0700));
    fs::create_directory_symlink("d", folder / "dlink");
    CHECK_FALSE(files.create(folder / "dangling", "x", 0600));
    CHECK_FALSE(files.append(folder / "link", "x", 0600));
    CHECK_FALSE(files.overwrite(folder / "link", "x", 0600));
    CHECK_FALSE(files.append(folder / "dangling", "x", 0600));
    CHECK_FALSE(files.truncate(folder / "link", 0));
    CHECK_FALSE(files.sync_file(folder / "link"));
    CHECK_FALSE(files.sync_folder(folder / "dlink"));
    CHECK_FALSE(files.list(folder / "dlink"));
    CHECK_FALSE(files.lock(folder / "link", milliseconds(0)));
    CHECK(error_of(files.make_folders(folder / "dlink", 0700)).code == Code::kFailedPrecondition);
    CHECK(content(files, folder / "target") == "t");
    CHECK_FALSE(fs::exists(folder / "absent"));
    CHECK(files.remove(folder / "link"));
    CHECK(content(files, folder / "target") == "t");
  }
  SECTION("list tells every name once, and none of a folder that is absent") {
    CHECK(names(files, folder / "absent").empty());
    CHECK(names(files, folder.path()).empty());
    std::vector<std::string> made;
    for (int i = 0; i < 1500; ++i) {  // more than one getdents64(2) answers
      made.push_back("name-" + std::to_string(10000 + i));
      REQUIRE(files.create(folder / made.back(), "", 0600));
    }
    CHECK(names(files, folder.path()) == made);
    CHECK_FALSE(files.list(folder / made.front()));
  }
  SECTION("append adds to the end and makes the file") {
    REQUIRE(files.append(folder / "log", "one\n", 0640));
    REQUIRE(files.append(folder / "log", "two\n", 0600));
    CHECK(content(files, folder / "log") == "one\ntwo\n");
    CHECK(mode_of(folder / "log") == 0640);
  }
  SECTION("overwrite replaces a longer, a shorter and no content, and keeps the mode") {
    for (const std::string_view bytes : {"first", "the second, which is longer", "3rd"}) {
      REQUIRE(files.overwrite(folder / "hint", bytes, 0640));
      CHECK(content(files, folder / "hint") == bytes);
    }
    REQUIRE(files.overwrite(folder / "hint", "4", 0600));
    CHECK(mode_of(folder / "hint") == 0640);
  }
  SECTION("truncate cuts off") {
    REQUIRE(files.create(folder / "f", "12345", 0600));
    REQUIRE(files.truncate(folder / "f", 2));
    CHECK(content(files, folder / "f") == "12");
  }
  SECTION("sync_file and sync_folder succeed on what is there only") {
    REQUIRE(files.create(folder / "f", "x", 0600));
    CHECK(files.sync_file(folder / "f"));
    CHECK(files.sync_folder(folder.path()));
    CHECK(error_of(files.sync_file(folder / "absent")).code == Code::kNotFound);
    CHECK(error_of(files.sync_folder(folder / "absent")).code == Code::kNotFound);
    CHECK_FALSE(files.sync_folder(folder / "f"));
  }
  SECTION("rename replaces, rename_new does not") {
    REQUIRE(files.create(folder / "a", "a", 0600));
    REQUIRE(files.create(folder / "b", "b", 0600));
    const Error refused = error_of(files.rename_new(folder / "a", folder / "b"));
    CHECK(refused.code == Code::kAlreadyExists);
    CHECK_THAT(refused.message,
               Catch::Contains((folder / "a").native()) && Catch::Contains((folder / "b").native()));
    CHECK(content(files, folder / "b") == "b");
    REQUIRE(files.rename_new(folder / "a", folder / "c"));
    REQUIRE(files.rename(folder / "c", folder / "b"));
    CHECK(content(files, folder / "b") == "a");
    CHECK(names(files, folder.path()) == std::vector<std::string>{"b"});
    CHECK(error_of(files.rename(folder / "absent", folder / "b")).code == Code::kNotFound);
  }
  SECTION("remove succeeds twice") {
    REQUIRE(files.create(folder / "f", "x", 0600));
    CHECK(files.remove(folder / "f"));
    CHECK(files.remove(folder / "f"));
    CHECK(names(files, folder.path()).empty());
  }
  SECTION("make_folders makes parents, and leaves a folder that is there as it is") {
    REQUIRE(files.make_folders(folder / "p/q/r/", 0750));
    CHECK(mode_of(folder / "p/q/r") == 0750);
    REQUIRE(files.make_folders(folder / "p/q", 0700));
    CHECK(mode_of(folder / "p/q") == 0750);
    REQUIRE(files.create(folder / "f", "x", 0600));
    CHECK(error_of(files.make_folders(folder / "f", 0700)).code == Code::kFailedPrecondition);
    CHECK_FALSE(files.make_folders(folder / "f/g", 0700));
  }
  SECTION("a lock is held by one, up to the end of its descriptor") {
    Result<Fd> first = files.lock(folder / "lock", milliseconds(0));
    REQUIRE(first);
    CHECK(mode_of(folder / "lock") == 0600);
    const auto started = std::chrono::steady_clock::now();
    CHECK(error_of(files.lock(folder / "lock", milliseconds(30))).code == Code::kUnavailable);
    CHECK(std::chrono::steady_clock::now() - started >= milliseconds(30));
    first->reset();
    CHECK(files.lock(folder / "lock", milliseconds(0)));
  }
}

TEST_CASE("the real files keep the port's contract", "[files]") {
  const TemporaryFolder folder;
  PosixFiles files;
  keeps_the_contract(files, folder);
}

TEST_CASE("the recording files keep the port's contract", "[files]") {
  const TemporaryFolder folder;
  RecordingFiles files(folder.path());
  keeps_the_contract(files, folder);
}

TEST_CASE("a lock is got within its patience once the other gives it up", "[files]") {
  const TemporaryFolder folder;
  PosixFiles files;
  Result<Fd> first = files.lock(folder / "lock", milliseconds(0));
  REQUIRE(first);
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(20));
    first->reset();
  });
  const Result<Fd> second = files.lock(folder / "lock", milliseconds(10000));
  other.join();
  CHECK(second);
}

TEST_CASE("folders are made behind a parent that is a link", "[files]") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "disk");
  fs::create_directory_symlink("disk", folder / "cni");
  CHECK(PosixFiles().make_folders(folder / "cni/networks", 0700));
  CHECK(fs::is_directory(folder / "disk/networks"));
}

TEST_CASE("files of proc, which tell no size, are read whole", "[files]") {
  CHECK(content(*std::make_unique<PosixFiles>(), "/proc/sys/kernel/random/boot_id")->size() == 37);
}

// The limit of a file's size stands in for a full disk: write(2) stops half way, then fails.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_before_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_before_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_before_ = SIG_DFL;
};

TEST_CASE("a write that stops half way leaves nothing of it", "[files]") {
  const TemporaryFolder folder;
  PosixFiles files;
  REQUIRE(files.create(folder / "log", "first\n", 0600));
  Status created;
  Status appended;
  {
    const FileSizeLimit limit(10);
    created = files.create(folder / "f", std::string(20, 'x'), 0600);
    appended = files.append(folder / "log", std::string(20, 'x'), 0600);
  }
  CHECK(error_of(created).sys_errno == EFBIG);
  CHECK(error_of(appended).sys_errno == EFBIG);
  CHECK_FALSE(fs::exists(folder / "f"));
  CHECK(content(files, folder / "log") == "first\n");
}

}  // namespace
}  // namespace holdfast
