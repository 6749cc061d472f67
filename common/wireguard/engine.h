#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/exec.h"
#include "common/base/result.h"
#include "common/wireguard/tunnel.h"

namespace holdfast::wireguard {

enum class Engine : std::uint8_t { kAuto, kKernel, kUserSpace };

/// "auto", "kernel", "userspace", as flags and log lines have it.
[[nodiscard]] std::string_view to_string(Engine engine);
/// Errors: kInvalidArgument, naming the three.
[[nodiscard]] Result<Engine> parse_engine(std::string_view text);

/// Which one `asked` means on this machine: kAuto is the kernel's where it has one. Errors: those of netlink;
/// kFailedPrecondition with the cure when the kernel's is asked for and there is none.
[[nodiscard]] Result<Engine> choose_engine(Engine asked);

/// The engine that choose_engine() named. Both arguments outlive it.
[[nodiscard]] std::unique_ptr<WireGuard> make_wireguard(Engine chosen, Executor& executor, Clock& clock);

}  // namespace holdfast::wireguard
