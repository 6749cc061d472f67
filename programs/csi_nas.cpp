#include "csi-nas/program/csi_nas.h"

#include <csignal>
#include <iostream>

#include "common/base/flags.h"

// The driver of volumes on NFS servers. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a caller that went away is an error of write(2), not our death
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::nas::csi_nas(arguments, holdfast::environment_variable, std::cout, std::cerr);
}
