#include "common/base/folder_watch.h"

#include <poll.h>

#include <filesystem>
#include <fstream>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

using Names = std::set<std::string>;

struct WatchedFolder : test::TemporaryFolder {
  void write(const std::string& name, const std::string& text) { std::ofstream(*this / name) << text; }
  FolderNews news() {
    pollfd poll_fd{watch.fd(), POLLIN, 0};
    had_news = ::poll(&poll_fd, 1, 0) == 1;
    return watch.drain().value();
  }
  /// Whether a look at all is asked for.
  bool all() { return news().all; }

  std::filesystem::path deep = *this / "etc/nodes";
  FolderWatch watch = FolderWatch::open(deep).value();
  bool had_news = false;
};

TEST_CASE("A folder that is made later, or replaced, is looked at as a whole", "[flanneld]") {
  WatchedFolder folder;
  CHECK_FALSE(folder.all());
  CHECK_FALSE(folder.had_news);
  std::filesystem::create_directory(folder / "etc");
  CHECK(folder.all());
  std::filesystem::create_directory(folder.deep);
  CHECK(folder.all());
  std::filesystem::rename(folder.deep, folder / "old");
  CHECK(folder.all());
  std::filesystem::create_directory(folder.deep);
  CHECK(folder.all());
  folder.write("etc/nodes/c.yaml", "c");
  CHECK(folder.news().names == Names{"c.yaml"});
}

TEST_CASE("Files that come, change, move and go are told by their names", "[flanneld]") {
  WatchedFolder folder;
  std::filesystem::create_directories(folder.deep);
  CHECK(folder.all());
  static_cast<void>(folder.news());
  folder.write("etc/nodes/a.yaml", "a");
  const FolderNews made = folder.news();
  CHECK(made.names == Names{"a.yaml"});
  CHECK_FALSE(made.all);
  CHECK(folder.news().names.empty());
  CHECK_FALSE(folder.had_news);
  folder.write("etc/nodes/a.yaml", "b");
  folder.write("etc/nodes/b.yaml", "b");
  CHECK(folder.news().names == Names{"a.yaml", "b.yaml"});
  std::filesystem::rename(folder.deep / "a.yaml", folder.deep / "c.yaml");
  CHECK(folder.news().names == Names{"a.yaml", "c.yaml"});
  std::filesystem::remove(folder.deep / "b.yaml");
  CHECK(folder.news().names == Names{"b.yaml"});
  std::filesystem::create_symlink("c.yaml", folder.deep / "d.yaml");
  CHECK(folder.news().names == Names{"d.yaml"});
}

TEST_CASE("When events were lost all is looked at", "[flanneld]") {
  WatchedFolder folder;
  std::filesystem::create_directories(folder.deep);
  CHECK(folder.all());
  static_cast<void>(folder.news());
  std::size_t most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  REQUIRE(most > 0);
  folder.write("etc/nodes/a.yaml", "a");
  for (std::size_t i = 0; i <= most / 2;
       ++i) {  // two events each, of two names: none is left out as a repetition
    std::filesystem::rename(folder.deep / "a.yaml", folder.deep / "b.yaml");
    std::filesystem::rename(folder.deep / "b.yaml", folder.deep / "a.yaml");
  }
  CHECK(folder.all());
}

}  // namespace
}  // namespace holdfast
