#include "cni-flannel/controller/controller_program.h"
#include "common/base/flags.h"
#include "programs/daemon_main.h"

// The controller's binary. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::daemon_main(
      "flannel-controller", holdfast::flannel::parse_controller_options(arguments),
      holdfast::flannel::controller_help, [](const auto& options, holdfast::Logger& log) {
        return holdfast::flannel::run_flannel_controller(options, holdfast::environment_variable, log);
      });
}
