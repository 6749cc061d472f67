#pragma once

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/program_options.h"
#include "common/base/result.h"
#include "common/base/version.h"

namespace holdfast {

/// What the main() of a daemon does with its parsed options, which are ProgramOptions: says what is wrong
/// with them, or the help or the version, or runs. Answers the exit status: 2 for wrong options, else
/// `status_of` what `run` ended with.
template <typename Options, typename Run, typename StatusOf>
int daemon_main(const char* program, Result<Options> options, std::string (*help)(), Run run,
                StatusOf status_of) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error of write(2), not our death
  if (!options) {
    std::fprintf(stderr, "%s: %s\n", program, options.error().message.c_str());
    return 2;
  }
  if (options->help) {
    std::fputs(help().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::fprintf(stderr, "%s\n", std::string(version()).c_str());
    return 0;
  }
  SystemClock clock;
  FdLogger log(options->log_level, clock);
  const Status ended = run(*std::move(options), log);
  if (!ended) log.error(std::string(program) + " cannot go on", {{"error", ended.error().message}});
  return status_of(ended);
}

/// The same for a program whose exit status is 0 or 1.
template <typename Options, typename Run>
int daemon_main(const char* program, Result<Options> options, std::string (*help)(), Run run) {
  return daemon_main(program, std::move(options), help, run,
                     [](const Status& ended) { return ended ? 0 : 1; });
}

}  // namespace holdfast
