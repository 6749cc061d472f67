#include "csi-nas/sim/nas_sim.h"

#include <iostream>
#include <vector>

// A NAS cloud without servers. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::nas::nas_sim(arguments, std::cout, std::cerr);
}
