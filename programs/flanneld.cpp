#include "cni-flannel/daemon/flanneld.h"

#include <malloc.h>

#include "common/base/flags.h"
#include "programs/daemon_main.h"

namespace {

// Larger blocks are given back as soon as they are freed: a store or a list of nodes that was read whole.
// Left to itself glibc raises this bound with the first of them, and keeps the next ones among what stays in
// the heap: 17 MB instead of 10 with 5,000 peers. Source: mallopt(3), M_MMAP_THRESHOLD
constexpr int kBigBlockBytes = 128 * 1024;

}  // namespace

// The daemon's binary. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  ::mallopt(M_MMAP_THRESHOLD, kBigBlockBytes);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return holdfast::daemon_main(
      "flanneld", holdfast::flannel::parse_options(arguments, holdfast::environment_variable),
      holdfast::flannel::options_help, holdfast::flannel::run_flanneld, holdfast::flannel::exit_status);
}
