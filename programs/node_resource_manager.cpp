#include "common/base/flags.h"
#include "csi-lvm/nrm/manager_program.h"
#include "programs/daemon_main.h"

// The manager's binary. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::daemon_main(
      "node-resource-manager",
      holdfast::nrm::parse_manager_options(arguments, holdfast::environment_variable),
      holdfast::nrm::manager_help, holdfast::nrm::run_node_resource_manager);
}
