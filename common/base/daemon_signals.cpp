#include "common/base/daemon_signals.h"

#include <csignal>
#include <utility>

namespace holdfast {

Status DaemonSignals::take() {
  HOLDFAST_TRY(EventLoop::Signals taken,
               loop_.on_signals({SIGTERM, SIGINT, SIGHUP}, [this](int number) { arrived(number); }));
  signals_.emplace(std::move(taken));
  return {};
}

void DaemonSignals::serve(EventLoop::Callback look_again, EventLoop::Callback end) {
  look_again_ = std::move(look_again);
  end_ = std::move(end);
}

void DaemonSignals::arrived(int number) {
  if (number == SIGHUP) {
    if (look_again_) look_again_();
  } else if (!end_ || std::exchange(ending_, true)) {
    loop_.stop();
  } else {
    end_();
  }
}

}  // namespace holdfast
