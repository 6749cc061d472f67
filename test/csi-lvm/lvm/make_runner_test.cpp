#include "csi-lvm/lvm/make_runner.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "csi-lvm/lvm/worker_runner.h"
#include "test/catch.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::lvm {
namespace {

TEST_CASE("a worker that was told must be a program, and is told of else", "[lvm]") {
  const test::TemporaryFolder folder;
  SystemExecutor executor;
  const auto file = folder / "lvmcmd";
  std::ofstream(file) << "no program";
  for (const auto& wrong : {folder / "absent", folder.path(), file}) {
    const auto refused = make_runner(executor, {.told = wrong, .beside = "/bin/true"});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::kNotFound);
    CHECK(refused.error().message == "--lvmcmd: there is no program " + wrong.native() +
                                         "; name the file lvmcmd, or leave the flag out");
  }
  ::chmod(file.c_str(), 0700);
  for (const WorkerPlaces& places : {WorkerPlaces{.told = file}, WorkerPlaces{.beside = file}}) {
    const auto made = make_runner(executor, places);
    REQUIRE(made.has_value());
    CHECK(dynamic_cast<WorkerRunner*>(made->get()) != nullptr);
  }
}

}  // namespace
}  // namespace holdfast::lvm
