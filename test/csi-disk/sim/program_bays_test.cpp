#include "csi-disk/sim/program_bays.h"

#include <fstream>

#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::disk {
namespace {

namespace fs = std::filesystem;

// A program that notes in files what is plugged in.
constexpr const char* kProgram = R"sh(#!/bin/sh
cd "$(dirname "$0")" || exit 1
case $1 in
  list) for disk in *.disk; do [ ! -e "$disk" ] || echo "${disk%.disk} $(cat "$disk")"; done ;;
  plug) [ -e "$3" ] || { echo "no image" >&2; exit 2; }; echo "/dev/of-$4" >"$2.disk" ;;
  unplug) [ ! -e "$2.held" ] || exit 16; rm -f "$2.disk" ;;
  resize) echo bigger >"$2.disk" ;;
esac
)sh";

struct BaysScene {
  BaysScene() {
    std::ofstream(program) << kProgram;
    fs::permissions(program, fs::perms::owner_all);
    std::ofstream(folder / "image") << "content";
  }
  test::TemporaryFolder folder;
  fs::path program = folder / "program";
  SystemExecutor executor;
  ProgramBays bays{executor, program, {"PATH=/usr/bin:/bin"}};
};

using Plugged = std::map<std::string, std::string>;

TEST_CASE_METHOD(BaysScene, "a program plugs disks into machines", "[disk]") {
  CHECK(bays.plugged().value().empty());
  REQUIRE(bays.plug("s-1", folder / "image", "i-1"));
  REQUIRE(bays.plug("s-2", folder / "image", "i-2"));
  CHECK(bays.plugged().value() == Plugged{{"s-1", "/dev/of-i-1"}, {"s-2", "/dev/of-i-2"}});
  REQUIRE(bays.resize("s-2"));
  std::ofstream(folder / "s-1.held") << "";
  const Status held = bays.unplug("s-1");
  REQUIRE_FALSE(held);
  CHECK(held.error().code == Code::kFailedPrecondition);
  REQUIRE(bays.unplug("s-2"));
  CHECK(bays.plugged().value() == Plugged{{"s-1", "/dev/of-i-1"}});
}

TEST_CASE_METHOD(BaysScene, "what a program could not do is told in its words", "[disk]") {
  const Status none = bays.plug("s-1", folder / "none", "i-1");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::kUnavailable);
  CHECK_THAT(none.error().message, Catch::Contains("plug: status 2: no image"));
  ProgramBays missing(executor, folder / "missing", {});
  CHECK_FALSE(missing.plugged());
}

}  // namespace
}  // namespace holdfast::disk
