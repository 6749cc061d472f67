#include "csi-lvm/lvmcmd/serve.h"

#include <cerrno>
#include <utility>

#include "csi-lvm/lvm/frames.h"

namespace holdfast::lvm {

Status serve_commands(int channel, const std::function<LvmAnswer(const std::string& line)>& run) {
  for (;;) {
    auto line = receive_strings(channel, 1, std::chrono::milliseconds{0});
    if (!line) {
      if (line.error().code == Code::kUnavailable) return {};
      return tl::unexpected(std::move(line).error());
    }
    const LvmAnswer answer = run(line->front());
    const Status sent = send_strings(channel, {answer.succeeded ? "1" : "0", answer.output, answer.talk});
    if (!sent && sent.error().sys_errno == EPIPE) return {};
    HOLDFAST_CHECK(sent);
  }
}

}  // namespace holdfast::lvm
