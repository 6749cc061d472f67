#include "cni-flannel/inspect/daemon_run.h"

#include <string>
#include <utility>

#include "cni-flannel/daemon/sole_run.h"
#include "common/base/program_run.h"

namespace holdfast::flannel {

std::optional<DaemonRun> find_daemon_run(const std::filesystem::path& proc) {
  const std::optional<ProgramRun> found = find_program_run(kProgramName, proc);
  if (!found) return std::nullopt;
  DaemonRun out{.pid = found->pid, .same_files = found->same_files};
  if (!found->same_files) out.root = proc / std::to_string(found->pid) / "root";
  if (!found->same_user) return out;
  Result<Options> options =
      parse_options(found->arguments, [&](const std::string& variable) { return found->variable(variable); });
  if (options) out.options = *std::move(options);
  return out;
}

}  // namespace holdfast::flannel
