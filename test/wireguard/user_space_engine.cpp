#include <fstream>

#include "common/wireguard/user_space.h"
#include "test/wireguard/machine.h"

namespace holdfast::wireguard::test {
namespace {

SystemClock& clock() {
  static SystemClock out;
  return out;
}

SystemExecutor& executor() {
  static SystemExecutor out;
  return out;
}

/// wireguard-go with a /run of its own, as on another machine.
std::string program_in(const std::filesystem::path& run) {
  const std::filesystem::path path = run / "program";
  std::ofstream(path) << "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind " + run.native() +
                             " /run; exec /usr/bin/wireguard-go \"$0\"' \"$1\"\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path.native();
}

}  // namespace

std::unique_ptr<WireGuard> engine_for(const std::filesystem::path& run) {
  return std::make_unique<UserSpaceWireGuard>(executor(), clock(), program_in(run), run / "wireguard");
}

}  // namespace holdfast::wireguard::test
