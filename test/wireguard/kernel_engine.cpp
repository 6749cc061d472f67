#include "common/wireguard/kernel.h"
#include "test/wireguard/machine.h"

namespace holdfast::wireguard::test {

std::unique_ptr<WireGuard> engine_for(const std::filesystem::path& /*run*/) {
  return std::make_unique<KernelWireGuard>();
}

}  // namespace holdfast::wireguard::test
