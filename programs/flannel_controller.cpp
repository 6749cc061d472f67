#include <csignal>
#include <cstdio>

#include "cni-flannel/controller/controller_program.h"
#include "common/base/flags.h"
#include "common/base/version.h"

// The controller's binary. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error of write(2), not our death
  holdfast::SystemClock clock;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto options = holdfast::flannel::parse_controller_options(arguments);
  if (!options) {
    std::fprintf(stderr, "flannel-controller: %s\n", options.error().message.c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(holdfast::flannel::controller_help().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::fprintf(stderr, "%s\n", std::string(holdfast::version()).c_str());
    return 0;
  }
  holdfast::FdLogger log(options->log_level, clock);
  const holdfast::Status ended =
      holdfast::flannel::run_flannel_controller(*options, holdfast::environment_variable, log);
  if (!ended) log.error("flannel-controller cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}
