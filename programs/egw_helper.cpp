#include "common/base/flags.h"
#include "common/base/secrecy.h"
#include "egw-gateway/helper/helper.h"
#include "programs/daemon_main.h"

// The program of every node of an enhanced pool. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  holdfast::keep_memory_private();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::daemon_main(
      "egw-helper", holdfast::gateway::parse_helper_options(arguments, holdfast::environment_variable),
      holdfast::gateway::helper_help, holdfast::gateway::run_helper);
}
