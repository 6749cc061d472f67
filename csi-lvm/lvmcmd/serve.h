#pragma once

#include <functional>
#include <string>

#include "csi-lvm/lvm/lvm_runner.h"

namespace holdfast::lvm {

/// The worker's life: reads commands from the channel, runs each to its end, answers. Returns when the other
/// end has closed, also when it died while a command ran. Errors: a channel that speaks otherwise.
Status serve_commands(int channel, const std::function<LvmAnswer(const std::string& line)>& run);

}  // namespace holdfast::lvm
