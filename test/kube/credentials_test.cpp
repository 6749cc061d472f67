#include "common/kube/credentials.h"

#include <filesystem>

#include "common/base/state_file.h"
#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::kube {
namespace {

using namespace std::chrono_literals;

// A service account's folder as kubelet mounts it: token -> ..data/token, ..data -> ..1/
struct MountedToken {
  test::TemporaryFolder folder;
  PosixFiles files;
  test::FakeClock clock;
  Config config{.token = {.bytes = "", .file = folder / "token"}};

  void rotate(const std::string& generation, const std::string& token) {
    const auto data = folder / generation;
    REQUIRE(files.make_folders(data, 0700));
    REQUIRE(replace_file(files, data / "token", token));
    std::filesystem::create_symlink(generation, folder / "..new");
    std::filesystem::rename(folder / "..new", folder / "..data");
    if (!std::filesystem::is_symlink(folder / "token")) {
      std::filesystem::create_symlink("..data/token", folder / "token");
    }
  }
};

TEST_CASE("a token that kubelet replaces is read again after ten seconds, or at once when it is doubted",
          "[kube]") {
  MountedToken mount;
  mount.rotate("..1", "first\n");
  Credentials credentials(mount.config, mount.files, mount.clock);
  CHECK(credentials.current().value()->token == "first");
  mount.rotate("..2", "second");
  mount.clock.advance(9s);
  CHECK(credentials.current().value()->token == "first");
  mount.clock.advance(1s);
  CHECK(credentials.current().value()->token == "second");
  mount.rotate("..3", "third");
  credentials.doubt();
  CHECK(credentials.current().value()->token == "third");
}

TEST_CASE("credentials whose file is gone for a moment stay what they were", "[kube]") {
  MountedToken mount;
  mount.rotate("..1", "first");
  Credentials credentials(mount.config, mount.files, mount.clock);
  CHECK(credentials.current().value()->token == "first");
  std::filesystem::remove(mount.folder / "token");
  mount.clock.advance(1min);
  CHECK(credentials.current().value()->token == "first");
}

TEST_CASE("credentials that were never there are an error that names the file, until they come", "[kube]") {
  MountedToken mount;
  Credentials credentials(mount.config, mount.files, mount.clock);
  const auto missing = credentials.current();
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Code::kNotFound);
  CHECK_THAT(missing.error().message, Catch::Contains((mount.folder / "token").string()));
  mount.rotate("..1", "first");
  CHECK(credentials.current().value()->token == "first");
}

TEST_CASE("a token that could begin another header is refused", "[kube]") {
  MountedToken mount;
  mount.rotate("..1", "a\r\nX-Remote-User: admin");
  Credentials credentials(mount.config, mount.files, mount.clock);
  const auto refused = credentials.current();
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains("not a token"));
}

}  // namespace
}  // namespace holdfast::kube
