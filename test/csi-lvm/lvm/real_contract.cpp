#include <fcntl.h>

#include <cstdlib>
#include <stdexcept>

#include "common/base/exec.h"
#include "common/base/fd.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/exec_runner.h"
#include "csi-lvm/lvm/worker_runner.h"
#include "test/csi-lvm/lvm/lvm_contract.h"

// LVM itself, by both of its runners. test/kernel/guest/lvm.sh has made the group; this empties it.
namespace holdfast::lvm::test {
namespace {

constexpr Lvm::Patience kAmple{60000};
constexpr const char* kByWorker = "through lvmcmd";
constexpr const char* kByExec = "through lvm(8)";

std::string program_folder() {
  const char* folder = std::getenv("HOLDFAST_BIN");
  if (folder == nullptr) throw std::runtime_error("HOLDFAST_BIN does not tell where lvmcmd is");
  return folder;
}

class RealSetting final : public ContractSetting {
 public:
  explicit RealSetting(const std::string& name) : queue_(runner(name)), lvm_(queue_, settings()) { empty(); }
  Lvm& lvm() override { return lvm_; }
  void set_open(const VolumeName& name, bool open) override {
    open_.reset(open ? ::open(("/dev/" + name.text()).c_str(), O_RDONLY | O_CLOEXEC) : -1);
    if (open && !open_.valid()) throw std::runtime_error("/dev/" + name.text() + " does not open");
  }

 private:
  std::unique_ptr<LvmRunner> runner(const std::string& name) {
    if (name == kByWorker) return std::make_unique<WorkerRunner>(program_folder() + "/lvmcmd");
    return std::make_unique<ExecRunner>(executor_, find_system_program("lvm"));
  }
  static LvmSettings settings() {
    LvmSettings settings;
    settings.udev = false;  // the guest has no udevd
    return settings;
  }
  // Snapshots go before their origins and thin volumes before their pool, so that some rounds may be needed.
  void empty() {
    for (int round = 0; round < 4; ++round) {
      const Inventory inventory = lvm_.look(kAmple).value();
      const VolumeGroup* group = inventory.group(kContractGroup);
      if (group == nullptr) throw std::runtime_error("there is no group for the contract");
      if (group->volumes.empty()) return;
      for (const LogicalVolume& volume : group->volumes) {
        const Status removed = lvm_.remove({kContractGroup, volume.name}, kAmple);
        if (!removed && removed.error().code != Code::kFailedPrecondition) {
          throw std::runtime_error(removed.error().message);
        }
      }
    }
    throw std::runtime_error("the group of the contract cannot be emptied");
  }

  SystemExecutor executor_;
  LvmQueue queue_;
  CommandsLvm lvm_;
  Fd open_;
};

}  // namespace

std::vector<std::string> contract_settings() { return {kByWorker, kByExec}; }
std::unique_ptr<ContractSetting> make_contract_setting(const std::string& name) {
  return std::make_unique<RealSetting>(name);
}

}  // namespace holdfast::lvm::test
