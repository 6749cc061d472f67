#include "csi-disk/sim/program_bays.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "common/base/text.h"

namespace holdfast::disk {

Result<std::string> ProgramBays::run(std::vector<std::string> words) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::seconds(30);
  const std::string what = program_.native() + " " + words.front();
  Command command;
  command.argv = {program_.native()};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.environment = environment_;
  command.deadline = kLongest;
  HOLDFAST_TRY(CommandResult done, executor_.run(command));
  if (done.succeeded()) return std::move(done.output);
  const Code code = done.exit_status == kInUse ? Code::kFailedPrecondition : Code::kUnavailable;
  return fail(code,
              what + ": status " + std::to_string(done.exit_status) + ": " + std::string(trim(done.errors)));
}

Result<std::map<std::string, std::string>> ProgramBays::plugged() {
  HOLDFAST_TRY(const std::string output, run({"list"}));
  std::map<std::string, std::string> out;
  std::string_view rest = output;
  while (!rest.empty()) {
    std::string_view line = trim(take_until(rest, '\n'));
    const std::string serial(take_until(line, ' '));
    if (!serial.empty()) out[serial] = trim(line);
  }
  return out;
}

Status ProgramBays::plug(const std::string& serial, const std::filesystem::path& image,
                         const std::string& node) {
  HOLDFAST_TRY(const std::string output, run({"plug", serial, image.native(), node}));
  return {};
}

Status ProgramBays::unplug(const std::string& serial) {
  HOLDFAST_TRY(const std::string output, run({"unplug", serial}));
  return {};
}

Status ProgramBays::resize(const std::string& serial) {
  HOLDFAST_TRY(const std::string output, run({"resize", serial}));
  return {};
}

}  // namespace holdfast::disk
