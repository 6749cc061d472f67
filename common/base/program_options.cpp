#include "common/base/program_options.h"

namespace holdfast {

void add_program_flags(Flags& flags, ProgramOptions& out) {
  flags.value("log-level", "LEVEL", "debug, info, warning or error [info]",
              Flags::to_log_level(out.log_level));
  flags.boolean("help", "this text", out.help);
  flags.boolean("version", "the version", out.version);
}

}  // namespace holdfast
