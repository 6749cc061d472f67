#pragma once

#include <memory>
#include <string>

#include "csi-lvm/lvm/lvm_runner.h"

namespace holdfast::lvm {

/// liblvm2cmd, kept open: a command then costs what LVM itself takes and no start of a program.
///
/// The library changes the process that it is in (umask, locked memory, priority), cannot be stopped, and
/// breaks when two threads use it: so it lives in a process of its own that has one thread. One at a time.
/// Source: lvm2cmd.h.
class LvmLibrary {
 public:
  /// Errors: kUnavailable when the library cannot be set up (it has told why on standard error).
  static Result<std::unique_ptr<LvmLibrary>> open();
  LvmLibrary(const LvmLibrary&) = delete;
  LvmLibrary& operator=(const LvmLibrary&) = delete;
  ~LvmLibrary();

  /// Runs one command, given as its line.
  LvmAnswer run(const std::string& line);

 private:
  explicit LvmLibrary(void* handle) : handle_(handle) {}
  void* handle_;
};

}  // namespace holdfast::lvm
