#include "common/base/machine_ids.h"

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

TEST_CASE("the running kernel's boot id is read, and stays", "[machine_ids]") {
  PosixFiles files;
  const auto id = read_boot_id(files);
  REQUIRE(id);
  CHECK(id->size() == 36);
  CHECK(read_boot_id(files).value() == *id);
}

TEST_CASE("an id that is not one is refused with its text", "[machine_ids]") {
  struct Case {
    const char* name;
    const char* text;
    bool boot;
    bool machine;
  };
  const Case cases[] = {
      {"boot id", "0f1e2d3c-0000-4abc-8def-0123456789ab\n", true, false},
      {"machine id", "0123456789abcdef0123456789abcdef\n", false, true},
      {"without a line end", "0123456789abcdef0123456789abcdef", false, true},
      {"upper case", "0123456789ABCDEF0123456789ABCDEF\n", false, false},
      {"empty", "", false, false},
      {"uninitialized", "uninitialized\n", false, false},
      {"two lines", "0123456789abcdef0123456789abcdef\n\n", false, false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const test::TemporaryFolder folder;
      PosixFiles files;
      REQUIRE(files.create(folder / "id", c.text, 0600));
      const auto boot = read_boot_id(files, folder / "id");
      const auto machine = read_machine_id(files, folder / "id");
      CHECK(boot.has_value() == c.boot);
      CHECK(machine.has_value() == c.machine);
      if (!machine) {
        CHECK(machine.error().code == Code::kDataLoss);
      }
    }
  }
}

TEST_CASE("an id that is missing is told so", "[machine_ids]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  CHECK(read_machine_id(files, folder / "id").error().code == Code::kNotFound);
}

}  // namespace
}  // namespace holdfast
