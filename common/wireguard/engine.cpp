#include "common/wireguard/engine.h"

#include <array>

#include "common/wireguard/kernel.h"
#include "common/wireguard/user_space.h"

namespace holdfast::wireguard {
namespace {

struct Named {
  Engine engine;
  std::string_view name;
};
constexpr std::array kEngines{Named{Engine::kAuto, "auto"}, Named{Engine::kKernel, "kernel"},
                              Named{Engine::kUserSpace, "userspace"}};

}  // namespace

std::string_view to_string(Engine engine) {
  for (const Named& each : kEngines) {
    if (each.engine == engine) return each.name;
  }
  return "unknown";
}

Result<Engine> parse_engine(std::string_view text) {
  for (const Named& each : kEngines) {
    if (each.name == text) return each.engine;
  }
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is no WireGuard engine: auto, kernel or userspace");
}

Result<Engine> choose_engine(Engine asked) {
  if (asked == Engine::kUserSpace) return asked;
  HOLDFAST_TRY(const bool in_kernel, KernelWireGuard::is_there());
  if (in_kernel) return Engine::kKernel;
  if (asked == Engine::kAuto) return Engine::kUserSpace;
  return fail(Code::kFailedPrecondition,
              "this kernel has no WireGuard; load the module on the host (modprobe wireguard), or ask for "
              "userspace");
}

std::unique_ptr<WireGuard> make_wireguard(Engine chosen, Executor& executor, Clock& clock) {
  if (chosen == Engine::kKernel) return std::make_unique<KernelWireGuard>();
  return std::make_unique<UserSpaceWireGuard>(executor, clock);
}

}  // namespace holdfast::wireguard
