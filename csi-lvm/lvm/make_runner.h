#pragma once

#include <filesystem>
#include <memory>

#include "common/base/exec.h"
#include "csi-lvm/lvm/lvm_runner.h"

namespace holdfast::lvm {

/// Which lvmcmd to run LVM's commands by.
struct WorkerPlaces {
  std::filesystem::path told{};    ///< by --lvmcmd; empty: by no flag
  std::filesystem::path beside{};  ///< where it may be; empty: nowhere
};

/// By the worker that was told, else by the one that is there, else by the host's lvm(8). `executor` outlives
/// it. Errors: kNotFound, when what was told is no program, or there is none at all.
Result<std::unique_ptr<LvmRunner>> make_runner(Executor& executor, const WorkerPlaces& places);

}  // namespace holdfast::lvm
