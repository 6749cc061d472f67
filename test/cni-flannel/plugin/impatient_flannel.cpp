// The plugin's program, but that every program it runs has a second: so that a test can wait for a deadline.
#include <algorithm>
#include <chrono>

#include "cni-flannel/plugin/flannel_plugin.h"
#include "cni-flannel/plugin/run.h"

namespace {

class ImpatientExecutor final : public holdfast::Executor {
 public:
  holdfast::Result<holdfast::CommandResult> run(const holdfast::Command& command) override {
    holdfast::Command hurried = command;
    hurried.deadline = std::min<std::chrono::milliseconds>(command.deadline, std::chrono::seconds(1));
    return patient_.run(hurried);
  }

 private:
  holdfast::SystemExecutor patient_;
};

}  // namespace

int main() {
  holdfast::PosixFiles files;
  holdfast::SystemClock clock;
  ImpatientExecutor executor;
  holdfast::flannel::FlannelPlugin plugin(files, clock, executor);
  return holdfast::cni::run(plugin, holdfast::cni::Environment::from_process());
}
