#include "common/base/flags.h"
#include "common/base/secrecy.h"
#include "egw-gateway/access/access.h"
#include "programs/daemon_main.h"

// The cloud end of the tunnels of many pools. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  holdfast::keep_memory_private();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::daemon_main(
      "egw-access", holdfast::gateway::parse_access_options(arguments, holdfast::environment_variable),
      holdfast::gateway::access_help, holdfast::gateway::run_access);
}
