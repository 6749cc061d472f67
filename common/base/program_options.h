#pragma once

#include "common/base/flags.h"
#include "common/base/log.h"

namespace holdfast {

/// What every program of ours that stays is told.
struct ProgramOptions {
  LogLevel log_level = LogLevel::kInfo;
  bool help = false;
  bool version = false;

  /// It says something of itself, and ends.
  [[nodiscard]] bool only_tells() const { return help || version; }
};

/// --log-level, --help and --version. `out` outlives the flags.
void add_program_flags(Flags& flags, ProgramOptions& out);

}  // namespace holdfast
