#include "common/base/secrecy.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

TEST_CASE("A secret's file that others get at is told with its mode and the cure", "[base]") {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder / "key";
  std::ofstream(file) << "secret\n";
  struct Case {
    unsigned mode;
    bool exposed;
  };
  // of a group that is this process's own
  const Case cases[] = {{0600, false}, {0400, false}, {0440, false}, {0660, false}, {0711, false},
                        {0644, true},  {0604, true},  {0602, true},  {0666, true}};
  for (const Case& one : cases) {
    CAPTURE(one.mode);
    std::filesystem::permissions(file, std::filesystem::perms(one.mode));
    CHECK(exposure_of(file).empty() != one.exposed);
  }
  CHECK_THAT(exposure_of(file), Catch::StartsWith(file.native() + " has mode 0666: ") &&
                                    Catch::Contains("chmod 600") && Catch::Contains("defaultMode 0400"));
}

TEST_CASE("Of a file that is mounted by a link it is the file that counts, and of none nothing is told",
          "[base]") {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "data") << "secret\n";
  std::filesystem::create_symlink("data", folder / "key");
  std::filesystem::permissions(folder / "data", std::filesystem::perms(0400));
  CHECK(exposure_of(folder / "key").empty());
  std::filesystem::permissions(folder / "data", std::filesystem::perms(0404));
  CHECK_THAT(exposure_of(folder / "key"), Catch::Contains("mode 0404"));
  CHECK(exposure_of(folder / "absent").empty());
  CHECK(exposure_of("").empty());
}

TEST_CASE("A process that keeps its memory private leaves no core dump", "[base]") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int before = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    keep_memory_private();
    const int after = ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    ::_exit(before == 1 && after == 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

}  // namespace
}  // namespace holdfast
