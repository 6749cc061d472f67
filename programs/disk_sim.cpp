#include "csi-disk/sim/disk_sim.h"

#include <iostream>
#include <vector>

// Disks of clouds on this machine. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::disk::disk_sim(arguments, std::cout, std::cerr);
}
