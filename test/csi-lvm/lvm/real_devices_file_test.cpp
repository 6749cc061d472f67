#include <string>

#include "common/base/exec.h"
#include "common/base/files.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/exec_runner.h"
#include "csi-lvm/lvm/lvm_environment.h"
#include "csi-lvm/lvm/worker_runner.h"
#include "csi-lvm/volumes/local_volume.h"
#include "test/catch.h"
#include "test/csi-lvm/lvm/lvm_contract.h"
#include "test/csi-lvm/lvm/real_group.h"

// What LVM itself makes of a devices file that was harmed.
namespace holdfast::lvm {
namespace {

constexpr Lvm::Patience kAmple{60000};
constexpr const char* kVolume = "pvc-hidden";

TEST_CASE("an emptied or damaged devices file hides no volume of ours", "[lvm leftovers]") {
  SystemExecutor executor;
  const bool by_worker = GENERATE(true, false);
  CAPTURE(by_worker);
  std::unique_ptr<LvmRunner> runner = std::make_unique<ExecRunner>(executor, find_system_program("lvm"));
  if (by_worker) runner = std::make_unique<WorkerRunner>(test::lvmcmd_path());
  LvmQueue queue(std::move(runner));
  LvmSettings settings = test::guest_settings();
  settings.is_ours = has_volumes_of_ours;
  CommandsLvm lvm(queue, settings);
  test::empty_group(lvm);
  REQUIRE(lvm.take_warnings().empty());
  NewVolume wanted;
  wanted.name = {test::kContractGroup, kVolume};
  wanted.size_bytes = 1;
  wanted.tags = {"csi.state=ready"};
  REQUIRE(lvm.create(wanted, kAmple).has_value());

  PosixFiles files;
  const auto path = devices_folder() / settings.devices_file;
  for (const std::string& harm : {std::string(), std::string("\x06\0\xff IDTYPE=\nPVID\n", 16)}) {
    REQUIRE(files.overwrite(path, harm, 0600).has_value());
    const auto seen = lvm.look(kAmple);
    INFO((seen ? "" : seen.error().message));
    REQUIRE(seen.has_value());
    REQUIRE(seen->group(test::kContractGroup) != nullptr);
    CHECK(seen->group(test::kContractGroup)->missing_disks == 0);
    CHECK(seen->group(test::kContractGroup)->volume(kVolume) != nullptr);
    CHECK(lvm.take_warnings().size() == 1);
    CHECK(lvm.look(kAmple)->groups.size() == 1);
    CHECK(lvm.take_warnings().empty());
  }
  CHECK(lvm.remove(wanted.name, kAmple).has_value());
}

}  // namespace
}  // namespace holdfast::lvm
