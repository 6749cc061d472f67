#include "csi-lvm/lvm/exec_runner.h"

#include <utility>

#include "csi-lvm/lvm/lvm_environment.h"

namespace holdfast::lvm {
namespace {

// An Executor kills what is late, and a command that changes something must not be killed.
constexpr std::chrono::hours kForEver{24 * 365};
constexpr std::size_t kLongestReport = std::size_t{64} << 20;

}  // namespace

ExecRunner::ExecRunner(Executor& executor, std::string program)
    : executor_(executor), program_(std::move(program)) {}

Result<LvmAnswer> ExecRunner::run(const LvmCommand& command, std::chrono::milliseconds patience) {
  HOLDFAST_CHECK(check_command(command));
  Command lvm{.argv = {program_},
              .environment = lvm_environment(),
              .input = {},
              .deadline = command.effect == Effect::kReports ? patience : kForEver,
              .max_output_bytes = kLongestReport};
  lvm.argv.insert(lvm.argv.end(), command.words.begin(), command.words.end());
  auto ended = executor_.run(lvm);
  if (!ended) {
    Error error = std::move(ended).error();
    if (error.code != Code::kDeadlineExceeded) error.code = Code::kUnavailable;
    return tl::unexpected(std::move(error));
  }
  if (ended->signal != 0) {
    return fail(Code::kAborted,
                program_ + " " + command.words[0] + " was ended by signal " + std::to_string(ended->signal));
  }
  return LvmAnswer{
      .succeeded = ended->succeeded(), .output = std::move(ended->output), .talk = std::move(ended->errors)};
}

}  // namespace holdfast::lvm
