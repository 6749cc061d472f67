#include <iostream>
#include <vector>

#include "csi-disk/conformance/conformance_program.h"

// Whether a disk service keeps what csi-disk relies on. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::disk::disk_backend_conformance(arguments, std::cout, std::cerr);
}
