#include <csignal>
#include <iostream>

#include "common/base/flags.h"
#include "programs/csi_node/csi_programs.h"

// csi-node, and csi-lvm, csi-nas and csi-disk by links to it. Everything that can be tested is in the
// library.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a caller that went away is an error of write(2), not our death
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::csi_program_named(argv[0])(arguments, holdfast::environment_variable, std::cout,
                                              std::cerr);
}
