#include "test/csi-lvm/lvm/fake_lvm.h"
#include "test/csi-lvm/lvm/lvm_contract.h"

namespace holdfast::lvm::test {
namespace {

class FakeSetting final : public ContractSetting {
 public:
  FakeSetting() {
    lvm_.add_group(kContractGroup, {63, 63});
    for (const std::string& disk : FakeSetting::spare_disks()) lvm_.add_disk(disk, 15);
  }
  Lvm& lvm() override { return lvm_; }
  void set_open(const VolumeName& name, bool open) override { lvm_.set_open(name, open); }
  [[nodiscard]] std::vector<std::string> spare_disks() override { return {"/dev/vdx", "/dev/vdy"}; }

 private:
  FakeLvm lvm_;
};

}  // namespace

std::vector<std::string> contract_settings() { return {"in memory"}; }
std::unique_ptr<ContractSetting> make_contract_setting(const std::string& /*name*/) {
  return std::make_unique<FakeSetting>();
}

}  // namespace holdfast::lvm::test
