#include "common/base/flags.h"
#include "common/base/secrecy.h"
#include "egw-gateway/controller/controller_program.h"
#include "programs/daemon_main.h"

// The controller's binary. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  holdfast::keep_memory_private();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::daemon_main(
      "egw-controller", holdfast::gateway::parse_controller_options(arguments),
      holdfast::gateway::controller_help, [](const auto& options, holdfast::Logger& log) {
        return holdfast::gateway::run_egw_controller(options, holdfast::environment_variable, log);
      });
}
