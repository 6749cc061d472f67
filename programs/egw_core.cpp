#include "common/base/flags.h"
#include "common/base/secrecy.h"
#include "egw-gateway/core/core.h"
#include "programs/daemon_main.h"

// A gateway of an enhanced pool. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  holdfast::keep_memory_private();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::daemon_main(
      "egw-core", holdfast::gateway::parse_core_options(arguments, holdfast::environment_variable),
      holdfast::gateway::core_help, holdfast::gateway::run_core);
}
