#include "csi-lvm/lvm/lvm_environment.h"

#include <cstdlib>

namespace holdfast::lvm {

std::vector<std::string> lvm_environment() {
  // Descriptors that LVM did not open itself are no leak: it must not tell people of them.
  std::vector<std::string> environment{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                       "LVM_SUPPRESS_FD_WARNINGS=1"};
  if (const char* folder = std::getenv("LVM_SYSTEM_DIR"); folder != nullptr) {
    environment.push_back("LVM_SYSTEM_DIR=" + std::string(folder));
  }
  return environment;
}

std::filesystem::path devices_folder() {
  const char* folder = std::getenv("LVM_SYSTEM_DIR");
  return std::filesystem::path(folder == nullptr ? "/etc/lvm" : folder) / "devices";
}

}  // namespace holdfast::lvm
