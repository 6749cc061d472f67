#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::lvm {

/// The environment of an LVM process, "KEY=VALUE": the C locale, because LVM's words are read, the folders
/// for programs of the system (thin_check), and LVM_SYSTEM_DIR if we have it.
[[nodiscard]] std::vector<std::string> lvm_environment();

/// Where LVM keeps its devices files: /etc/lvm/devices, or below LVM_SYSTEM_DIR.
[[nodiscard]] std::filesystem::path devices_folder();

}  // namespace holdfast::lvm
