#include <filesystem>
#include <memory>
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
#include "test/fakes/temporary_folder.h"

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

TEST_CASE("a group without volumes comes back when our devices file was emptied or is gone, and only ours",
          "[lvm leftovers]") {
  SystemExecutor executor;
  LvmQueue queue(std::make_unique<ExecRunner>(executor, find_system_program("lvm")));
  const holdfast::test::TemporaryFolder folder;
  LvmSettings settings = test::guest_settings();
  settings.is_ours = has_volumes_of_ours;
  PosixFiles files;
  const auto path = devices_folder() / settings.devices_file;
  const std::string whole = files.read(path, 1 << 20).value().value();
  {
    CommandsLvm lvm(queue, settings);
    test::empty_group(lvm);
  }
  const bool kept = GENERATE(true, false);
  const bool gone = GENERATE(true, false);
  CAPTURE(kept, gone);
  if (kept) settings.known_disks = folder / "disks";
  REQUIRE(CommandsLvm(queue, settings).look(kAmple)->groups.size() == 1);
  if (gone) {
    REQUIRE(std::filesystem::remove(path));
  } else {
    REQUIRE(files.overwrite(path, "", 0600).has_value());
  }
  CommandsLvm lvm(queue, settings);
  const auto seen = lvm.look(kAmple);
  INFO((seen ? "" : seen.error().message));
  REQUIRE(seen.has_value());
  REQUIRE((seen->group(test::kContractGroup) != nullptr) == kept);
  if (kept) CHECK(seen->group(test::kContractGroup)->missing_disks == 0);
  CHECK(lvm.take_warnings().size() == (kept ? 1U : 0U));
  REQUIRE(files.overwrite(path, whole, 0600).has_value());
}

}  // namespace
}  // namespace holdfast::lvm
