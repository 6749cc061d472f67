#include "csi-lvm/lvm/make_runner.h"

#include <unistd.h>

#include <system_error>

#include "csi-lvm/lvm/exec_runner.h"
#include "csi-lvm/lvm/worker_runner.h"

namespace holdfast::lvm {
namespace {

bool is_program(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<std::unique_ptr<LvmRunner>> make_runner(Executor& executor, const WorkerPlaces& places) {
  if (!places.told.empty() && !is_program(places.told)) {
    return fail(Code::kNotFound, "--lvmcmd: there is no program " + places.told.native() +
                                     "; name the file lvmcmd, or leave the flag out");
  }
  for (const std::filesystem::path& path : {places.told, places.beside}) {
    if (is_program(path)) return std::unique_ptr<LvmRunner>(new WorkerRunner(path.native()));
  }
  const std::string lvm = find_system_program("lvm");
  if (!lvm.empty()) return std::unique_ptr<LvmRunner>(new ExecRunner(executor, lvm));
  return fail(Code::kNotFound, "the host has no program lvm: install lvm2, or name lvmcmd by --lvmcmd");
}

}  // namespace holdfast::lvm
