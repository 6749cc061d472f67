#include <csignal>
#include <cstdio>

#include "common/base/clock.h"
#include "common/base/flags.h"
#include "common/base/version.h"
#include "egw-gateway/access/access.h"

// The cloud end of the tunnels of many pools. Everything that can be tested is in the library.
int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error of write(2), not our death
  holdfast::SystemClock clock;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto options = holdfast::gateway::parse_access_options(arguments, holdfast::environment_variable);
  if (!options) {
    std::fprintf(stderr, "egw-access: %s\n", options.error().message.c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(holdfast::gateway::access_help().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::fprintf(stderr, "%s\n", std::string(holdfast::version()).c_str());
    return 0;
  }
  holdfast::FdLogger log(options->log_level, clock);
  const holdfast::Status ended = holdfast::gateway::run_access(*options, log);
  if (!ended) log.error("egw-access cannot go on", {{"error", ended.error().message}});
  return ended ? 0 : 1;
}
