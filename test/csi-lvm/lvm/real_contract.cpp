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

 private:
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
