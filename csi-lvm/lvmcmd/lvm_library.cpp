#include "csi-lvm/lvmcmd/lvm_library.h"

#include <lvm2cmd.h>

#include <string_view>
#include <utility>

#include "common/base/text.h"

namespace holdfast::lvm {
namespace {

// The library calls back without saying for whom: this is the answer to the command that it runs.
LvmAnswer* taking = nullptr;

void take_line(int level, const char* /*file*/, int /*line*/, int /*dm_errno*/, const char* message) {
  if (taking == nullptr || level > LVM2_LOG_PRINT || message == nullptr) return;
  const bool report = level == LVM2_LOG_PRINT && !trim(message).starts_with("WARNING:");
  std::string& text = report ? taking->output : taking->talk;
  text += message;
  text += '\n';
}

}  // namespace

Result<std::unique_ptr<LvmLibrary>> LvmLibrary::open() {
  lvm2_log_fn(take_line);
  void* handle = lvm2_init();
  if (handle == nullptr) return fail(Code::kUnavailable, "liblvm2cmd cannot be set up");
  lvm2_log_level(handle, LVM2_LOG_PRINT);
  // Not lvm2_disable_dmeventd_monitoring(): after it LVM takes us for dmeventd, and looks at all of the
  // host's disks whatever --devicesfile says. Every command has activation/monitoring=0.
  return std::unique_ptr<LvmLibrary>(new LvmLibrary(handle));
}

LvmLibrary::~LvmLibrary() { lvm2_exit(handle_); }

LvmAnswer LvmLibrary::run(const std::string& line) {
  LvmAnswer answer;
  taking = &answer;
  const int ended = lvm2_run(handle_, line.c_str());
  taking = nullptr;
  answer.succeeded = ended == LVM2_COMMAND_SUCCEEDED;
  return answer;
}

}  // namespace holdfast::lvm
