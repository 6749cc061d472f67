#include "csi-disk/program/csi_disk.h"

#include <csignal>
#include <iostream>

#include "common/base/flags.h"

// The driver of cloud disks. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a caller that went away is an error of write(2), not our death
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::disk::csi_disk(arguments, holdfast::environment_variable, std::cout, std::cerr);
}
