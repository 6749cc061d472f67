#include "common/mount/group_access.h"

#include <sys/stat.h>

#include <filesystem>

#include "test/catch.h"
#include "test/fakes/shell.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::mount {
namespace {

using test::output_of;

constexpr gid_t kGroup = 4711;
const auto kNever = [] { return false; };

struct Volume {
  Volume() {
    output_of(
        "cd " + path() +
        " && mkdir -p a/b && echo x >a/b/file && echo x >run && chmod 0555 run && chmod 0400 a/b/file &&"
        " ln -s /etc/passwd link && echo y >../outside && ln -s ../../outside a/link");
  }
  [[nodiscard]] std::string path() const { return (folder / "volume").native(); }
  [[nodiscard]] std::string told(const std::string& name) const {
    return output_of("stat -c '%g %a' " + path() + "/" + name);
  }

  holdfast::test::TemporaryFolder folder;
  bool made = std::filesystem::create_directory(folder / "volume");
};

TEST_CASE("A group gets all that is on a volume, and what is made there later", "[mount]") {
  const Volume volume;
  REQUIRE(give_to_group(volume.path(), kGroup, kNever));
  CHECK(volume.told(".") == "4711 2775\n");
  CHECK(volume.told("a/b") == "4711 2775\n");
  CHECK(volume.told("a/b/file") == "4711 660\n");
  CHECK(volume.told("run") == "4711 775\n");
  CHECK(volume.told("link") == "4711 777\n");
  CHECK(output_of("stat -Lc %g " + volume.path() + "/link " + volume.path() + "/../outside") == "0\n0\n");
  output_of("echo z >" + volume.path() + "/a/new");
  CHECK(volume.told("a/new") == "4711 644\n");
}

TEST_CASE("What belongs to the group already is not walked through again", "[mount]") {
  const Volume volume;
  REQUIRE(give_to_group(volume.path(), kGroup, kNever));
  output_of("chgrp 0 " + volume.path() + "/run");
  REQUIRE(give_to_group(volume.path(), kGroup, [] { return true; }));
  CHECK(volume.told("run") == "0 775\n");
}

TEST_CASE("A walk that was cut off is made again, and ends", "[mount]") {
  const Volume volume;
  int steps = 0;
  const Status cut = give_to_group(volume.path(), kGroup, [&] { return ++steps > 4; });
  REQUIRE_FALSE(cut.has_value());
  CHECK(cut.error().code == Code::kAborted);
  CHECK(volume.told(".").starts_with("0 "));
  REQUIRE(give_to_group(volume.path(), kGroup, kNever));
  CHECK(volume.told("a/b/file") == "4711 660\n");
}

TEST_CASE("Folders that are nested without end are refused", "[mount]") {
  const Volume volume;
  std::string deep = volume.path();
  for (int i = 0; i < kMostNestedFolders; ++i) deep += "/d";
  std::filesystem::create_directories(deep);
  CHECK(give_to_group(volume.path(), kGroup, kNever).error().code == Code::kOutOfRange);
  CHECK(give_to_group(volume.path() + "/none", kGroup, kNever).error().code == Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::mount
