#pragma once

#include <memory>
#include <string>
#include <vector>

#include "csi-lvm/lvm/lvm.h"

namespace holdfast::lvm::test {

/// Some LVM with one empty group of two disks, 63 extents of 4 MiB each.
class ContractSetting {
 public:
  ContractSetting() = default;
  ContractSetting(const ContractSetting&) = delete;
  ContractSetting& operator=(const ContractSetting&) = delete;
  virtual ~ContractSetting() = default;

  virtual Lvm& lvm() = 0;
  /// Holds the volume's device open, as a mount does; false lets it go.
  virtual void set_open(const VolumeName& name, bool open) = 0;
  /// Two blank disks beside it; what another case made of them is gone.
  [[nodiscard]] virtual std::vector<std::string> spare_disks() = 0;
};

/// The settings that this test program runs the contract in, by name.
std::vector<std::string> contract_settings();
std::unique_ptr<ContractSetting> make_contract_setting(const std::string& name);

inline constexpr const char* kContractGroup = "contract";
inline constexpr const char* kSpareGroup = "spare";  ///< what a case makes of the spare disks

}  // namespace holdfast::lvm::test
