#include <fcntl.h>

#include <stdexcept>

#include "common/base/exec.h"
#include "common/base/fd.h"
#include "csi-lvm/lvm/commands_lvm.h"
#include "csi-lvm/lvm/exec_runner.h"
#include "csi-lvm/lvm/worker_runner.h"
#include "test/csi-lvm/lvm/lvm_contract.h"
#include "test/csi-lvm/lvm/real_group.h"

// LVM itself, by both of its runners. test/kernel/guest/lvm.sh has made the group.
namespace holdfast::lvm::test {
namespace {

constexpr const char* kByWorker = "through lvmcmd";
constexpr const char* kByExec = "through lvm(8)";

class RealSetting final : public ContractSetting {
 public:
  explicit RealSetting(const std::string& name) : queue_(runner(name)), lvm_(queue_, guest_settings()) {
    empty_group(lvm_);
  }
  Lvm& lvm() override { return lvm_; }
  void set_open(const VolumeName& name, bool open) override {
    open_.reset(open ? ::open(("/dev/" + name.text()).c_str(), O_RDONLY | O_CLOEXEC) : -1);
    if (open && !open_.valid()) throw std::runtime_error("/dev/" + name.text() + " does not open");
  }

  [[nodiscard]] std::vector<std::string> spare_disks() override {
    clear_spare_disks();
    return test::spare_disks();
  }

 private:
  // The port removes no group.
  void clear_spare_disks() {
    const auto run = [this](std::vector<std::string> words) {
      words.insert(words.begin(), find_system_program("lvm"));
      words.insert(words.end(),
                   {"--config", settings_text(guest_settings()), "--devicesfile", "holdfast.devices"});
      return executor_.run(
          {.argv = words, .environment = {}, .input = {}, .deadline = std::chrono::minutes(1)});
    };
    if (!run({"vgs", kSpareGroup})->succeeded()) return;
    std::vector<std::string> words{"pvremove"};
    for (const std::string& disk : test::spare_disks()) words.push_back(disk);
    if (!run({"vgremove", "--yes", kSpareGroup})->succeeded()) throw std::runtime_error("vgremove fails");
    static_cast<void>(run(words));  // one of them may be none
  }

  std::unique_ptr<LvmRunner> runner(const std::string& name) {
    if (name == kByWorker) return std::make_unique<WorkerRunner>(lvmcmd_path());
    return std::make_unique<ExecRunner>(executor_, find_system_program("lvm"));
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
