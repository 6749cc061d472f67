#include "cni-flannel/daemon/flanneld.h"

#include <malloc.h>

#include <csignal>
#include <cstdio>

#include "common/base/flags.h"
#include "common/base/version.h"

namespace {

// Larger blocks are given back as soon as they are freed: a store or a list of nodes that was read whole.
// Left to itself glibc raises this bound with the first of them, and keeps the next ones among what stays in
// the heap: 17 MB instead of 10 with 5,000 peers. Source: mallopt(3), M_MMAP_THRESHOLD
constexpr int kBigBlockBytes = 128 * 1024;

}  // namespace

// The daemon's binary. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  ::mallopt(M_MMAP_THRESHOLD, kBigBlockBytes);
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error of write(2), not our death
  holdfast::SystemClock clock;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto options = holdfast::flannel::parse_options(arguments, holdfast::environment_variable);
  if (!options) {
    std::fprintf(stderr, "flanneld: %s\n", options.error().message.c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(holdfast::flannel::options_help().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::fprintf(stderr, "%s\n", std::string(holdfast::version()).c_str());
    return 0;
  }
  holdfast::FdLogger log(options->log_level, clock);
  const holdfast::Status ended = holdfast::flannel::run_flanneld(*std::move(options), log);
  if (!ended) log.error("flanneld cannot go on", {{"error", ended.error().message}});
  return holdfast::flannel::exit_status(ended);
}
